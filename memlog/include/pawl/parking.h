#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "pawl/atomics.h"

namespace pawl::inline v0 {

// How a thread sleeps and how another one wakes it: the kernel's side of Doorbell and MarkWaiters.
// Stateless; every function may be called by any thread.
//
// The two barriers are one asymmetric pair. The thread about to sleep pays for both sides with
// HeavyBarrier(), a membarrier(2) that makes every running thread of this process execute a full
// barrier; the waking side's LightBarrier() only keeps the compiler from moving accesses across it.
//
// Memory ordering: for each HeavyBarrier() that returned true and each LightBarrier(), either all
// accesses before the light one are visible after the heavy one, or all accesses before the heavy
// one are visible after the light one. Only threads of one process take part.
struct KernelParking : StdAtomics {
  // A deadline that never comes.
  static constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

  // Registers the process for membarrier(2) on the first call; later calls only answer.
  //   returns   false where the kernel or a sandbox refuses: the waking side must then use a
  //             read-modify-write on the word that the sleeper arms
  //   threads   any; one system call per process
  [[nodiscard]] static bool Register() noexcept;

  static void LightBarrier() noexcept {
    // Compiler only. The processor's half is made by HeavyBarrier() of the sleeper.
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  //   returns   false if no barrier was made (a sandbox closed since Register()): the caller must
  //             then sleep in short slices, since a wake-up may be missed
  [[nodiscard]] static bool HeavyBarrier() noexcept;

  // Sleeps while `word` holds `expected`; may return early for no reason.
  //   deadline_ns   of NowNs(), or kNoDeadline
  static void Wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::int64_t deadline_ns) noexcept;

  // Wakes at most `sleepers` threads that sleep on `word`. One system call.
  static void Wake(std::atomic<std::uint32_t>& word, int sleepers) noexcept;

  // Makes an eventfd readable, and not readable. One system call each; neither blocks.
  static void Signal(int event_fd) noexcept;
  static void Drain(int event_fd) noexcept;

  // The steady clock (CLOCK_MONOTONIC) in nanoseconds; no system call.
  [[nodiscard]] static std::int64_t NowNs() noexcept;
};

}  // namespace pawl::inline v0
