#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "pawl/atomics.h"
#include "pawl/cache_line.h"
#include "pawl/check.h"

namespace pawl::inline v0 {

// Two copies of a T: readers read the visible one whole, while the writer changes the hidden one.
//
// Threads: Read() by any thread, nested too; all else by one thread, the writer (a projector's
// agent).
// Lifetime: must outlive the last Read().
// Read() is wait-free and population-oblivious where fetch_add is one instruction (x86-64,
// ARMv8.1): two additions and two loads around `f`, whatever the writer and other readers do. The
// writer never waits: draining is a state that Drained() advances. A reader that stays in `f` keeps
// the writer draining, and nobody else. Nothing allocates after construction.
//
// The writer's cycle, per batch of changes:
//
//   if (T* hidden = pair.TryBeginWrite()) { apply(batch, *hidden); pair.Flip(); }
//   … in this or a later turn, once pair.Drained(): apply(batch, *pair.TryBeginWrite());
//
// Memory ordering: what the writer did to a copy before Flip() is visible to a Read() that got that
// copy; what a reader did inside Read() happens before the writer's next change of that copy.
//
// How it drains. A reader arrives at one of two indicators (the one named by `version_`), then
// learns which copy is visible. After Flip() readers of the old copy may sit in both indicators.
// Drained() waits for the unnamed one, names it, so that new readers go there, then waits for the
// other. Safety needs only that every counter of both indicators was seen at zero at some time
// after Flip(); which of them new readers use matters for progress alone: with a single indicator
// new readers could keep it from zero for ever. Hence `version_` is relaxed, and counters seen at
// zero are not looked at again.
//
// Why seq_cst (four accesses, the store-buffering pattern):
//   reader  A  fetch_add counter     B  load visible_
//   writer  C  store visible_        D  load counter
// Forbidden: B reads the copy before C, and D misses A; the writer would change a copy in use.
// Release and acquire allow it: neither B nor D reads from the other side, so nothing orders A
// before D. With all four seq_cst: B before C in coherence puts A < B < C < D in the single total
// order, so D reads A or a later change of the counter. Such a value is zero only after the
// reader's departure, a release that D, an acquire too, synchronises with (all changes of a counter
// are read-modify-writes and so continue its release sequence). An arrival that D misses comes
// after D: its B then reads C or newer. On x86-64 A is a locked add anyway, B and D are plain
// loads; C, once per batch, is an exchange.
//
// `kStripes` counters per indicator, a power of two; threads are spread over them by number.
//
// source    Ramalhete, Correia: Left-Right, a concurrency control technique with wait-free
//           population-oblivious reads (2015)
template <class T, class Atomics = StdAtomics, std::size_t kStripes = 16>
class LeftRight {
  static_assert(kStripes > 0 && (kStripes & (kStripes - 1)) == 0);

 public:
  // Both copies are made from the same arguments.
  template <class... Args>
  explicit LeftRight(const Args&... args) : copies_{Copy(args...), Copy(args...)} {}
  LeftRight(const LeftRight&) = delete;
  LeftRight& operator=(const LeftRight&) = delete;

  // Calls `f(const T&)` on a whole, unchanging copy and returns its result by value. Keep `f`
  // short: while it runs the writer can publish one more time at most.
  //   threads   any
  template <class F>
  auto Read(F&& f) const noexcept(noexcept(f(std::declval<const T&>()))) {
    const Arrival arrival(ArriveAt());
    // seq_cst: access B above. Pairs with the store in Flip(), whose copy it acquires.
    return std::forward<F>(f)(copies_[visible_.load(std::memory_order_seq_cst)].value);
  }

  // The hidden copy, to be changed; nullptr while readers may still be in it.
  //   threads   writer only
  [[nodiscard]] T* TryBeginWrite() noexcept {
    return Drained() ? &copies_[1 - visible_copy_].value : nullptr;
  }

  // Makes the hidden copy the visible one and starts to drain the other of readers.
  //   threads   writer only; not while draining
  void Flip() noexcept {
    PAWL_DCHECK(!IsDraining());
    visible_copy_ = 1 - visible_copy_;
    next_stripe_ = 0;
    phase_ = Phase::kDrainingUnnamed;
    // seq_cst: access C above, and the release of the copy's changes. Pairs with the load in
    // Read().
    visible_.store(visible_copy_, std::memory_order_seq_cst);
  }

