#include <array>
#include <cstddef>
#include <iostream>

#include <gtest/gtest.h>

#include "exploration.h"
#include "pawl/doorbell.h"
#include "relacy_parking.h"

// Pairs of Doorbell, with the one outcome that all of them forbid:
//
//   R1 store work, R2 load asleep_ ↔ S1 exchange asleep_, S2 load work, by the barrier pair
//   R3 exchange asleep_ ↔ S1 exchange asleep_, acq_rel, without membarrier
//                                      FORBIDDEN: the work is there and the sleeper sleeps for ever
//
// Relacy calls it a deadlock.

namespace pawl::litmus {
namespace {

constexpr unsigned kSleeper = 0;

// Each ringer hands over `kItems` pieces of work, one after the other; the sleeper wants them all.
template <class Mutation, Barriers kBarriers, int kRingers, int kItems>
struct Ringing : rl::test_suite<Ringing<Mutation, kBarriers, kRingers, kItems>, 1 + kRingers> {
  using Parking = RelacyParking<Mutation, kBarriers, 1 + kRingers>;
  using Word = RelacyAtomic<int, Faithful>;

  typename Parking::Kernel kernel;
  BasicDoorbell<Parking> bell;
  std::array<Word, std::size_t{kRingers}> given;
  std::array<RelacyPlain<int>, std::size_t{kRingers}> work;

  int Given() {
    int sum = 0;
    for (Word& word : given) sum += word.load(std::memory_order_acquire);
    return sum;
  }

  void thread(unsigned index) {
    if (index != kSleeper) {
      const unsigned ringer = index - 1;
      for (int item = 1; item <= kItems; ++item) {
        if (item == 1) work[ringer] = 7;
        given[ringer].store(item, std::memory_order_release);
        bell.Ring();
      }
      return;
    }
    int taken = 0;
    while (taken < kRingers * kItems) {
      bell.Wait([&] { return Given() > taken; });
      taken = Given();
    }
    for (RelacyPlain<int>& piece : work) RL_ASSERT(piece.Get() == 7);
  }
};

using Order = std::memory_order;
using RelaxedRing = Weakened<Access::kExchange, Order::acq_rel, Order::relaxed, 1>;
using RelaxedArming = Weakened<Access::kExchange, Order::acq_rel, Order::relaxed, kSleeper>;

TEST(DoorbellLitmus, NoWakeUpIsLostInAnyExecutionOfOneRingAndOneSleep) {
  const Exploration all = ExploreAll<Ringing<Faithful, Barriers::kBoth, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoWakeUpIsLostInAnyExecutionWithoutMembarrier) {
  const Exploration all = ExploreAll<Ringing<Faithful, Barriers::kNoMembarrier, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoWakeUpOfTwoRingersIsLost) {
  const Exploration many = ExploreRandomly<Ringing<Faithful, Barriers::kBoth, 2, 2>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoWakeUpOfTwoRingersIsLostWithoutMembarrier) {
  const Exploration many =
      ExploreRandomly<Ringing<Faithful, Barriers::kNoMembarrier, 2, 2>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(DoorbellLitmus, WithoutTheSleepersBarrierAWakeUpIsLost) {
  EXPECT_EQ((ExploreRandomly<Ringing<Faithful, Barriers::kOnlyLight, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(DoorbellLitmus, WithoutTheRingersBarrierAWakeUpIsLost) {
  EXPECT_EQ((ExploreRandomly<Ringing<Faithful, Barriers::kOnlyHeavy, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(DoorbellLitmus, WithoutMembarrierARelaxedRingLosesAWakeUp) {
  EXPECT_EQ((ExploreRandomly<Ringing<RelaxedRing, Barriers::kNoMembarrier, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(DoorbellLitmus, WithoutMembarrierARelaxedArmingLosesAWakeUp) {
  EXPECT_EQ(
      (ExploreRandomly<Ringing<RelaxedArming, Barriers::kNoMembarrier, 1, 1>>(200'000).result),
      rl::test_result_deadlock);
}

}  // namespace
}  // namespace pawl::litmus
