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
// hand work to an agent that is awake. A sleeper that has a loop of its own sleeps there, on a
// descriptor (eventfd) that the next ring makes readable: Watch() instead of Wait().
//
// Threads: Wait(), Watch() by one thread, the sleeper; Ring() by any thread.
// Lifetime: must outlive the last Ring().
// Ring() is wait-free: one relaxed load while the sleeper is awake, plus one exchange and one
// system call per sleep. Wait() blocks, Watch() does not. A sleeper without work makes no system
// call while it sleeps. Nothing allocates.
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
// Watch() is the same with another bit of the word: S1 sets kWatched, S3 is the caller's poll(2) of
// the descriptor, R4 writes to it. It is made unreadable (S0) before S1, so that S0 can swallow
// only an R4 whose R3 precedes this S1 in the modification order: then S1 acquires from that R3,
// and S2 sees its R1. An R4 that comes after S0 makes poll(2) return, at worst early. Who waits
// both ways is rung both ways: a Wait() between Watch() and poll(2) takes no ring away from it.
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
    const std::uint32_t before = asleep_.exchange(kAwake, std::memory_order_acq_rel);
    if ((before & kAsleep) != 0) WakeSleeper();
    if ((before & kWatched) != 0) Parking::Signal(event_fd_);
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

  // The descriptor that Ring() writes to: an eventfd that does not block. Once, before the first
  // Watch(); it stays open as long as the bell.
  //   threads      the sleeper only
  void SetEventFd(int event_fd) noexcept {
    PAWL_DCHECK(event_fd_ == kNoFd);
    event_fd_ = event_fd;
  }
  int event_fd() const noexcept { return event_fd_; }  // −1: none

  // Before the sleeper sleeps on the descriptor: from now on the next Ring(), and that one only,
  // makes it readable.
  //   has_work     bool() noexcept; reads the work with acquire
  //   returns      whether the caller may sleep; false: there is work, or the process lost
  //                membarrier (a sandbox closed later): look at the work, then call it again
  //   threads      the sleeper only; two system calls
  template <class HasWork>
  [[nodiscard]] bool Watch(HasWork&& has_work) noexcept {
    PAWL_DCHECK(event_fd_ != kNoFd);
    if (has_work()) return false;
    Parking::Drain(event_fd_);
    // Acquire: the work of a ringer that rang before, whose signal may just have been drained.
    // Release: continues the release sequence of ringers; event_fd_. Pairs with the exchange in
    // Ring().
    asleep_.fetch_or(kWatched, std::memory_order_acq_rel);
    const bool is_ordered = !has_barrier_ || Parking::HeavyBarrier();
    if (is_ordered && !has_work()) return true;
    // Saves a ringer's signal. Acquire, release: as above. Pairs with the exchange in Ring().
    asleep_.fetch_and(~kWatched, std::memory_order_acq_rel);
    return false;
  }

 private:
  // Bits of asleep_; kAwake: neither.
  static constexpr std::uint32_t kAwake = 0;
  static constexpr std::uint32_t kAsleep = 1;   // in Wait()
  static constexpr std::uint32_t kWatched = 2;  // elsewhere, or on the way there
  static constexpr int kNoFd = -1;

  // How late a wake-up may be in a process whose membarrier stopped working: as long as the sleep
  // of an idle strategy that polls.
  static constexpr std::int64_t kUnfencedSliceNs = 1'000'000;

  [[nodiscard]] static std::int64_t DeadlineAfter(std::int64_t timeout_ns) noexcept {
    if (timeout_ns < 0) return Parking::kNoDeadline;
    const std::int64_t now_ns = Parking::NowNs();
    return timeout_ns < Parking::kNoDeadline - now_ns ? now_ns + timeout_ns : Parking::kNoDeadline;
  }

  //   sleeper   the bell at which the thread sleeps; nullptr: this one
  //   returns   the word before
  std::uint32_t Arm(BasicDoorbell* sleeper) noexcept {
    // Relaxed: read only by a ringer that acquired the exchange below, or a later one.
    sleeper_.store(sleeper, std::memory_order_relaxed);
    // Acquire: the work of a ringer that rang before. Release: continues the release sequence of
    // ringers, see above. Pairs with the exchange in Ring().
    const std::uint32_t before = asleep_.fetch_or(kAsleep, std::memory_order_acq_rel);
    PAWL_DCHECK((before & kAsleep) == 0);  // A second sleeper.
    return before;
  }
  void Disarm() noexcept {
    // Not a store, which would break the release sequence of a ringer without membarrier. Acquire:
    // pairs with the exchange in Ring().
    asleep_.fetch_and(~kAsleep, std::memory_order_acq_rel);
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
    const std::uint32_t before = Arm(nullptr);
    for (BasicDoorbell* other : others) other->Arm(this);
    const std::int64_t wake_ns = has_barrier_ && !Parking::HeavyBarrier()
                                     ? std::min(deadline_ns, Parking::NowNs() + kUnfencedSliceNs)
                                     : deadline_ns;
    const bool is_due = has_work();
    // A word that lost a bit was rung.
    if (!is_due) Parking::Wait(asleep_, before | kAsleep, wake_ns);
    for (BasicDoorbell* other : others) other->Disarm();
    Disarm();
    return is_due || has_work();
  }

  // Written by the sleeper (arming, disarming) and by ringers (waking); read by ringers. Says
  // whether a wake is needed, and where; guards nothing but event_fd_. It is the futex word.
  alignas(kCacheLineBytes) typename Parking::template Atomic<std::uint32_t> asleep_{kAwake};
  // Writer: the sleeper, before it arms. Reader: the ringer that wakes it. Says where it sleeps.
  typename Parking::template Atomic<BasicDoorbell*> sleeper_{nullptr};
  // Constant after construction.
  const bool has_barrier_;
  // Sleeper's; constant once kWatched was set, without which ringers do not look at it.
  int event_fd_ = kNoFd;
};

using Doorbell = BasicDoorbell<>;

static_assert(sizeof(Doorbell) == kCacheLineBytes && alignof(Doorbell) == kCacheLineBytes,
              "a bell shares its line with nothing: ringers poll it");

}  // namespace pawl::inline v0
