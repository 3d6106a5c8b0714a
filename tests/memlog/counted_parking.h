#pragma once

#include <atomic>
#include <cstdint>

#include "pawl/parking.h"

namespace pawl {

// The kernel's parking as a process sees it where membarrier(2) is refused from the start.
struct WithoutMembarrier : KernelParking {
  [[nodiscard]] static bool Register() noexcept { return false; }
  [[nodiscard]] static bool HeavyBarrier() noexcept { return false; }
};

// … and where a sandbox closed after the registration. The waking side's relaxed load may then miss
// the sleeper for a moment; the slices must save it.
struct MembarrierThatStopsWorking : KernelParking {
  [[nodiscard]] static bool Register() noexcept { return true; }
  [[nodiscard]] static bool HeavyBarrier() noexcept { return false; }
};

// The kernel's parking, counting what it costs. Counters are relaxed: they order nothing.
class CountedParking : public KernelParking {
 public:
  static void Reset() noexcept {
    for (std::atomic<int>* counter : {&heavy_barriers_, &waits_, &wakes_}) {
      counter->store(0, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] static bool HeavyBarrier() noexcept {
    heavy_barriers_.fetch_add(1, std::memory_order_relaxed);
    return KernelParking::HeavyBarrier();
  }
  static void Wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::int64_t deadline_ns) noexcept {
    waits_.fetch_add(1, std::memory_order_relaxed);
    KernelParking::Wait(word, expected, deadline_ns);
  }
  static void Wake(std::atomic<std::uint32_t>& word, int sleepers) noexcept {
    wakes_.fetch_add(1, std::memory_order_relaxed);
    KernelParking::Wake(word, sleepers);
  }

  [[nodiscard]] static int heavy_barriers() noexcept {
    return heavy_barriers_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] static int waits() noexcept { return waits_.load(std::memory_order_relaxed); }
  [[nodiscard]] static int wakes() noexcept { return wakes_.load(std::memory_order_relaxed); }
  [[nodiscard]] static int system_calls() noexcept { return heavy_barriers() + waits() + wakes(); }

 private:
  static inline std::atomic<int> heavy_barriers_{0};
  static inline std::atomic<int> waits_{0};
  static inline std::atomic<int> wakes_{0};
};

}  // namespace pawl
