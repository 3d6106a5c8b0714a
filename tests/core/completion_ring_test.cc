#include "completion_ring.h"

#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace pawl {
namespace {

struct Item {
  std::uint64_t sequence;
  std::uint64_t twice;
  std::uint64_t thrice;
  std::uint64_t inverse;
};

Item ItemOf(std::uint64_t sequence) {
  return {
      .sequence = sequence, .twice = 2 * sequence, .thrice = 3 * sequence, .inverse = ~sequence};
}

bool IsWhole(const Item& item) {
  return item.twice == 2 * item.sequence && item.thrice == 3 * item.sequence &&
         item.inverse == ~item.sequence;
}

std::vector<std::uint64_t> PollAll(CompletionRing<Item>& ring, std::size_t items_max) {
  std::vector<std::uint64_t> sequences;
  ring.Poll([&](const Item& item) noexcept { sequences.push_back(item.sequence); }, items_max);
  return sequences;
}

// The sequence of the item `ahead`; 0 if there is none.
std::uint64_t PeekSequence(CompletionRing<Item>& ring, std::size_t ahead) {
  const Item* const item = ring.Peek(ahead);
  return item == nullptr ? 0 : item->sequence;
}

using Sequences = std::vector<std::uint64_t>;

TEST(CompletionRingTest, IsEmptyAtFirst) {
  CompletionRing<Item> ring(4);
  EXPECT_EQ(ring.capacity(), 4U);
  EXPECT_EQ(ring.size(), 0U);
  EXPECT_EQ(ring.Peek(0), nullptr);
  EXPECT_EQ(PollAll(ring, 10), Sequences{});
  EXPECT_FALSE(ring.Publish());
}

TEST(CompletionRingTest, StagedItemsAppearTogetherAtPublish) {
  CompletionRing<Item> ring(4);
  ring.Push(ItemOf(1));
  ring.Push(ItemOf(2));
  EXPECT_EQ(ring.size(), 0U);
  EXPECT_EQ(PollAll(ring, 10), Sequences{});
  EXPECT_TRUE(ring.Publish());
  EXPECT_FALSE(ring.Publish());
  EXPECT_EQ(ring.size(), 2U);
  EXPECT_EQ(PollAll(ring, 10), (Sequences{1, 2}));
  EXPECT_EQ(ring.size(), 0U);
}

TEST(CompletionRingTest, PollHandsOutNoMoreThanAsked) {
  CompletionRing<Item> ring(4);
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) ring.Push(ItemOf(sequence));
  ring.Publish();
  EXPECT_EQ(PollAll(ring, 0), Sequences{});
  EXPECT_EQ(PollAll(ring, 2), (Sequences{1, 2}));
  EXPECT_EQ(PollAll(ring, 2), (Sequences{3}));
}

TEST(CompletionRingTest, PeekLooksAheadAndTakesNothing) {
  CompletionRing<Item> ring(4);
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) ring.Push(ItemOf(sequence));
  EXPECT_EQ(ring.Peek(0), nullptr);
  ring.Publish();
  PollAll(ring, 1);
  EXPECT_EQ(PeekSequence(ring, 1), 3U);
  EXPECT_EQ(PeekSequence(ring, 0), 2U);
  EXPECT_EQ(ring.Peek(2), nullptr);
  EXPECT_EQ(PollAll(ring, 10), (Sequences{2, 3}));
}

TEST(CompletionRingTest, HoldsAsManyAsItsCapacityLapAfterLap) {
  CompletionRing<Item> ring(4);
  std::uint64_t sequence = 0;
  for (int lap = 0; lap < 5; ++lap) {
    for (int i = 0; i < 4; ++i) ring.Push(ItemOf(++sequence));
    ring.Publish();
    ASSERT_FALSE(ring.HasRoom());
    ASSERT_EQ(ring.size(), 4U);
    ASSERT_EQ(PollAll(ring, 10), (Sequences{sequence - 3, sequence - 2, sequence - 1, sequence}));
  }
}

TEST(CompletionRingTest, ARingOfOneWorks) {
  CompletionRing<Item> ring(1);
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
    ring.Push(ItemOf(sequence));
    ring.Publish();
    ASSERT_EQ(PollAll(ring, 10), Sequences{sequence});
  }
}

TEST(CompletionRingDeathTest, OverflowStopsTheProcessInsteadOfLosingACompletion) {
  CompletionRing<Item> ring(2);
  ring.Push(ItemOf(1));
  ring.Push(ItemOf(2));
  ring.Publish();
  EXPECT_DEATH(ring.Push(ItemOf(3)), "check failed");
}

TEST(CompletionRingDeathTest, CapacityMustBeAPowerOfTwo) {
  EXPECT_DEATH(CompletionRing<Item>(3), "check failed");
}

// The loop publishes in bursts of changing size and waits for room, so that nothing but the ring
// itself orders the two threads.
TEST(CompletionRingTest, CarriesEveryItemInOrderAndWholeBetweenThreads) {
  constexpr std::uint64_t kItems = 300'000;
  CompletionRing<Item> ring(64);
  std::thread producer([&] {
    std::uint64_t expected = 0;
    while (expected < kItems) {
      const std::size_t count = ring.Poll(
          [&](const Item& item) noexcept {
            ASSERT_TRUE(IsWhole(item));
            ASSERT_EQ(item.sequence, expected);
            ++expected;
          },
          1 + expected % 48);
      if (count == 0) std::this_thread::yield();
    }
  });
  for (std::uint64_t sequence = 0; sequence < kItems; ++sequence) {
    while (!ring.HasRoom()) {
      ring.Publish();
      std::this_thread::yield();
    }
    ring.Push(ItemOf(sequence));
    if (sequence % 7 == 0 || sequence % 31 == 0) ring.Publish();
  }
  ring.Publish();
  producer.join();
  EXPECT_EQ(ring.size(), 0U);
}

}  // namespace
}  // namespace pawl
