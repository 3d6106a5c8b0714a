#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "pawl/cache_line.h"
#include "pawl/check.h"
#include "pawl/parking.h"

namespace pawl::inline v0 {

// Lets one agent's thread sleep until another thread has work for it, at no cost to threads that
// hand work to an agent that is awake.
//
// Threads: Wait() by one thread, the sleeper; Ring() by any thread.
// Lifetime: must outlive the last Ring().
// Ring() is wait-free: one relaxed load while the sleeper is awake, plus one exchange and one
// system call per sleep. Wait() blocks. A sleeper without work makes no system call while it
// sleeps. Nothing allocates.
//
// Memory ordering: none of its own for the work. A ringer publishes work with a release store (or
// read-modify-write), then calls Ring(); the sleeper's `has_work` reads it with an acquire load.
// What the bell adds is that one of the two sees the other:
//
//   ringer:   R1 store work   LightBarrier   R2 load asleep_   (if asleep: R3 exchange, R4 wake)
//   sleeper:  S1 set asleep_  HeavyBarrier   S2 read work      (if none: S3 futex wait)
//
// No wake-up is lost. Suppose S2 does not see R1. By the rule of the barrier pair (parking.h) S1 is
// then visible to R2. So R2 reads kAsleep, or kAwake written after S1: by another ringer's R3,
// whose R4 follows, or by the sleeper itself, which then is awake and repeats S1 and S2 before it
// sleeps (with a barrier that R1 precedes, since R2 read the word as it was before that S1). In the
// first case R3 makes the word kAwake, whoever comes first among the ringers. The kernel compares
// the word with kAsleep and queues the sleeper under one lock, and R4 takes the same lock after R3:
// either the compare sees kAwake and S3 returns at once, or the sleeper was queued before and R4
// wakes it. A late R4 of an earlier sleep only makes S3 return early; Wait() loops.
//
// A thread that serves several bells sleeps at one of its own and lends it to the others: it arms
// them all, with where it sleeps, before its barrier; R4 of a lent bell rings that one. What was
// said of S1 holds of each bell, and R4's ring finds the sleeper's own bell armed before, or sees
// it woken by another ringer.
//
// Without membarrier R2 is left out and R3 always runs. Every change of asleep_ is a
// read-modify-write, so R3 and S1 are ordered in one modification order and each continues the
// release sequence of those before it: if R3 is first, S1 acquires from it and S2 sees R1; if S1 is
// first, R3 returns kAsleep and R4 follows. Should membarrier fail after it was registered (a
// sandbox that closed later), the sleeper looks again every kUnfencedSliceNs: late, never lost.
//
// `Parking` is KernelParking, or a model checker's twin of it.
template <class Parking = KernelParking>
class BasicDoorbell {
 public:
  // Registers the process for membarrier; does so once, early, to keep it out of the first sleep.
  static void RegisterProcess() noexcept { static_cast<void>(Parking::Register()); }

  BasicDoorbell() noexcept : has_barrier_(Parking::Register()) {}
  BasicDoorbell(const BasicDoorbell&) = delete;
  BasicDoorbell& operator=(const BasicDoorbell&) = delete;

  // Wakes the sleeper if it sleeps. Call it after the release store that published the work.
  //   threads   any
  void Ring() noexcept {
    if (has_barrier_) {
      Parking::LightBarrier();
      // Relaxed: the barrier pair orders this load after the work's store; it guards nothing else.
      if (asleep_.load(std::memory_order_relaxed) == kAwake) return;
    }
    // Release: the work before it. Acquire: a later sleep may build on it. Pairs with the exchange
    // that arms the bell in Wait().
    if (asleep_.exchange(kAwake, std::memory_order_acq_rel) == kAsleep) WakeSleeper();
  }

  // Sleeps until `has_work()` holds or the time is over.
  //   has_work     bool() noexcept; reads the work with acquire; called at least once
  //   timeout_ns   from now; negative: for ever
  //   returns      whether has_work() held; false only after the time-out
  //   threads      the sleeper only
  template <class HasWork>
  bool Wait(HasWork&& has_work, std::int64_t timeout_ns = -1) noexcept {
    return WaitWith({}, has_work, timeout_ns);
  }

