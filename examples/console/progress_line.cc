#include "progress_line.h"

#include <unistd.h>

#include <cstdio>

#include "text.h"

namespace console {
namespace {
constexpr std::chrono::milliseconds kTerminalPeriod{100};  // quick enough to look alive
constexpr std::chrono::seconds kFilePeriod{5};             // seldom enough for a log file
}  // namespace

ProgressLine::ProgressLine()
    : is_terminal_(isatty(STDERR_FILENO) == 1),
      next_(start_ + (is_terminal_ ? kTerminalPeriod : Clock::duration(kFilePeriod))) {}

ProgressLine::~ProgressLine() {
  if (is_shown_ && is_terminal_) std::fputs("\r\033[K", stderr);
}

void ProgressLine::Show(std::uint64_t done, std::uint64_t total, const std::string& what) {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (is_terminal_ ? kTerminalPeriod : Clock::duration(kFilePeriod));
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double percent =
      total == 0 ? 100.0 : 100.0 * static_cast<double>(done) / static_cast<double>(total);
  std::fprintf(stderr, "%s%5.1f %%  %s of %s %s, %s a second%s", is_terminal_ ? "\r\033[K" : "",
               percent, WithCommas(done).c_str(), WithCommas(total).c_str(), what.c_str(),
               Rate(static_cast<double>(done) / seconds).c_str(), is_terminal_ ? "" : "\n");
  std::fflush(stderr);
  is_shown_ = true;
}

}  // namespace console
