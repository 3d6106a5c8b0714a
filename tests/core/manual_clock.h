#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "pawl/clock.h"

namespace pawl {

// A clock that the test moves. With a step it goes on by that much at each look at the boot time.
//   threads   any
class ManualClock final : public Clock {
 public:
  static constexpr std::uint64_t kBootNs = 1'000'000'000'000;
  // Later than the clocks of the machines that run the tests (2049), from which the log takes its
  // first time: engine time is not slewed towards it.
  static constexpr std::uint64_t kWallNs = 2'500'000'000'000'000'000;

  void Advance(std::chrono::nanoseconds by) noexcept {
    passed_ns_.fetch_add(static_cast<std::uint64_t>(by.count()), std::memory_order_relaxed);
  }
  void SetStep(std::chrono::nanoseconds step) noexcept {
    step_ns_.store(static_cast<std::uint64_t>(step.count()), std::memory_order_relaxed);
  }

  // How often somebody looked at the boot time.
  std::uint64_t looks() const noexcept { return looks_.load(std::memory_order_relaxed); }

  std::uint64_t WallNs() noexcept override {
    return kWallNs + passed_ns_.load(std::memory_order_relaxed);
  }
  std::uint64_t BootNs() noexcept override {
    looks_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t step_ns = step_ns_.load(std::memory_order_relaxed);
    return kBootNs + passed_ns_.fetch_add(step_ns, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> passed_ns_{0};
  std::atomic<std::uint64_t> step_ns_{0};
  std::atomic<std::uint64_t> looks_{0};
};

}  // namespace pawl
