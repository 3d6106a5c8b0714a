#pragma once

#include <algorithm>
#include <cstdint>

#include "clock_record.h"
#include "pawl/clock.h"

namespace pawl::inline v0 {

// Engine time: what commits carry and timers go by. It starts at max(last commit, wall clock) and
// advances with the boot clock, so that suspend counts and no setting of the wall clock moves it.
// Towards the wall clock it is slewed: by at most a hundredth of what passed. Hence
//   * it never goes back, and advances whenever the boot clock does, at 0.99 to 1.01 of its rate;
//   * a wall clock set back, or a log from the future, slows it down until the wall is there;
//   * a wall clock more than a second ahead is followed at 1.01 and, once it stayed there for 60 s,
//     may be adopted: is_step_due() says so, Adopt() does it. The caller logs that it did.
//
// The boot clock is read at each Tick(); the wall clock only if kWallLookNs of boot time passed
// since the last look, since in between it can have drifted by a few microseconds.
// Times stop at 2^64 − 1 ns (year 2554); a wall clock beyond 2^63 − 1 (2262) counts as that.
//   threads   loop only
class EngineClock {
 public:
  // A clock that drifts by 500 ppm, the most that a kernel slews, is 5 µs off by the next look.
  static constexpr std::uint64_t kWallLookNs = 10'000'000;
  // What passed is corrected by at most its hundredth. Less than so many nanoseconds stay as they
  // are: turns are further apart.
  static constexpr std::uint64_t kSlewParts = 100;
  // design.md: forward steps > 1 s are adopted after 60 s of stability.
  static constexpr std::int64_t kStepNs = 1'000'000'000;
  static constexpr std::uint64_t kStableNs = 60'000'000'000;
  // Stable: wall minus boot clock moved by no more than that since the step; 60 s at 500 ppm are
  // 30 ms.
  static constexpr std::int64_t kStableWithinNs = 100'000'000;

  EngineClock(Clock& clock, std::uint64_t last_commit_ns) noexcept;

  // Advances to now and returns it. Reads the boot clock (about 20 ns): once a turn.
  std::uint64_t Tick() noexcept {
    const std::uint64_t boot = clock_.BootNs();
    // A boot clock that went back (a process restored elsewhere) is followed from where it is.
    const std::uint64_t elapsed = boot > boot_ns_ ? boot - boot_ns_ : 0;
    boot_ns_ = boot;
    since_look_ns_ = Sum(since_look_ns_, elapsed);
    if (since_look_ns_ >= kWallLookNs) [[unlikely]]
      LookAtWall(Sum(now_ns_, elapsed));
    Advance(elapsed);
    return now_ns_;
  }
  std::uint64_t now_ns() const noexcept { return now_ns_; }
  // What the boot clock said at the last Tick().
  std::uint64_t boot_ns() const noexcept { return boot_ns_; }

  // How much boot time passes from the last Tick() until engine time is `time_ns`, if the wall
  // clock is not set meanwhile; 0: it is.
  std::uint64_t BootNsUntil(std::uint64_t time_ns) const noexcept {
    if (time_ns <= now_ns_) return 0;
    const std::uint64_t left = time_ns - now_ns_;
    if (behind_ns_ >= 0) {
      return left - std::min(static_cast<std::uint64_t>(behind_ns_), left / (kSlewParts + 1));
    }
    return Sum(left, std::min(static_cast<std::uint64_t>(-behind_ns_), left / (kSlewParts - 1)));
  }

  Clock& source() const noexcept { return clock_; }

  // True when the wall clock is more than kStepNs ahead and has been for kStableNs.
  bool is_step_due() const noexcept { return is_step_due_ && behind_ns_ > kStepNs; }
  // Sets time forward to the wall clock. Only if is_step_due(). The caller writes down what is
  // returned, in a frame that carries the new time.
  ClockAdopted Adopt() noexcept;

 private:
  static std::uint64_t Sum(std::uint64_t a, std::uint64_t b) noexcept {
    return a + b < a ? UINT64_MAX : a + b;
  }
  // Advances by what passed, corrected by at most its hundredth.
  void Advance(std::uint64_t elapsed) noexcept {
    const auto most = static_cast<std::int64_t>(elapsed / kSlewParts);
    const std::int64_t step = std::clamp(behind_ns_, -most, most);
    behind_ns_ -= step;
    now_ns_ = step < 0 ? Sum(now_ns_, elapsed - static_cast<std::uint64_t>(-step))
                       : Sum(Sum(now_ns_, elapsed), static_cast<std::uint64_t>(step));
  }
  //   now_ns    engine time if it is not corrected
  void LookAtWall(std::uint64_t now_ns) noexcept;

  Clock& clock_;
  std::uint64_t boot_ns_;
  std::uint64_t now_ns_;
  std::int64_t behind_ns_ = 0;       // wall minus engine time, as known: what is left to slew
  std::uint64_t since_look_ns_ = 0;  // of boot time
  // The forward step that may be adopted.
  bool is_ahead_ = false;            // there is one
  bool is_step_due_ = false;         // and at the last look it was stable for long enough
  std::uint64_t ahead_lead_ns_ = 0;  // wall minus boot clock when it was seen first, modulo 2^64
  std::uint64_t stable_ns_ = 0;      // boot time since then
};

}  // namespace pawl::inline v0
