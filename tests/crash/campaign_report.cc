#include "campaign_report.h"

#include <cstdio>

namespace pawl::inline v0 {

void CampaignProgress::Show(std::uint64_t done, std::uint64_t count, bool is_clean) {
  const Clock::time_point now = Clock::now();
  if (now - last_ < std::chrono::seconds(5)) return;
  last_ = now;
  std::fprintf(stderr, "%llu of %llu %s, %.0f/s, %s\n", static_cast<unsigned long long>(done),
               static_cast<unsigned long long>(count), unit_, static_cast<double>(done) / seconds(),
               is_clean ? "no failure" : "FAILURES");
}

double CampaignProgress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void PrintResult(const CampaignArguments& arguments, const std::string& json) {
  std::fprintf(arguments.is_json ? stdout : stderr, "%s\n", json.c_str());
}

int EndPlanted(const std::string& planted, bool is_clean) {
  std::fprintf(stderr, "%s: %s\n", planted.c_str(), is_clean ? "NOT FOUND" : "found");
  return is_clean ? 1 : 0;
}

int SkipCampaign(const char* program, const std::string& why) {
  std::fprintf(stderr, "%s: SKIP: %s\n", program, why.c_str());
  return kSkipStatus;
}

}  // namespace pawl::inline v0