  // The same, woken by rings of `others` too, which nobody else sleeps at. This bell outlives the
  // last Ring() of any of them.
  template <class HasWork>
  bool WaitWith(std::span<BasicDoorbell* const> others, HasWork&& has_work,
                std::int64_t timeout_ns = -1) noexcept {
    if (has_work()) return true;
    const std::int64_t deadline_ns = DeadlineAfter(timeout_ns);
    while (!SleepOnce(others, has_work, deadline_ns)) {
      if (deadline_ns != Parking::kNoDeadline && Parking::NowNs() >= deadline_ns) return has_work();
    }
    return true;
  }

 private:
  static constexpr std::uint32_t kAwake = 0;
  static constexpr std::uint32_t kAsleep = 1;

  // How late a wake-up may be in a process whose membarrier stopped working: as long as the sleep
  // of an idle strategy that polls.
  static constexpr std::int64_t kUnfencedSliceNs = 1'000'000;

  [[nodiscard]] static std::int64_t DeadlineAfter(std::int64_t timeout_ns) noexcept {
    if (timeout_ns < 0) return Parking::kNoDeadline;
    const std::int64_t now_ns = Parking::NowNs();
    return timeout_ns < Parking::kNoDeadline - now_ns ? now_ns + timeout_ns : Parking::kNoDeadline;
  }

  //   sleeper   the bell at which the thread sleeps; nullptr: this one
  void Arm(BasicDoorbell* sleeper) noexcept {
    // Relaxed: read only by a ringer that acquired the exchange below, or a later one.
    sleeper_.store(sleeper, std::memory_order_relaxed);
    // Acquire: the work of a ringer that rang before. Release: continues the release sequence of
    // ringers, see above. Pairs with the exchange in Ring().
    const std::uint32_t before = asleep_.exchange(kAsleep, std::memory_order_acq_rel);
    PAWL_DCHECK(before == kAwake);  // A second sleeper.
    static_cast<void>(before);
  }
  void Disarm() noexcept {
    // An exchange, not a store, which would break the release sequence of a ringer without
    // membarrier. Acquire: pairs with the exchange in Ring().
    asleep_.exchange(kAwake, std::memory_order_acq_rel);
  }

  void WakeSleeper() noexcept {
    // Relaxed: the exchange that read kAsleep acquired what Arm() stored before. If the bell was
    // armed anew since, the one who slept is awake, and who sleeps now is woken for nothing.
    BasicDoorbell* const sleeper = sleeper_.load(std::memory_order_relaxed);
    if (sleeper != nullptr) return sleeper->Ring();
    Parking::Wake(asleep_, 1);
  }

  // Arms the bells, looks at the work once more, sleeps. True if there is work.
  template <class HasWork>
  bool SleepOnce(std::span<BasicDoorbell* const> others, HasWork& has_work,
                 std::int64_t deadline_ns) noexcept {
    Arm(nullptr);
    for (BasicDoorbell* other : others) other->Arm(this);
    const std::int64_t wake_ns = has_barrier_ && !Parking::HeavyBarrier()
                                     ? std::min(deadline_ns, Parking::NowNs() + kUnfencedSliceNs)
                                     : deadline_ns;
    const bool is_due = has_work();
    if (!is_due) Parking::Wait(asleep_, kAsleep, wake_ns);
    for (BasicDoorbell* other : others) other->Disarm();
    Disarm();
    return is_due || has_work();
  }

  // Written by the sleeper (arming, disarming) and by ringers (waking); read by ringers. Guards
  // nothing: says whether a wake is needed. It is the futex word.
  alignas(kCacheLineBytes) typename Parking::template Atomic<std::uint32_t> asleep_{kAwake};
  // Writer: the sleeper, before it arms. Reader: the ringer that wakes it. Says where it sleeps.
  typename Parking::template Atomic<BasicDoorbell*> sleeper_{nullptr};
  // Constant after construction.
  const bool has_barrier_;
};

using Doorbell = BasicDoorbell<>;

static_assert(sizeof(Doorbell) == kCacheLineBytes && alignof(Doorbell) == kCacheLineBytes,
              "a bell shares its line with nothing: ringers poll it");

}  // namespace pawl::inline v0