  // Advances the draining as far as it goes without waiting.
  //   returns   whether the hidden copy is free of readers
  //   threads   writer only
  [[nodiscard]] bool Drained() noexcept {
    if (phase_ == Phase::kIdle) return true;
    if (phase_ == Phase::kDrainingUnnamed) {
      if (!Empty(indicators_[1 - named_])) return false;
      named_ = 1 - named_;
      next_stripe_ = 0;
      phase_ = Phase::kDrainingFormer;
      // Relaxed: only steers new readers away from the other indicator; safety does not need it.
      version_.store(named_, std::memory_order_relaxed);
    }
    if (!Empty(indicators_[1 - named_])) return false;
    phase_ = Phase::kIdle;
    return true;
  }

  // Whether readers may still be in the hidden copy, as far as Drained() has found out.
  //   threads   writer only
  [[nodiscard]] bool IsDraining() const noexcept { return phase_ != Phase::kIdle; }

  // The copy that readers see; nobody changes it before the next Flip() and its draining.
  //   threads   writer only
  [[nodiscard]] const T& visible() const noexcept { return copies_[visible_copy_].value; }

 private:
  using Word = typename Atomics::template Atomic<std::uint32_t>;

  enum class Phase : std::uint8_t {
    kIdle,             // The hidden copy is free of readers.
    kDrainingUnnamed,  // Readers of the hidden copy may be in both indicators.
    kDrainingFormer,   // … only in the one that version_ named before.
  };

  struct alignas(kCacheLineBytes) Copy {
    template <class... Args>
    explicit Copy(const Args&... args) : value(args...) {}
    T value;
  };

  // Readers inside. Written by readers, read by the writer. Guards the copy they are in.
  struct alignas(kCacheLineBytes) Counter {
    Word readers{0};
  };
  using Indicator = std::array<Counter, kStripes>;

  // One reader's stay in a counter.
  class Arrival {
   public:
    explicit Arrival(Word& readers) noexcept : readers_(readers) {
      // seq_cst: access A above. Pairs with the load in Empty().
      readers_.fetch_add(1, std::memory_order_seq_cst);
    }
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;
    ~Arrival() {
      // Release: the reads of the copy before its next change. Pairs with the load in Empty().
      readers_.fetch_sub(1, std::memory_order_release);
    }

   private:
    Word& readers_;
  };

  [[nodiscard]] Word& ArriveAt() const noexcept {
    // Relaxed: any value is safe, an old one only delays the writer; see "How it drains".
    const std::uint32_t version = version_.load(std::memory_order_relaxed);
    return indicators_[version][Atomics::ThreadNumber() & (kStripes - 1)].readers;
  }

  // Goes on from the first counter of `indicator` that was not yet seen at zero since Flip().
  [[nodiscard]] bool Empty(const Indicator& indicator) noexcept {
    for (; next_stripe_ < kStripes; ++next_stripe_) {
      // seq_cst: access D above, and the acquire of departures. Pairs with both in Arrival.
      if (indicator[next_stripe_].readers.load(std::memory_order_seq_cst) != 0) return false;
    }
    return true;
  }

  // Written by the writer, read by readers: index of the visible copy; guards its content.
  alignas(kCacheLineBytes) Word visible_{0};
  // Written by the writer, read by readers: index of the indicator to arrive at; guards nothing.
  Word version_{0};
  // Written by readers (mutable: arriving is part of reading), read by the writer.
  mutable std::array<Indicator, 2> indicators_;
  // Changed by the writer while hidden, read by readers while visible.
  std::array<Copy, 2> copies_;
  // Writer only.
  alignas(kCacheLineBytes) std::uint32_t visible_copy_ = 0;  // What visible_ holds.
  std::uint32_t named_ = 0;                                  // What version_ holds.
  std::size_t next_stripe_ = 0;
  Phase phase_ = Phase::kIdle;
};

static_assert(sizeof(LeftRight<std::uint64_t>) == (1 + 2 * 16 + 2 + 1) * kCacheLineBytes,
              "what readers poll, each counter, each copy and the writer's state are apart");

}  // namespace pawl::inline v0
