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
//   the same with S1 fetch_or asleep_ of Watch(), whose sleep is a poll(2) of the descriptor
//   S0 drain of the descriptor ↔ R4 signal, by S1 ↔ R3
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

// A sleeper with a bell of its own and `kLent` others, which sleeps at its own: one ringer for
// each. `kEras` 2: the first bell is its own place to sleep for the first piece of work, as when a
// thread gets a second agent.
template <class Mutation, Barriers kBarriers, int kLent, int kItems, int kEras>
struct RingingLent
    : rl::test_suite<RingingLent<Mutation, kBarriers, kLent, kItems, kEras>, 1 + kLent> {
  using Parking = RelacyParking<Mutation, kBarriers, 1 + kLent>;
  using Bell = BasicDoorbell<Parking>;
  using Word = RelacyAtomic<int, Faithful>;

  typename Parking::Kernel kernel;
  Bell own;
  std::array<Bell, std::size_t{kLent}> lent;
  std::array<Word, std::size_t{kLent}> given;
  std::array<RelacyPlain<int>, std::size_t{kLent}> work;

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
        lent[ringer].Ring();
      }
      return;
    }
    std::array<Bell*, std::size_t{kLent}> others;
    for (std::size_t i = 0; i < others.size(); ++i) others[i] = &lent[i];
    int taken = 0;
    if (kEras == 2) {
      lent[0].Wait([&] { return given[0].load(std::memory_order_acquire) > 0; });
      taken = Given();
    }
    while (taken < kLent * kItems) {
      own.WaitWith(others, [&] { return Given() > taken; });
      taken = Given();
    }
    for (RelacyPlain<int>& piece : work) RL_ASSERT(piece.Get() == 7);
  }
};

// The same with a sleeper that has a loop of its own. If it `also_waits`, it sleeps for the first
// piece in Wait(), between Watch() and its own loop.
template <class Mutation, Barriers kBarriers, int kRingers, int kItems, bool kAlsoWaits = false>
struct Watching
    : rl::test_suite<Watching<Mutation, kBarriers, kRingers, kItems, kAlsoWaits>, 1 + kRingers> {
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
    bell.SetEventFd(0);
    int taken = 0;
    while (taken < kRingers * kItems) {
      const bool may_sleep = bell.Watch([&] { return Given() > taken; });
      if (may_sleep && kAlsoWaits) bell.Wait([&] { return Given() > taken; });
      if (may_sleep) Parking::WaitReadable();
      taken = Given();
    }
    for (RelacyPlain<int>& piece : work) RL_ASSERT(piece.Get() == 7);
  }
};

// Watch() with its steps in another order: the look before the arming, or the drain behind it.
enum class WrongOrder { kLookThenArm, kArmThenDrain };

template <class Parking, WrongOrder kOrder>
class WrongBell {
 public:
  void Ring() {
    Parking::LightBarrier();
    if (word_.load(std::memory_order_relaxed) == 0) return;
    if (word_.exchange(0, std::memory_order_acq_rel) != 0) Parking::Signal(0);
  }
  template <class HasWork>
  bool Watch(HasWork&& has_work) {
    if (has_work()) return false;
    if (kOrder == WrongOrder::kLookThenArm) Parking::Drain(0);
    word_.fetch_or(1, std::memory_order_acq_rel);
    static_cast<void>(Parking::HeavyBarrier());
    if (kOrder == WrongOrder::kLookThenArm) return true;
    const bool is_due = has_work();
    Parking::Drain(0);
    return !is_due;
  }

 private:
  typename Parking::Word word_{0};
};

template <WrongOrder kOrder>
struct WrongWatching : rl::test_suite<WrongWatching<kOrder>, 2> {
  using Parking = RelacyParking<Faithful, Barriers::kBoth, 2>;

  typename Parking::Kernel kernel;
  WrongBell<Parking, kOrder> bell;
  RelacyAtomic<int, Faithful> given{0};

  void thread(unsigned index) {
    const auto is_given = [this] { return given.load(std::memory_order_acquire) != 0; };
    if (index != kSleeper) {
      given.store(1, std::memory_order_release);
      bell.Ring();
      return;
    }
    while (!is_given()) {
      if (bell.Watch(is_given)) Parking::WaitReadable();
    }
  }
};

