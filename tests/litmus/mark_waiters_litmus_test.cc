#include <iostream>

#include <gtest/gtest.h>

#include "exploration.h"
#include "pawl/mark_waiters.h"
#include "relacy_parking.h"

// Pairs of MarkWaiters, with the one outcome that all of them forbid:
//
//   N1 store mark, N2 load word_ ↔ W1 fetch_or word_, W2 load mark, by the barrier pair
//   N2 fetch_or word_ ↔ W1 fetch_or word_, acq_rel, without membarrier
//                                 FORBIDDEN: the mark is reached and the waiter sleeps for ever
//
// Relacy calls it a deadlock.

namespace pawl::litmus {
namespace {

constexpr unsigned kNotifier = 0;

// The notifier moves the mark from 1 to kLast; waiter w wants w first, then kLast.
template <class Mutation, Barriers kBarriers, int kWaiters, int kLast>
struct Waiting : rl::test_suite<Waiting<Mutation, kBarriers, kWaiters, kLast>, 1 + kWaiters> {
  using Parking = RelacyParking<Mutation, kBarriers, 1 + kWaiters>;

  typename Parking::Kernel kernel;
  BasicMarkWaiters<Parking> waiters;
  RelacyAtomic<int, Faithful> mark{0};
  RelacyPlain<int> content;

  void thread(unsigned index) {
    if (index == kNotifier) {
      content = 7;
      for (int value = 1; value <= kLast; ++value) {
        mark.store(value, std::memory_order_release);
        waiters.Notify();
      }
      return;
    }
    WaitFor(static_cast<int>(index));
    if (kLast > static_cast<int>(index)) WaitFor(kLast);
    RL_ASSERT(content.Get() == 7);
  }

  void WaitFor(int wanted) {
    const bool is_reached = waiters.WaitUntil(
        [&] { return mark.load(std::memory_order_acquire) >= wanted; }, Parking::kNoDeadline);
    RL_ASSERT(is_reached);
  }
};

// Without the count in the word: a waiter that arms it again restores the value that another one,
// on its way to sleep, has already seen.
template <class Parking>
class WithoutCount {
 public:
  void Notify() {
    Parking::LightBarrier();
    if (word_.load(std::memory_order_relaxed) == 0) return;
    word_.exchange(0, std::memory_order_acq_rel);
    Parking::Wake(word_, 2);
  }
  template <class Reached>
  void Wait(Reached&& reached) {
    while (!reached()) {
      word_.exchange(1, std::memory_order_acq_rel);
      static_cast<void>(Parking::HeavyBarrier());
      if (!reached()) Parking::Wait(word_, 1, Parking::kNoDeadline);
    }
  }

 private:
  typename Parking::Word word_{0};
};

struct TwoWaitersWithoutCount : rl::test_suite<TwoWaitersWithoutCount, 3> {
  using Parking = RelacyParking<Faithful, Barriers::kBoth, 3>;

  Parking::Kernel kernel;
  WithoutCount<Parking> waiters;
  RelacyAtomic<int, Faithful> mark{0};
  RelacyAtomic<int, Faithful> first_is_back{0};

  void thread(unsigned index) {
    if (index == 1) {
      waiters.Wait([&] { return mark.load(std::memory_order_acquire) >= 1; });
      first_is_back.store(1, std::memory_order_release);
      return;
    }
    if (index == 2) {
      waiters.Wait([&] { return mark.load(std::memory_order_acquire) >= 2; });
      return;
    }
    mark.store(1, std::memory_order_release);
    waiters.Notify();
    // The mark stands still until the first waiter has seen it, as it does when the loop is idle.
    while (first_is_back.load(std::memory_order_acquire) == 0) rl::yield(1, $);
    mark.store(2, std::memory_order_release);
    waiters.Notify();
  }
};

using Order = std::memory_order;
using RelaxedArming = Weakened<Access::kOr, Order::acq_rel, Order::relaxed, 1>;
using RelaxedLook = Weakened<Access::kOr, Order::acq_rel, Order::relaxed, kNotifier>;

TEST(MarkWaitersLitmus, NobodyIsForgottenInAnyExecutionOfOneWaiter) {
  const Exploration all = ExploreAll<Waiting<Faithful, Barriers::kBoth, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(MarkWaitersLitmus, NobodyIsForgottenInAnyExecutionWithoutMembarrier) {
  const Exploration all = ExploreAll<Waiting<Faithful, Barriers::kNoMembarrier, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(MarkWaitersLitmus, NoneOfTwoWaitersIsForgotten) {
  const Exploration many = ExploreRandomly<Waiting<Faithful, Barriers::kBoth, 2, 3>>(300'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(MarkWaitersLitmus, NoneOfTwoWaitersIsForgottenWithoutMembarrier) {
  const Exploration many =
      ExploreRandomly<Waiting<Faithful, Barriers::kNoMembarrier, 2, 3>>(300'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(MarkWaitersLitmus, WithoutTheWaitersBarrierOneIsForgotten) {
  EXPECT_EQ((ExploreRandomly<Waiting<Faithful, Barriers::kOnlyLight, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(MarkWaitersLitmus, WithoutTheNotifiersBarrierOneIsForgotten) {
  EXPECT_EQ((ExploreRandomly<Waiting<Faithful, Barriers::kOnlyHeavy, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(MarkWaitersLitmus, WithoutMembarrierARelaxedArmingForgetsOne) {
  EXPECT_EQ(
      (ExploreRandomly<Waiting<RelaxedArming, Barriers::kNoMembarrier, 1, 1>>(200'000).result),
      rl::test_result_deadlock);
}

TEST(MarkWaitersLitmus, WithoutMembarrierARelaxedLookForgetsOne) {
  EXPECT_EQ((ExploreRandomly<Waiting<RelaxedLook, Barriers::kNoMembarrier, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(MarkWaitersLitmus, WithoutTheCountAnotherWaiterHidesTheNotification) {
  const rl::test_result_e result = ExploreRandomly<TwoWaitersWithoutCount>(500'000).result;
  // Relacy sees the notifier wait for ever for the waiter that sleeps for ever.
  EXPECT_TRUE(result == rl::test_result_deadlock || result == rl::test_result_livelock) << result;
}

}  // namespace
}  // namespace pawl::litmus
