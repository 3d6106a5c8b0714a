#pragma once

#include <cstdint>

#include "pawl/clock.h"

namespace pawl {

// A clock that stands still unless it is told. One thread.
class FakeClock final : public Clock {
 public:
  static constexpr std::uint64_t kMillisecond = 1'000'000;
  static constexpr std::uint64_t kSecond = 1'000 * kMillisecond;
  static constexpr std::uint64_t kHour = 3'600 * kSecond;
  static constexpr std::uint64_t kYear = 365 * 24 * kHour;
  // Later than the clocks of the machines that run the tests: the log takes its first time from
  // the storage.
  static constexpr std::uint64_t kStart = 80 * kYear;

  std::uint64_t WallNs() noexcept override {
    ++wall_reads;
    return wall_ns;
  }
  std::uint64_t BootNs() noexcept override { return boot_ns; }

  void Advance(std::uint64_t ns) noexcept {
    wall_ns += ns;
    boot_ns += ns;
  }
  // Somebody sets the wall clock.
  void SetWall(std::uint64_t ns) noexcept { wall_ns = ns; }

  std::uint64_t wall_ns = kStart;
  std::uint64_t boot_ns = kHour;
  int wall_reads = 0;
};

}  // namespace pawl
