#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace console {

// Says on standard error how far a run is: on a terminal one line that is rewritten, elsewhere a
// new line every five seconds.
class ProgressLine {
 public:
  ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine();  // clears the line

  // Cheap to call often: prints only when it is time to.
  void Show(std::uint64_t done, std::uint64_t total, const std::string& what);

 private:
  using Clock = std::chrono::steady_clock;

  const bool is_terminal_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_;
  bool is_shown_ = false;
};

}  // namespace console
