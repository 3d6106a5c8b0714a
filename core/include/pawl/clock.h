#pragma once

#include <cstdint>
#include <ctime>

namespace pawl::inline v0 {

// Where the engine reads time, so that tests can own it. Threads: any.
// Header-only, no key function: users may derive with -fno-rtti.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::uint64_t WallNs() noexcept = 0;  // nanoseconds since 1970; may jump
  virtual std::uint64_t BootNs() noexcept = 0;  // nanoseconds since boot, suspend included
};

class SystemClock final : public Clock {
 public:
  std::uint64_t WallNs() noexcept override { return Read(CLOCK_REALTIME); }
  std::uint64_t BootNs() noexcept override { return Read(CLOCK_BOOTTIME); }

 private:
  static std::uint64_t Read(clockid_t id) noexcept {
    timespec now{};
    clock_gettime(id, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
  }
};

// Engine time: starts at max(last commit, wall clock), advances with the boot clock, never goes
// back and never stands still.
//   threads   loop only
class EngineClock {
 public:
  EngineClock(Clock& clock, std::uint64_t last_commit_ns) noexcept
      : clock_(clock),
        start_ns_(clock.WallNs() > last_commit_ns ? clock.WallNs() : last_commit_ns),
        boot_start_ns_(clock.BootNs()),
        boot_ns_(boot_start_ns_),
        now_ns_(start_ns_) {}

  // Reads the clock (about 20 ns): once per frame, never per event.
  std::uint64_t Tick() noexcept {
    boot_ns_ = clock_.BootNs();
    const std::uint64_t elapsed = boot_ns_ > boot_start_ns_ ? boot_ns_ - boot_start_ns_ : 0;
    if (start_ns_ + elapsed > now_ns_) now_ns_ = start_ns_ + elapsed;
    return now_ns_;
  }
  std::uint64_t now_ns() const noexcept { return now_ns_; }
  // What the boot clock said at the last Tick(): how long something takes is measured with it.
  std::uint64_t boot_ns() const noexcept { return boot_ns_; }

 private:
  Clock& clock_;
  const std::uint64_t start_ns_;
  const std::uint64_t boot_start_ns_;
  std::uint64_t boot_ns_;
  std::uint64_t now_ns_;
};

}  // namespace pawl::inline v0
