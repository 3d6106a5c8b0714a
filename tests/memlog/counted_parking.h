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

// A word that counts its read-modify-writes. Counters are relaxed: they order nothing.
template <class T>
class CountedWord : public std::atomic<T> {
 public:
  using std::atomic<T>::atomic;

  T exchange(T value, std::memory_order order) noexcept {
    changes_.fetch_add(1, std::memory_order_relaxed);
    return std::atomic<T>::exchange(value, order);
  }
  T fetch_add(T value, std::memory_order order) noexcept {
    changes_.fetch_add(1, std::memory_order_relaxed);
    return std::atomic<T>::fetch_add(value, order);
  }
  T fetch_or(T value, std::memory_order order) noexcept {
    changes_.fetch_add(1, std::memory_order_relaxed);
    return std::atomic<T>::fetch_or(value, order);
  }
  T fetch_and(T value, std::memory_order order) noexcept {
    changes_.fetch_add(1, std::memory_order_relaxed);
    return std::atomic<T>::fetch_and(value, order);
  }

  static inline std::atomic<int> changes_{0};
};

// `Parking`, counting what it costs.
template <class Parking>
class Counted : public Parking {
  using Word = CountedWord<std::uint32_t>;

 public:
  template <class T>
  using Atomic = CountedWord<T>;

  static void Reset() noexcept {
    for (std::atomic<int>* counter :
         {&heavy_barriers_, &waits_, &wakes_, &signals_, &Word::changes_}) {
      counter->store(0, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] static bool HeavyBarrier() noexcept {
    heavy_barriers_.fetch_add(1, std::memory_order_relaxed);
    return Parking::HeavyBarrier();
  }
  static void Wait(Word& word, std::uint32_t expected, std::int64_t deadline_ns) noexcept {
    waits_.fetch_add(1, std::memory_order_relaxed);
    Parking::Wait(word, expected, deadline_ns);
  }
  static void Wake(Word& word, int sleepers) noexcept {
    wakes_.fetch_add(1, std::memory_order_relaxed);
    Parking::Wake(word, sleepers);
  }
  static void Signal(int event_fd) noexcept {
    signals_.fetch_add(1, std::memory_order_relaxed);
    Parking::Signal(event_fd);
  }

  [[nodiscard]] static int heavy_barriers() noexcept { return Read(heavy_barriers_); }
  [[nodiscard]] static int waits() noexcept { return Read(waits_); }
  [[nodiscard]] static int wakes() noexcept { return Read(wakes_); }
  [[nodiscard]] static int signals() noexcept { return Read(signals_); }
  [[nodiscard]] static int system_calls() noexcept {
    return heavy_barriers() + waits() + wakes() + signals();
  }
  [[nodiscard]] static int changes() noexcept { return Read(Word::changes_); }

 private:
  [[nodiscard]] static int Read(const std::atomic<int>& counter) noexcept {
    return counter.load(std::memory_order_relaxed);
  }

  static inline std::atomic<int> heavy_barriers_{0};
  static inline std::atomic<int> waits_{0};
  static inline std::atomic<int> wakes_{0};
  static inline std::atomic<int> signals_{0};
};

using CountedParking = Counted<KernelParking>;
using CountedWithoutMembarrier = Counted<WithoutMembarrier>;

}  // namespace pawl
