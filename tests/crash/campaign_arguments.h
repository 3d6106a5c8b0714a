#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pawl::inline v0 {

// What every campaign is told.
struct CampaignArguments {
  std::uint64_t count = 0;
  std::uint64_t seed = 1;   // or PAWL_SEED
  std::uint64_t first = 0;  // number of the first case: a failure prints the line that repeats it
  std::uint64_t threads = 2;
  bool is_json = false;
};

// Walks over a campaign's command line. What it cannot take ends the program with status 2 and one
// message.
class CampaignCommandLine {
 public:
  //   program, usage   for messages; borrowed
  CampaignCommandLine(int argc, char** argv, const char* program, const char* usage);

  // Goes to the next option. False: there is none.
  bool Next();
  [[nodiscard]] std::string_view option() const noexcept { return argv_[at_]; }
  // The word behind the option, and as a number.
  const char* Text();
  std::uint64_t Number();
  // Takes the option if it is one that every campaign has.
  bool TakeCommon(CampaignArguments& arguments);
  [[noreturn]] void RefuseOption() const;
  [[noreturn]] void Refuse(const std::string& what) const;

 private:
  const int argc_;
  char** const argv_;
  const char* const program_;
  const char* const usage_;
  int at_ = 0;
};

// PAWL_SEED, or 1.
[[nodiscard]] std::uint64_t SeedFromEnvironment(const CampaignCommandLine& line);

}  // namespace pawl::inline v0
