#include <cstddef>
#include <cstdint>
#include <iostream>

#include <gtest/gtest.h>

#include "command_ring.h"
#include "completion_ring.h"
#include "exploration.h"

// The way of a command and back: CommandRing has no atomics of its own, so what orders its slots is
// the ticket on the way in and the completion on the way back. Pairs, each with the outcome that it
// forbids:
//
//   ticket   enqueue release → dequeue acquire          FORBIDDEN: a command is decided before it
//                                                       is whole
//   credit   CompletionRing's Publish() release →       FORBIDDEN: a slot is written again while
//            Poll() acquire                             its command is decided

namespace pawl::litmus {
namespace {

constexpr unsigned kLoop = 0;
constexpr unsigned kProducer = 1;

// A window of kWindow and kCommands commands; the counter stands for the queue of tickets.
template <class Mutation, std::size_t kWindow, std::uint64_t kCommands>
struct RoundTrip : rl::test_suite<RoundTrip<Mutation, kWindow, kCommands>, 2> {
  CommandRing<RelacyPlain<int>> commands{kWindow};
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
      const int command = commands.At(decided).Get();
      RL_ASSERT(command == static_cast<int>(decided) + 1);
      completions.Push(command);
      completions.Publish();
    }
  }

  void Produce() {
    std::uint64_t sent = 0;
    for (std::uint64_t polled = 0; polled < kCommands;) {
      if (sent < kCommands && sent - polled < kWindow) {
        commands.At(sent).Set(static_cast<int>(sent) + 1);
        tickets.store(++sent, std::memory_order_release);
        continue;
      }
      const std::size_t count = completions.Poll([](int) {}, kWindow);
      polled += count;
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

TEST(CommandRingLitmus, NoForbiddenOutcomeInAnyExecutionOfTwoCommands) {
  const Exploration all = ExploreAll<RoundTrip<Faithful, 1, 2>>();
  std::cout << all;
  EXPECT_EQ(all.result, rl::test_result_success);
}

TEST(CommandRingLitmus, NoForbiddenOutcomeInManyLongRoundTrips) {
  const Exploration many = ExploreRandomly<RoundTrip<Faithful, 2, 7>>(100'000);
  std::cout << many;
  EXPECT_EQ(many.result, rl::test_result_success);
}

TEST(CommandRingLitmus, ARelaxedTicketLetsACommandBeDecidedBeforeItIsWhole) {
  EXPECT_EQ((ExploreRandomly<RoundTrip<RelaxedTicket, 1, 2>>(10'000).result),
            rl::test_result_data_race);
}

TEST(CommandRingLitmus, ARelaxedLookAtTheTicketsLetsACommandBeDecidedBeforeItIsWhole) {
  EXPECT_EQ((ExploreRandomly<RoundTrip<RelaxedLookAtTickets, 1, 2>>(10'000).result),
            rl::test_result_data_race);
}

TEST(CommandRingLitmus, ARelaxedCreditLetsASlotBeWrittenWhileItsCommandIsDecided) {
  EXPECT_EQ((ExploreRandomly<RoundTrip<RelaxedCredit, 1, 2>>(10'000).result),
            rl::test_result_data_race);
}

TEST(CommandRingLitmus, ARelaxedLookAtTheCreditsLetsASlotBeWrittenWhileItsCommandIsDecided) {
  EXPECT_EQ((ExploreRandomly<RoundTrip<RelaxedLookAtCredits, 1, 2>>(10'000).result),
            rl::test_result_data_race);
}

}  // namespace
}  // namespace pawl::litmus
