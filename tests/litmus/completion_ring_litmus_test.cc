#include <cstddef>
#include <iostream>

#include <gtest/gtest.h>

#include "completion_ring.h"
#include "exploration.h"

// Pairs of CompletionRing, each with the outcome that it forbids:
//
//   tail   Publish() release → Available() acquire     FORBIDDEN: an item is polled before it is
//   whole head   Poll() release → HasRoom() acquire          FORBIDDEN: a slot is reused while it
//   is read

namespace pawl::litmus {
namespace {

constexpr unsigned kLoop = 0;
constexpr unsigned kProducer = 1;

// One slot and three items: every push but the first reuses the slot of the item before.
template <class Mutation, std::size_t kCapacity, int kItems>
struct Transfer : rl::test_suite<Transfer<Mutation, kCapacity, kItems>, 2> {
  CompletionRing<int, RelacyAtomics<Mutation>> ring{kCapacity};

  void thread(unsigned index) {
    if (index == kLoop) {
      for (int item = 1; item <= kItems; ++item) {
        while (!ring.HasRoom()) rl::yield(1, $);
        ring.Push(item);
        ring.Publish();
      }
      return;
    }
    int expected = 1;
    while (expected <= kItems) {
      const std::size_t count =
          ring.Poll([&](int item) { RL_ASSERT(item == expected++); }, kCapacity);
      if (count == 0) rl::yield(1, $);
    }
  }
};

// All staged items of one Publish() appear together.
template <class Mutation>
struct Burst : rl::test_suite<Burst<Mutation>, 2> {
  CompletionRing<int, RelacyAtomics<Mutation>> ring{2};

  void thread(unsigned index) {
    if (index == kLoop) {
      ring.Push(1);
      ring.Push(2);
      ring.Publish();
      return;
    }
    const std::size_t seen = ring.size();
    RL_ASSERT(seen == 0 || seen == 2);
    int expected = 1;
    ring.Poll([&](int item) { RL_ASSERT(item == expected++); }, 2);
  }
};

template <Access kAccess, std::memory_order kFrom, unsigned kThread>
using Relaxed = Weakened<kAccess, kFrom, std::memory_order_relaxed, kThread>;

using RelaxedPublish = Relaxed<Access::kStore, std::memory_order_release, kLoop>;
using RelaxedLookAtTail = Relaxed<Access::kLoad, std::memory_order_acquire, kProducer>;
using RelaxedFree = Relaxed<Access::kStore, std::memory_order_release, kProducer>;
using RelaxedLookAtHead = Relaxed<Access::kLoad, std::memory_order_acquire, kLoop>;

TEST(CompletionRingLitmus, NoForbiddenOutcomeInAnyExecutionOfABurst) {
  const Exploration all = ExploreAll<Burst<Faithful>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(CompletionRingLitmus, NoForbiddenOutcomeInAnyExecutionOfATransfer) {
  const Exploration all = ExploreAll<Transfer<Faithful, 1, 2>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(CompletionRingLitmus, NoForbiddenOutcomeInManyLongTransfers) {
  const Exploration many = ExploreRandomly<Transfer<Faithful, 2, 7>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(CompletionRingLitmus, ARelaxedPublishLetsAnItemBePolledBeforeItIsWhole) {
  EXPECT_EQ((ExploreRandomly<Transfer<RelaxedPublish, 1, 2>>(10'000).result),
            rl::test_result_data_race);
}

TEST(CompletionRingLitmus, ARelaxedLookAtTheTailLetsAnItemBePolledBeforeItIsWhole) {
  EXPECT_EQ((ExploreRandomly<Transfer<RelaxedLookAtTail, 1, 2>>(10'000).result),
            rl::test_result_data_race);
}

TEST(CompletionRingLitmus, ARelaxedFreeLetsASlotBeReusedWhileItIsRead) {
  EXPECT_EQ((ExploreRandomly<Transfer<RelaxedFree, 1, 2>>(10'000).result),
            rl::test_result_data_race);
}

TEST(CompletionRingLitmus, ARelaxedLookAtTheHeadLetsASlotBeReusedWhileItIsRead) {
  EXPECT_EQ((ExploreRandomly<Transfer<RelaxedLookAtHead, 1, 2>>(10'000).result),
            rl::test_result_data_race);
}

}  // namespace
}  // namespace pawl::litmus
