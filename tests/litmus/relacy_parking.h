#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "relacy_atomics.h"

namespace pawl::litmus {

// Which of the sleeping protocol's barriers are made.
enum class Barriers { kBoth, kOnlyHeavy, kOnlyLight, kNoMembarrier };

// Relacy's twin of KernelParking (pawl/parking.h): the same promises, and nothing beyond them.
//
// The asymmetric pair is one word per thread: LightBarrier() changes the caller's own,
// HeavyBarrier() all of them, acq_rel. So for each heavy and each light one of them comes first in
// the word's modification order and the other acquires it: what parking.h promises, and no order
// between two light ones. The futex is a lock under which the sleeper compares and goes to sleep,
// and which the waker takes before it wakes: the kernel's hash bucket. An eventfd is a flag under a
// lock of its own, on which one thread sleeps in poll(2).
template <class Mutation, Barriers kBarriers, int kThreads>
struct RelacyParking : RelacyAtomics<Mutation> {
  using Word = RelacyAtomic<std::uint32_t, Mutation>;

  static constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

  // Belongs to a test suite, whose threads use it for one execution.
  class Kernel {
   public:
    Kernel() {
      for (rl::atomic<int>& barrier : barriers_) barrier.store(0, rl::mo_relaxed, $);
      // Without spurious wake-ups: they would save a sleeper that nobody wakes.
      sleepers_.init(false, $);
      pollers_.init(false, $);
      current_ = this;
    }
    ~Kernel() {
      current_ = nullptr;
      sleepers_.deinit($);
      pollers_.deinit($);
    }
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

   private:
    friend RelacyParking;
    rl::mutex bucket_;
    rl::condvar<Kernel> sleepers_;
    std::array<rl::atomic<int>, std::size_t{kThreads}> barriers_;
    rl::mutex event_lock_;
    rl::condvar<Kernel> pollers_;
    bool is_readable_ = false;  // under event_lock_
  };

  static bool Register() { return kBarriers != Barriers::kNoMembarrier; }

  static void LightBarrier() {
    if (kBarriers == Barriers::kOnlyHeavy) return;
    current_->barriers_[rl::thread_index()].fetch_add(1, rl::mo_acq_rel, $);
  }

  static bool HeavyBarrier() {
    if (kBarriers == Barriers::kOnlyLight) return true;
    for (rl::atomic<int>& barrier : current_->barriers_) barrier.fetch_add(1, rl::mo_acq_rel, $);
    return true;
  }

  static void Wait(Word& word, std::uint32_t expected, std::int64_t) {
    current_->bucket_.lock($);
    if (word.load(std::memory_order_relaxed) == expected) {
      current_->sleepers_.wait(current_->bucket_, false, $);
    }
    current_->bucket_.unlock($);
  }

  static void Wake(Word&, int sleepers) {
    current_->bucket_.lock($);
    if (sleepers == 1) {
      current_->sleepers_.notify_one($);
    } else {
      current_->sleepers_.notify_all($);
    }
    current_->bucket_.unlock($);
  }

  static void Signal(int) {
    current_->event_lock_.lock($);
    current_->is_readable_ = true;
    current_->pollers_.notify_one($);
    current_->event_lock_.unlock($);
  }

  static void Drain(int) {
    current_->event_lock_.lock($);
    current_->is_readable_ = false;
    current_->event_lock_.unlock($);
  }

  // The caller's poll(2) of the eventfd.
  static void WaitReadable() {
    current_->event_lock_.lock($);
    while (!current_->is_readable_) current_->pollers_.wait(current_->event_lock_, false, $);
    current_->event_lock_.unlock($);
  }

  static std::int64_t NowNs() { return 0; }

 private:
  static inline Kernel* current_ = nullptr;
};

}  // namespace pawl::litmus
