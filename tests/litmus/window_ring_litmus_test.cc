#include <cstddef>
#include <cstdint>
#include <iostream>

#include <gtest/gtest.h>

#include "completion_ring.h"
#include "exploration.h"
#include "window_ring.h"

// The way of a command and of its receipt back: WindowRing has no atomics of its own, so what
// orders its slots is the ticket on the way in and the completion on the way back. Pairs, each with
// the outcomes that it forbids:
//
//   ticket   enqueue release → dequeue acquire          FORBIDDEN: a command is decided before it
//                                                       is whole; a receipt is written again while
//                                                       the one before is read
//   credit   CompletionRing's Publish() release →       FORBIDDEN: a slot is written again while
//            Poll() acquire                             its command is decided; a receipt is read
//                                                       before it is whole

namespace pawl::litmus {
namespace {

constexpr unsigned kLoop = 0;
constexpr unsigned kProducer = 1;

// What the rings carry. One at a time can be explored whole.
enum class Slots { kCommands, kReceipts, kBoth };

// A window of kWindow and kCommands commands; the counter stands for the queue of tickets.
template <class Mutation, Slots kSlots, std::size_t kWindow, std::uint64_t kCommands>
struct RoundTrip : rl::test_suite<RoundTrip<Mutation, kSlots, kWindow, kCommands>, 2> {
  static constexpr bool kHasCommands = kSlots != Slots::kReceipts;
  static constexpr bool kHasReceipts = kSlots != Slots::kCommands;

  WindowRing<RelacyPlain<int>> commands{kWindow};
  WindowRing<RelacyPlain<int>> receipts{kWindow};
  CompletionRing<int, RelacyAtomics<Mutation>> completions{kWindow};
  RelacyAtomic<std::uint64_t, Mutation> tickets{0};

  void thread(unsigned index) {
    if (index == kLoop) {
      Decide();
    } else {
      Produce();
    }
  }

  void Decide() {
    for (std::uint64_t decided = 0; decided < kCommands; ++decided) {
      while (tickets.load(std::memory_order_acquire) == decided) rl::yield(1, $);
      const int number = static_cast<int>(decided) + 1;
      if constexpr (kHasCommands) {
        const int command = commands.At(decided).Get();
        RL_ASSERT(command == number);
      }
      if constexpr (kHasReceipts) receipts.At(decided).Set(number);
      completions.Push(number);
      completions.Publish();
    }
  }

  void Produce() {
    std::uint64_t sent = 0;
    for (std::uint64_t polled = 0; polled < kCommands;) {
      if (sent < kCommands && sent - polled < kWindow) {
        if constexpr (kHasCommands) commands.At(sent).Set(static_cast<int>(sent) + 1);
        tickets.store(++sent, std::memory_order_release);
        continue;
      }
      const std::size_t count = completions.Poll([](int) {}, kWindow);
      for (std::size_t i = 0; i < count; ++i, ++polled) {
        if constexpr (!kHasReceipts) continue;
        const int receipt = receipts.At(polled).Get();
        RL_ASSERT(receipt == static_cast<int>(polled) + 1);
      }
      if (count == 0) rl::yield(1, $);
    }
  }
};

template <Access kAccess, std::memory_order kFrom, unsigned kThread>
using Relaxed = Weakened<kAccess, kFrom, std::memory_order_relaxed, kThread>;

using RelaxedTicket = Relaxed<Access::kStore, std::memory_order_release, kProducer>;
using RelaxedLookAtTickets = Relaxed<Access::kLoad, std::memory_order_acquire, kLoop>;
using RelaxedCredit = Relaxed<Access::kStore, std::memory_order_release, kLoop>;
using RelaxedLookAtCredits = Relaxed<Access::kLoad, std::memory_order_acquire, kProducer>;

TEST(WindowRingLitmus, NoForbiddenOutcomeInAnyExecutionOfTwoCommands) {
  const Exploration all = ExploreAll<RoundTrip<Faithful, Slots::kCommands, 1, 2>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(WindowRingLitmus, NoForbiddenOutcomeInManyLongRoundTrips) {
  const Exploration many = ExploreRandomly<RoundTrip<Faithful, Slots::kBoth, 2, 7>>(300'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

// The slots that each weakened access leaves unguarded.
template <class Mutation, Slots kSlots>
rl::test_result_e ResultOf() {
  return ExploreRandomly<RoundTrip<Mutation, kSlots, 1, 2>>(10'000).result;
}

TEST(WindowRingLitmus, ARelaxedTicketLetsACommandBeDecidedBeforeItIsWhole) {
  EXPECT_EQ((ResultOf<RelaxedTicket, Slots::kCommands>()), rl::test_result_data_race);
}

TEST(WindowRingLitmus, ARelaxedLookAtTheTicketsLetsACommandBeDecidedBeforeItIsWhole) {
  EXPECT_EQ((ResultOf<RelaxedLookAtTickets, Slots::kCommands>()), rl::test_result_data_race);
}

TEST(WindowRingLitmus, ARelaxedTicketLetsAReceiptBeWrittenWhileTheOneBeforeIsRead) {
  EXPECT_EQ((ResultOf<RelaxedTicket, Slots::kReceipts>()), rl::test_result_data_race);
}

TEST(WindowRingLitmus, ARelaxedCreditLetsASlotBeWrittenWhileItsCommandIsDecided) {
  EXPECT_EQ((ResultOf<RelaxedCredit, Slots::kCommands>()), rl::test_result_data_race);
}

TEST(WindowRingLitmus, ARelaxedLookAtTheCreditsLetsASlotBeWrittenWhileItsCommandIsDecided) {
  EXPECT_EQ((ResultOf<RelaxedLookAtCredits, Slots::kCommands>()), rl::test_result_data_race);
}

TEST(WindowRingLitmus, ARelaxedCreditLetsAReceiptBeReadBeforeItIsWhole) {
  EXPECT_EQ((ResultOf<RelaxedCredit, Slots::kReceipts>()), rl::test_result_data_race);
}

TEST(WindowRingLitmus, ARelaxedLookAtTheTicketsLetsAReceiptBeWrittenWhileTheOneBeforeIsRead) {
  EXPECT_EQ((ResultOf<RelaxedLookAtTickets, Slots::kReceipts>()), rl::test_result_data_race);
}

TEST(WindowRingLitmus, ARelaxedLookAtTheCreditsLetsAReceiptBeReadBeforeItIsWhole) {
  EXPECT_EQ((ResultOf<RelaxedLookAtCredits, Slots::kReceipts>()), rl::test_result_data_race);
}

}  // namespace
}  // namespace pawl::litmus
