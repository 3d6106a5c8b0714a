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

}  // namespace pawl::inline v0