using Order = std::memory_order;
using RelaxedRing = Weakened<Access::kExchange, Order::acq_rel, Order::relaxed, 1>;
using RelaxedArming = Weakened<Access::kOr, Order::acq_rel, Order::relaxed, kSleeper>;

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

TEST(DoorbellLitmus, NoWakeUpByALentBellIsLostInAnyExecutionOfOneRingAndOneSleep) {
  const Exploration all = ExploreAll<RingingLent<Faithful, Barriers::kBoth, 1, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoWakeUpByTwoLentBellsIsLost) {
  const Exploration many =
      ExploreRandomly<RingingLent<Faithful, Barriers::kBoth, 2, 2, 1>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoWakeUpByTwoLentBellsIsLostWithoutMembarrier) {
  const Exploration many =
      ExploreRandomly<RingingLent<Faithful, Barriers::kNoMembarrier, 2, 2, 1>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoWakeUpIsLostByABellThatIsLentAfterASleepAtIt) {
  for (const auto explore :
       {&ExploreRandomly<RingingLent<Faithful, Barriers::kBoth, 2, 2, 2>>,
        &ExploreRandomly<RingingLent<Faithful, Barriers::kNoMembarrier, 2, 2, 2>>}) {
    const Exploration many = explore(200'000);
    std::cout << many;
    EXPECT_EQ(many.result, rl::test_result_success);
  }
}

TEST(DoorbellLitmus, ALentBellWithoutTheSleepersBarrierLosesAWakeUp) {
  EXPECT_EQ((ExploreRandomly<RingingLent<Faithful, Barriers::kOnlyLight, 1, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(DoorbellLitmus, WithoutMembarrierARelaxedRingOfALentBellLosesAWakeUp) {
  EXPECT_EQ(
      (ExploreRandomly<RingingLent<RelaxedRing, Barriers::kNoMembarrier, 1, 1, 1>>(200'000).result),
      rl::test_result_deadlock);
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

TEST(DoorbellLitmus, NoSignalIsLostInAnyExecutionOfOneRingAndOneWatch) {
  const Exploration all = ExploreAll<Watching<Faithful, Barriers::kBoth, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoSignalIsLostInAnyExecutionWithoutMembarrier) {
  const Exploration all = ExploreAll<Watching<Faithful, Barriers::kNoMembarrier, 1, 1>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoSignalOfTwoRingersIsLost) {
  const Exploration many = ExploreRandomly<Watching<Faithful, Barriers::kBoth, 2, 2>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(DoorbellLitmus, NoSignalOfTwoRingersIsLostWithoutMembarrier) {
  const Exploration many =
      ExploreRandomly<Watching<Faithful, Barriers::kNoMembarrier, 2, 2>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(DoorbellLitmus, AWaitTakesNoSignalAwayFromAWatch) {
  const Exploration many =
      ExploreRandomly<Watching<Faithful, Barriers::kBoth, 1, 3, true>>(200'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(DoorbellLitmus, WithoutTheWatchersBarrierASignalIsLost) {
  EXPECT_EQ((ExploreRandomly<Watching<Faithful, Barriers::kOnlyLight, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(DoorbellLitmus, WithoutTheRingersBarrierASignalIsLost) {
  EXPECT_EQ((ExploreRandomly<Watching<Faithful, Barriers::kOnlyHeavy, 1, 1>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(DoorbellLitmus, WithoutMembarrierARelaxedWatchLosesASignal) {
  EXPECT_EQ(
      (ExploreRandomly<Watching<RelaxedArming, Barriers::kNoMembarrier, 1, 1>>(200'000).result),
      rl::test_result_deadlock);
}

TEST(DoorbellLitmus, ALookBeforeTheArmingLosesASignal) {
  EXPECT_EQ((ExploreRandomly<WrongWatching<WrongOrder::kLookThenArm>>(200'000).result),
            rl::test_result_deadlock);
}

TEST(DoorbellLitmus, ADrainBehindTheLookSwallowsASignal) {
  EXPECT_EQ((ExploreRandomly<WrongWatching<WrongOrder::kArmThenDrain>>(200'000).result),
            rl::test_result_deadlock);
}

}  // namespace
}  // namespace pawl::litmus
