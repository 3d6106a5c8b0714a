#include "campaign_arguments.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {

CampaignCommandLine::CampaignCommandLine(int argc, char** argv, const char* program,
                                         const char* usage)
    : argc_(argc), argv_(argv), program_(program), usage_(usage) {}

bool CampaignCommandLine::Next() {
  if (at_ + 1 >= argc_) return false;
  ++at_;
  if (option() != "--help" && option() != "-h") return true;
  std::fputs(usage_, stdout);
  std::exit(0);
}

const char* CampaignCommandLine::Text() {
  if (at_ + 1 >= argc_) Refuse(absl::StrCat(argv_[at_], " wants a value"));
  return argv_[++at_];
}

std::uint64_t CampaignCommandLine::Number() {
  const char* const name = argv_[at_];
  const char* const text = Text();
  std::uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) {
    Refuse(absl::StrCat(name, " wants a number, not ", text));
  }
  return number;
}

bool CampaignCommandLine::TakeCommon(CampaignArguments& arguments) {
  if (option() == "--json") {
    arguments.is_json = true;
  } else if (option() == "--count") {
    arguments.count = Number();
  } else if (option() == "--seed") {
    arguments.seed = Number();
  } else if (option() == "--first") {
    arguments.first = Number();
  } else if (option() == "--threads") {
    arguments.threads = std::clamp<std::uint64_t>(Number(), 1, 256);
  } else {
    return false;
  }
  return true;
}

void CampaignCommandLine::RefuseOption() const {
  Refuse(absl::StrCat("unknown argument ", argv_[at_]));
}

void CampaignCommandLine::Refuse(const std::string& what) const {
  std::fprintf(stderr, "%s: %s\n%s", program_, what.c_str(), usage_);
  std::exit(2);
}

std::uint64_t SeedFromEnvironment(const CampaignCommandLine& line) {
  const char* const text = std::getenv("PAWL_SEED");
  std::uint64_t seed = 1;
  if (text != nullptr && !absl::SimpleAtoi(text, &seed)) {
    line.Refuse(absl::StrCat("PAWL_SEED is not a number: ", text));
  }
  return seed;
}

}  // namespace pawl::inline v0
