#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>
#include <random>

#include "placement.h"

namespace pawl::inline v0::bench {

// The steady clock in nanoseconds.
inline std::int64_t SteadyNowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Sleeps until `time_ns` of the steady clock, and a little longer as the kernel likes.
inline void SleepUntil(std::int64_t time_ns) {
  const timespec until{.tv_sec = time_ns / 1'000'000'000, .tv_nsec = time_ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

// When to send, decided beforehand: what is late is late against this, however long the sample
// before it took (no coordinated omission).
class WakeSchedule {
 public:
  struct Gaps {
    std::int64_t min_ns;
    std::int64_t max_ns;
  };

  WakeSchedule(std::uint64_t seed, Gaps gaps) : random_(seed), gap_ns_(gaps.min_ns, gaps.max_ns) {}

  // The first time after this is a gap from now.
  void Begin() { next_ns_ = SteadyNowNs(); }
  std::int64_t Next() { return next_ns_ += gap_ns_(random_); }

  // Sleeps until shortly before `time_ns` and waits for the rest awake: the wake-up of the sender
  // is not what is asked for. `before_the_end` is called in between.
  template <class F>
  static void WaitFor(std::int64_t time_ns, F&& before_the_end) {
    SleepUntil(time_ns - kAwakeNs);
    before_the_end();
    while (SteadyNowNs() < time_ns) SpinOnce();
  }

 private:
  // Timer slack (50 µs), a wake-up, and a look at the threads' states fit into it.
  static constexpr std::int64_t kAwakeNs = 300'000;

  std::mt19937_64 random_;
  std::uniform_int_distribution<std::int64_t> gap_ns_;
  std::int64_t next_ns_ = 0;
};

}  // namespace pawl::inline v0::bench
