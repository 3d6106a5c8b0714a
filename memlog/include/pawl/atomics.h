#pragma once

#include <atomic>
#include <cstddef>

namespace pawl::inline v0 {

// What a lock-free structure is made of. Every one takes such a policy as its last template
// parameter, so that the same code runs in production and under a model checker, which brings its
// own atomics, race-checked plain storage and thread numbers (tests/litmus).
struct StdAtomics {
  // A shared word; accessed with explicit std::memory_order arguments only.
  template <class T>
  using Atomic = std::atomic<T>;

  // Ordinary memory that the structure's atomics guard.
  template <class T>
  using Plain = T;

  // A small number of the calling thread, for choosing a stripe; numbers may be shared.
  [[nodiscard]] static std::size_t ThreadNumber() noexcept {
    // Relaxed: the numbers only spread threads over stripes; nothing is published with them.
    thread_local const std::size_t number = next_thread_.fetch_add(1, std::memory_order_relaxed);
    return number;
  }

 private:
  // Written by any thread at its first call, only grows, guards nothing.
  static inline std::atomic<std::size_t> next_thread_{0};
};

}  // namespace pawl::inline v0
