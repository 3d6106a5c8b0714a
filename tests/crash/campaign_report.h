#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "campaign_arguments.h"

namespace pawl::inline v0 {

// Failures that a campaign prints in full; the rest is counted.
inline constexpr std::uint64_t kPrintedMax = 20;
// Exit status where the machine does not allow the campaign; ctest counts the test as skipped.
inline constexpr int kSkipStatus = 77;

// How far a campaign is, told every five seconds on standard error.
//   threads   one at a time
class CampaignProgress {
 public:
  //   unit   what is counted, "states"
  explicit CampaignProgress(const char* unit) : unit_(unit) {}

  void Show(std::uint64_t done, std::uint64_t count, bool is_clean);
  // Since the campaign began.
  [[nodiscard]] double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  const char* const unit_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

// Prints the result: one object on standard output with --json, else on standard error.
void PrintResult(const CampaignArguments& arguments, const std::string& json);

// Exit status of a campaign with a planted fault: 0 only if it was found. Says so.
[[nodiscard]] int EndPlanted(const std::string& planted, bool is_clean);

// Says why the machine does not allow the campaign.
//   returns   kSkipStatus
[[nodiscard]] int SkipCampaign(const char* program, const std::string& why);

}  // namespace pawl::inline v0
