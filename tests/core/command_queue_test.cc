// P8, design §6: whose tickets the loop is given, and when.

#include "command_queue.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "test_seed.h"

namespace pawl {
namespace {

constexpr std::uint32_t kWindow = 2048;
constexpr std::uint32_t kTurnTickets = 256;

class CommandQueueTest : public ::testing::Test {
 protected:
  void MakeTokens(std::uint16_t count) {
    for (std::uint16_t i = 0; i < count; ++i) {
      tokens_.push_back(queue_.NewToken());
      ASSERT_NE(tokens_.back(), nullptr);
      waiting_.push_back(0);
    }
  }
  void Enqueue(std::uint16_t lane, std::uint32_t tickets) {
    for (std::uint32_t i = 0; i < tickets; ++i) {
      ASSERT_TRUE(queue_.TryEnqueue(*tokens_[lane], {.lane = lane, .count = 1}));
    }
    waiting_[lane] += tickets;
  }
  // A turn's tickets: how many of each lane.
  std::vector<std::uint32_t> Dequeue() {
    std::array<CommandQueue::Ticket, kTurnTickets> tickets;
    const std::size_t count = queue_.TryDequeue(tickets);
    std::vector<std::uint32_t> of_lane(tokens_.size());
    for (std::size_t i = 0; i < count; ++i) {
      ++of_lane[tickets[i].lane];
      --waiting_[tickets[i].lane];
    }
    return of_lane;
  }

  static constexpr std::uint16_t kLanes = 16;
  CommandQueue queue_{kWindow, kLanes};
  std::vector<CommandQueue::TokenPointer> tokens_;
  std::vector<std::uint32_t> waiting_;  // by lane
};

TEST_F(CommandQueueTest, NoTicketIsPassedByMoreThanATurnOfEachOtherLane) {
  std::mt19937_64 random(SeedOfTest());
  MakeTokens(kLanes);
  std::vector<std::uint32_t> passed(kLanes);  // since the lane had a ticket last, while one waits
  std::uint32_t worst = 0;
  for (int turn = 0; turn < 20'000; ++turn) {
    for (std::uint16_t lane = 0; lane < kLanes; ++lane) {
      // Some flood, some send now and then, and what they do changes.
      const std::uint32_t room = kWindow - waiting_[lane];
      const bool floods = (turn / 64 + lane) % 3 == 0;
      const std::uint32_t some = random() % 8 == 0 ? static_cast<std::uint32_t>(random() % 300) : 0;
      const std::uint32_t wanted = floods ? room : some;
      ASSERT_NO_FATAL_FAILURE(Enqueue(lane, std::min(room, wanted)));
    }
    std::vector<bool> had_some;
    for (const std::uint32_t tickets : waiting_) had_some.push_back(tickets != 0);
    const std::vector<std::uint32_t> taken = Dequeue();
    std::uint32_t all = 0;
    for (const std::uint32_t tickets : taken) all += tickets;
    for (std::uint16_t lane = 0; lane < kLanes; ++lane) {
      passed[lane] = had_some[lane] && taken[lane] == 0 ? passed[lane] + all : 0;
      worst = std::max(worst, passed[lane]);
    }
  }
  std::cout << "passed by " << worst << " at most\n";
  EXPECT_GT(worst, 0U);
  EXPECT_LE(worst, kTurnTickets * (kLanes - 1U));
}

TEST_F(CommandQueueTest, ALaneAloneIsGivenWholeTurnsInItsOrder) {
  MakeTokens(kLanes);
  for (std::uint16_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(queue_.TryEnqueue(*tokens_[7], {.lane = 7, .count = i}));
  }
  std::array<CommandQueue::Ticket, kTurnTickets> tickets;
  std::uint16_t next = 0;
  for (const std::size_t expected : {256U, 256U, 256U, 232U, 0U}) {
    ASSERT_EQ(queue_.TryDequeue(tickets), expected);
    for (std::size_t i = 0; i < expected; ++i) EXPECT_EQ(tickets[i].count, next++);
  }
}

TEST_F(CommandQueueTest, ALaneThatJoinsLaterIsVisitedToo) {
  MakeTokens(1);
  Enqueue(0, kWindow);
  Dequeue();
  MakeTokens(1);
  Enqueue(1, 1);
  EXPECT_EQ(Dequeue()[1] + Dequeue()[1], 1U);
}

}  // namespace
}  // namespace pawl
