#include <iostream>

#include <gtest/gtest.h>

#include "exploration.h"
#include "pawl/left_right.h"

// Pairs of LeftRight, each with the outcome that it forbids:
//
//   arrive  fetch_add, load visible_ ↔ store visible_, load counter, all seq_cst
//                                                     FORBIDDEN: the writer changes a copy in use
//   depart  fetch_sub release → load counter acquire  FORBIDDEN: a change shows in a read that
//   ended flip    store visible_ release → load acquire     FORBIDDEN: a copy is read before it is
//   whole

namespace pawl::litmus {
namespace {

constexpr unsigned kWriter = 0;

struct Cells {
  RelacyPlain<int> first;
  RelacyPlain<int> second;
};

// One writer, `kReaders` readers that read `kReads` times each. Relacy reports every access to a
// cell that races with a change, and the assertions see what a reader could see.
template <class Mutation, int kReaders, int kBatches, int kReads, std::size_t kStripes>
struct Reading
    : rl::test_suite<Reading<Mutation, kReaders, kBatches, kReads, kStripes>, 1 + kReaders> {
  LeftRight<Cells, RelacyAtomics<Mutation>, kStripes> pair;

  void Apply(int batch) {
    Cells* hidden = nullptr;
    while ((hidden = pair.TryBeginWrite()) == nullptr) rl::yield(1, $);
    hidden->first = batch;
    hidden->second = batch;
  }

  void thread(unsigned index) {
    if (index == kWriter) {
      for (int batch = 1; batch <= kBatches; ++batch) {
        Apply(batch);
        pair.Flip();
        Apply(batch);
      }
      return;
    }
    int last = 0;
    for (int read = 0; read < kReads; ++read) {
      const int now = pair.Read([](const Cells& cells) {
        const int first = cells.first.Get();
        RL_ASSERT(first == cells.second.Get());
        return first;
      });
      RL_ASSERT(now >= last);
      last = now;
    }
  }
};

template <class Mutation>
using Large = Reading<Mutation, 2, 2, 2, 2>;

using Order = std::memory_order;
using ArriveWithoutTotalOrder = Weakened<Access::kAdd, Order::seq_cst, Order::acq_rel>;
using LookWithoutTotalOrder =
    Weakened<Access::kLoad, Order::seq_cst, Order::acquire>;  // Readers' and the writer's.
using FlipWithoutTotalOrder = Weakened<Access::kStore, Order::seq_cst, Order::release>;
using DrainWithoutTotalOrder = Weakened<Access::kLoad, Order::seq_cst, Order::acquire, kWriter>;
using RelaxedDeparture = Weakened<Access::kSub, Order::release, Order::relaxed>;
using RelaxedFlip = Weakened<Access::kStore, Order::seq_cst, Order::relaxed>;

template <class Mutation>
rl::test_result_e MutantResult() {
  return ExploreRandomly<Large<Mutation>>(200'000).result;
}

TEST(LeftRightLitmus, NoForbiddenOutcomeInAnyExecutionOfTwoBatches) {
  const Exploration all = ExploreAll<Reading<Faithful, 1, 2, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(LeftRightLitmus, NoForbiddenOutcomeInAnyExecutionOfTwoReads) {
  const Exploration all = ExploreAll<Reading<Faithful, 1, 1, 2, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

// 7,472,336 executions: ten to twenty seconds.
TEST(LeftRightLitmus, NoForbiddenOutcomeInAnyExecutionOfTwoReaders) {
  const Exploration all = ExploreAll<Reading<Faithful, 2, 1, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(LeftRightLitmus, NoForbiddenOutcomeInManyExecutionsOfTwoReaders) {
  const Exploration many = ExploreRandomly<Large<Faithful>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(LeftRightLitmus, ArrivingWithoutTheTotalOrderLetsTheWriterChangeACopyInUse) {
  EXPECT_EQ(MutantResult<ArriveWithoutTotalOrder>(), rl::test_result_data_race);
}

TEST(LeftRightLitmus, LookingWithoutTheTotalOrderLetsTheWriterChangeACopyInUse) {
  EXPECT_EQ(MutantResult<LookWithoutTotalOrder>(), rl::test_result_data_race);
}

TEST(LeftRightLitmus, FlippingWithoutTheTotalOrderLetsTheWriterChangeACopyInUse) {
  EXPECT_EQ(MutantResult<FlipWithoutTotalOrder>(), rl::test_result_data_race);
}

TEST(LeftRightLitmus, DrainingWithoutTheTotalOrderLetsTheWriterChangeACopyInUse) {
  EXPECT_EQ(MutantResult<DrainWithoutTotalOrder>(), rl::test_result_data_race);
}

TEST(LeftRightLitmus, ARelaxedDepartureLetsAChangeShowInAReadThatEnded) {
  EXPECT_EQ(MutantResult<RelaxedDeparture>(), rl::test_result_data_race);
}

TEST(LeftRightLitmus, ARelaxedFlipLetsACopyBeReadBeforeItIsWhole) {
  EXPECT_EQ(MutantResult<RelaxedFlip>(), rl::test_result_data_race);
}

}  // namespace
}  // namespace pawl::litmus
