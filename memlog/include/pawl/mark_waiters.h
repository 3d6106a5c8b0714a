#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "pawl/cache_line.h"
#include "pawl/parking.h"

namespace pawl::inline v0 {

// Lets any number of threads sleep until a mark that only grows (published, durable, a view's
// position) has reached what each of them wants, at no cost to the thread that moves the mark while
// nobody sleeps.
//
// Threads: Notify() by one thread, the one that moves the mark; WaitUntil() by any thread.
// Lifetime: must outlive the last call of either.
// Notify() is wait-free: one relaxed load while nobody waits; else one addition and one system call
// that wakes all, after which nobody waits until a sleeper that wants more has looked and armed it
// again. WaitUntil() blocks, and costs the running threads of the process one interrupt each per
// sleep: a caller that expects its mark within microseconds should spin first. Nothing allocates.
//
// Memory ordering: none of its own for the mark, which is stored release before Notify() and loaded
// acquire in `reached`. The word counts notifications in its upper 31 bits; bit 0 says that
// somebody may be asleep.
//
//   notifier:  N1 store mark    LightBarrier   N2 load word_   (if bit 0: N3 add 1, N4 wake all)
//   waiter:    W1 set bit 0     HeavyBarrier   W2 read mark    (if too low: W3 futex wait on W1's
//   value)
//
// No wake-up is lost. Suppose W2 misses the N1 that reaches its value. By the rule of the barrier
// pair (parking.h) W1 is then visible to N2. If bit 0 was cleared after W1, an earlier N3 of the
// only notifier did it, whose N4 ends or prevents the sleep; else N3 runs. N3 follows W1 in the
// word's modification order: had W1 read N3 or anything after it, W1 would have acquired N1. So the
// word differs from the value that W3 expects from N3 on, for 2^31 notifications: the kernel
// either sees that and returns, or queued the waiter before, and N4 wakes it. Setting bit 0 again
// for another waiter does not bring the old value back: the count has moved.
//
// Without membarrier N2 is a read-modify-write that changes nothing; then N2 and W1 are ordered in
// the word's modification order and acquire from each other, as in doorbell.h.
template <class Parking = KernelParking>
class BasicMarkWaiters {
 public:
  BasicMarkWaiters() noexcept : has_barrier_(Parking::Register()) {}
  BasicMarkWaiters(const BasicMarkWaiters&) = delete;
  BasicMarkWaiters& operator=(const BasicMarkWaiters&) = delete;

  // Wakes the waiters, if any. Call it after the release store that moved the mark.
  //   threads   the one that moves the mark
  void Notify() noexcept {
    if ((ReadWord() & kMayBeAsleep) == 0) return;
    // Odd plus one: clears bit 0 and counts. Release: the mark before it. Pairs with the fetch_or
    // in WaitUntil(). Acquire: keeps the wake after it.
    word_.fetch_add(1, std::memory_order_acq_rel);
    Parking::Wake(word_, std::numeric_limits<int>::max());
  }

  // Sleeps until `reached()` holds or the deadline has passed.
  //   reached       bool() noexcept; loads the mark with acquire; called at least once
  //   deadline_ns   of the steady clock (Parking::NowNs()), or Parking::kNoDeadline
  //   returns       whether reached() held
  //   threads       any
  template <class Reached>
  [[nodiscard]] bool WaitUntil(Reached&& reached, std::int64_t deadline_ns) noexcept {
    while (!reached()) {
      const std::int64_t now_ns = deadline_ns == Parking::kNoDeadline ? 0 : Parking::NowNs();
      if (now_ns >= deadline_ns) return false;
      SleepOnce(reached, deadline_ns);
    }
    return true;
  }

 private:
  static constexpr std::uint32_t kMayBeAsleep = 1;

  // How late a wake-up may be in a process whose membarrier stopped working after Register().
  static constexpr std::int64_t kUnfencedSliceNs = 1'000'000;

  [[nodiscard]] std::uint32_t ReadWord() noexcept {
    // Release: the mark before it. Acquire: the bit that a waiter set. Pairs with the fetch_or in
    // SleepOnce(), with which it shares one modification order.
    if (!has_barrier_) return word_.fetch_or(0, std::memory_order_acq_rel);
    Parking::LightBarrier();
    // Relaxed: the barrier pair orders this load after the mark's store; it guards nothing else.
    return word_.load(std::memory_order_relaxed);
  }

  template <class Reached>
  void SleepOnce(Reached& reached, std::int64_t deadline_ns) noexcept {
    // Acquire: a mark notified before. Release: continues the notifier's release sequence. Pairs
    // with the fetch_add in Notify().
    const std::uint32_t armed =
        word_.fetch_or(kMayBeAsleep, std::memory_order_acq_rel) | kMayBeAsleep;
    std::int64_t wake_ns = deadline_ns;
    if (has_barrier_ && !Parking::HeavyBarrier()) {
      const std::int64_t slice_end_ns = Parking::NowNs() + kUnfencedSliceNs;
      wake_ns = slice_end_ns < deadline_ns ? slice_end_ns : deadline_ns;
    }
    // The bit stays set when the mark has come meanwhile: clearing it could hide another waiter.
    // It costs the notifier one call that wakes nobody.
    if (!reached()) Parking::Wait(word_, armed, wake_ns);
  }

  // Written by waiters (bit 0) and by the notifier (count); read by the notifier. Guards nothing:
  // says whether a wake is needed. It is the futex word.
  alignas(kCacheLineBytes) typename Parking::template Atomic<std::uint32_t> word_{0};
  // Constant after construction.
  const bool has_barrier_;
};

using MarkWaiters = BasicMarkWaiters<>;

static_assert(sizeof(MarkWaiters) == kCacheLineBytes && alignof(MarkWaiters) == kCacheLineBytes,
              "the word shares its line with nothing: the notifier reads it after every store");

}  // namespace pawl::inline v0
