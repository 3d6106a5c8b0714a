// How the loop finds slow commands on a thread of its own, without a clock for each.

#include "turn_pace.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "fake_clock.h"

namespace pawl {
namespace {

constexpr std::uint32_t kTurnMax = 256;
constexpr std::uint64_t kBudgetNs = 50'000;

class TurnPaceTest : public ::testing::Test {
 protected:
  // A turn of commands of one type that take `each_ns`, but for one of another type that takes
  // `slow_ns`. Returns how many slices it took.
  int Turn(std::uint32_t count, std::uint64_t each_ns, std::uint64_t slow_ns = 0,
           const Deadline* deadline = nullptr) {
    std::vector<CommandSlot> slots(count);
    for (CommandSlot& slot : slots) slot.type = 1;
    slots.back().type = slow_ns != 0 ? 2 : 1;
    pace_.BeginTurn(deadline, clock_.boot_ns);
    int slices = 0;
    decided_ = 0;
    for (bool goes_on = true; goes_on && decided_ < count; ++slices) {
      const std::uint32_t size = std::min(pace_.left(), count - decided_);
      const std::span<const CommandSlot> run = std::span(slots).subspan(decided_, size);
      for (const CommandSlot& slot : run) clock_.Advance(slot.type == 2 ? slow_ns : each_ns);
      decided_ += size;
      goes_on = pace_.GoesOn(run);
    }
    pace_.EndCommands();
    pace_.EndTurn();
    return slices;
  }
  Deadline After(std::uint64_t ns) { return Deadline(clock_, clock_.boot_ns + ns); }

  FakeClock clock_;
  TurnPace pace_{clock_, kTurnMax, kBudgetNs};
  std::uint32_t decided_ = 0;
};

TEST_F(TurnPaceTest, AQuickTurnIsOneSlice) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Turn(kTurnMax, 195), 1);
  EXPECT_EQ(pace_.slow_turns(), 0U);
}

TEST_F(TurnPaceTest, ASlowTurnIsCountedAndTheNextOnesAreSearched) {
  EXPECT_EQ(Turn(10, 100, kBudgetNs), 1);
  EXPECT_EQ(pace_.slow_turns(), 1U);
  EXPECT_EQ(pace_.found().count, 0U);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(Turn(10, 100, i == 7 ? 2 * kBudgetNs : 0), 10) << i;
  EXPECT_EQ(pace_.found().count, 1U);
  EXPECT_EQ(pace_.found().longest_ns, 2 * kBudgetNs);
  EXPECT_EQ(pace_.found().type, 2);
  EXPECT_EQ(Turn(10, 100), 1) << "the search is over";
}

TEST_F(TurnPaceTest, ACommandThatWasAloneInASlowTurnIsNamedAtOnce) {
  EXPECT_EQ(Turn(1, kBudgetNs), 1);
  EXPECT_EQ(pace_.found().count, 0U) << "its budget";
  Turn(1, 0, kBudgetNs + 1);
  EXPECT_EQ(pace_.slow_turns(), 1U);
  EXPECT_EQ(pace_.found().count, 1U);
  EXPECT_EQ(pace_.found().longest_ns, kBudgetNs + 1);
  EXPECT_EQ(pace_.found().type, 2);
  // Also while no search is due, which is longer and longer if searches find nothing.
  for (int i = 0; i < 10'000; ++i) Turn(kTurnMax, 1'000);
  std::uint64_t found = pace_.found().count;
  Turn(1, 3 * kBudgetNs);
  EXPECT_EQ(pace_.found().count, ++found);
  EXPECT_EQ(pace_.found().longest_ns, 3 * kBudgetNs);
  EXPECT_EQ(pace_.found().type, 1);
  Turn(2, 0, 4 * kBudgetNs);
  EXPECT_EQ(pace_.found().count, found) << "one of two: not known which";
}

TEST_F(TurnPaceTest, TheSlowestIsRememberedAndAllAreCounted) {
  Turn(1, 2 * kBudgetNs);
  Turn(3, kBudgetNs + 1);
  Turn(2, 10, 3 * kBudgetNs);
  Turn(2, kBudgetNs + 2);
  EXPECT_EQ(pace_.found().count, 7U);
  EXPECT_EQ(pace_.found().longest_ns, 3 * kBudgetNs);
  EXPECT_EQ(pace_.found().type, 2);
}

// Many commands that are quick by themselves: looking for a slow one is soon given up.
TEST_F(TurnPaceTest, SearchesThatFindNothingGetRarer) {
  std::vector<int> between;  // slow turns before each search
  int rests = 0;
  int searches = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (Turn(kTurnMax, 1'000) == 1) {
      ++rests;
    } else if (++searches % 16 == 1) {
      between.push_back(rests);
      rests = 0;
    }
  }
  ASSERT_GE(between.size(), 6U);
  EXPECT_EQ(std::vector<int>(between.begin(), between.begin() + 6),
            (std::vector<int>{1, 2, 4, 8, 16, 32}));
  EXPECT_LE(between.size(), 13U);
}

TEST_F(TurnPaceTest, ASearchThatFoundSomethingIsRepeatedAtTheNextSlowTurn) {
  Turn(1, 2 * kBudgetNs);
  for (int i = 0; i < 16; ++i) Turn(1, 2 * kBudgetNs);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Turn(4, 10), 1) << "quick ones are left alone";
  EXPECT_EQ(Turn(4, 2 * kBudgetNs), 1);
  EXPECT_EQ(Turn(4, 10), 4);
}

TEST_F(TurnPaceTest, WithADeadlineSlicesGrowWhileTheyAreQuick) {
  std::vector<int> slices;
  for (int i = 0; i < 6; ++i) {
    const Deadline deadline = After(FakeClock::kSecond);
    slices.push_back(Turn(kTurnMax, 1, 0, &deadline));
    EXPECT_EQ(decided_, kTurnMax);
  }
  // 16 + 32 + 64 + 128 + 16; a last slice that is not whole makes none larger.
  EXPECT_EQ(slices, (std::vector<int>{5, 1, 1, 1, 1, 1}));
}

TEST_F(TurnPaceTest, WithADeadlineASliceOfSlowOnesShrinksToWhatFits) {
  const Deadline far = After(FakeClock::kSecond);
  Turn(kTurnMax, 500, 0, &far);
  EXPECT_EQ(pace_.left(), 8U) << "4 µs of 500 ns";
  Turn(kTurnMax, 100'000, 0, &far);
  EXPECT_EQ(pace_.left(), 1U);
  Turn(kTurnMax, 1'000, 0, &far);
  EXPECT_EQ(pace_.left(), 4U) << "2 µs are half of it, 4 are not";
}

TEST_F(TurnPaceTest, ADeadlineEndsTheTurn) {
  const Deadline near = After(10'000);
  Turn(kTurnMax, 500, 0, &near);
  EXPECT_EQ(decided_, 24U) << "16, then 8";
  const Deadline over = After(0);
  EXPECT_EQ(Turn(kTurnMax, 500, 0, &over), 1) << "one slice whatever it says";
  EXPECT_EQ(decided_, 8U);
}

TEST_F(TurnPaceTest, WithoutABudgetNothingIsTimed) {
  TurnPace pace(clock_, kTurnMax, 0);
  std::vector<CommandSlot> slots(10);
  for (int i = 0; i < 3; ++i) {
    pace.BeginTurn(nullptr, clock_.boot_ns);
    EXPECT_EQ(pace.left(), kTurnMax);
    clock_.Advance(FakeClock::kSecond);
    EXPECT_TRUE(pace.GoesOn(slots));
    pace.EndCommands();
    pace.EndTurn();
  }
  EXPECT_EQ(pace.slow_turns(), 0U);
}

}  // namespace
}  // namespace pawl
