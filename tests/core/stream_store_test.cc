#include "pawl/stream_store.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "test_seed.h"

namespace pawl {
namespace {

constexpr std::uint32_t kStreams = 4096;  // a quarter full: some dozen keys find their group full

Key KeyOf(std::uint32_t i) { return Key(i % 7, i + 1); }

class StreamStoreTest : public ::testing::Test {
 protected:
  StreamStoreTest() : store_(AggregateTraitsOf<Account>(), kStreams) {
    for (std::uint32_t i = 0; i < kStreams; ++i) slots_.push_back(store_.Insert(KeyOf(i)));
  }

  StreamStore store_;
  std::vector<StreamSlot*> slots_;
};

TEST_F(StreamStoreTest, FindsEveryKeyAndNoOther) {
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    ASSERT_EQ(store_.Find(KeyOf(i)), slots_[i]) << i;
    ASSERT_EQ(slots_[i]->key, KeyOf(i)) << i;
  }
  for (std::uint32_t i = kStreams; i < 4 * kStreams; ++i) {
    ASSERT_EQ(store_.Find(KeyOf(i)), nullptr) << i;
  }
}

TEST_F(StreamStoreTest, AGuessIsTheSlotOfAKeyThatIsThere) {
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    StreamSlot* const guess = store_.lookup().Guess(KeyOf(i));
    // Another slot only if 31 bits of two hashes agree; then the caller sees the other key.
    if (guess != slots_[i]) {
      ASSERT_NE(guess, nullptr);
      ASSERT_NE(guess->key, KeyOf(i));
    }
  }
}

TEST_F(StreamStoreTest, TheNewestIsForgottenAndTheOthersAreFound) {
  for (std::uint32_t size = kStreams; size > kStreams / 2; --size) {
    store_.Remove(*slots_[size - 1]);
    ASSERT_EQ(store_.Find(KeyOf(size - 1)), nullptr);
    ASSERT_EQ(store_.size(), size - 1);
  }
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    ASSERT_EQ(store_.Find(KeyOf(i)), i < kStreams / 2 ? slots_[i] : nullptr) << i;
  }
}

TEST_F(StreamStoreTest, AFullStoreTakesNoMore) {
  EXPECT_EQ(store_.Insert(KeyOf(kStreams)), nullptr);
  store_.Remove(*slots_.back());
  EXPECT_NE(store_.Insert(KeyOf(kStreams)), nullptr);
}

TEST_F(StreamStoreTest, AnyMayBeRemovedAndTheOthersAreFound) {
  std::mt19937 random(SeedOfTest());
  std::vector<std::uint32_t> order(kStreams);
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), random);
  std::vector<bool> is_there(kStreams, true);
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    store_.Remove(*slots_[order[i]]);
    is_there[order[i]] = false;
    EXPECT_TRUE(slots_[order[i]]->key.is_zero()) << "no guess of it is right";
    if (i % 64 != 0) continue;
    for (std::uint32_t each = 0; each < kStreams; ++each) {
      ASSERT_EQ(store_.Find(KeyOf(each)), is_there[each] ? slots_[each] : nullptr) << i;
    }
  }
  EXPECT_EQ(store_.size(), 0U);
}

TEST_F(StreamStoreTest, APlaceThatWasLeftHasAStateThatIsNew) {
  auto& slot = static_cast<AggregateSlot<Account>&>(*slots_[5]);
  slot.state.cents = 77;
  slot.version = Version(3);
  slot.last = Position(9);
  slot.number = 4;
  store_.Close(slot, Position(10));
  EXPECT_EQ(store_.size(), kStreams - 1);
  EXPECT_EQ(store_.closed(), 1U);
  StreamSlot* const again = store_.Insert(KeyOf(kStreams));
  ASSERT_EQ(again, &slot) << "the only free place";
  EXPECT_EQ(slot.state.cents, 0);
  EXPECT_EQ(slot.version, Version());
  EXPECT_EQ(slot.last, Position());
  EXPECT_EQ(slot.number, 0U);
  std::uint32_t count = 0;
  store_.ForEach([&count](const StreamSlot&) { ++count; });
  EXPECT_EQ(count, kStreams);
}

TEST_F(StreamStoreTest, TellsWhereAKeyWasClosed) {
  for (std::uint32_t i = 0; i < kStreams; i += 2) {
    StreamSlot* slot = store_.Find(KeyOf(i));
    store_.Close(*slot, Position(100 + i));
    EXPECT_EQ(store_.ClosedAt(KeyOf(i)), Position(100 + i));
  }
}

// Of keys in a row, as many as a third of the marks, none is taken for another one.
TEST(StreamStoreMarksTest, KeysInARowDoNotShareAMark) {
  for (const std::uint32_t streams_max : {1U, 64U, 100U, 1000U}) {
    const std::uint64_t marks =
        std::max(std::bit_ceil(std::uint64_t{streams_max}), std::uint64_t{64});
    for (const std::uint64_t first : {std::uint64_t{1}, std::uint64_t{1} << 40}) {
      StreamStore store(AggregateTraitsOf<Account>(), streams_max);
      for (std::uint64_t i = 0; i < marks / 3; ++i) {
        const Key key(7, first + i);
        ASSERT_EQ(store.ClosedAt(key), Position()) << streams_max << ' ' << i;
        store.Close(*store.Insert(key), Position(i + 1));
      }
    }
  }
}

// The index does not wear out: after 10^7 openings and closings, of ever new keys, a key is as near
// to where it belongs as in an index that was just made.
TEST(StreamStoreWearTest, TenMillionOpeningsAndClosings) {
  constexpr std::uint32_t kMax = 1000;
  constexpr std::uint64_t kCycles = 10'000'000;
  StreamStore store(AggregateTraitsOf<Account>(), kMax);
  std::mt19937_64 random(SeedOfTest());
  std::vector<StreamSlot*> live;
  std::uint64_t next_key = 1;
  while (live.size() < kMax) live.push_back(store.Insert(Key(next_key++)));
  const auto probes = [&] {
    std::uint64_t sum = 0;
    for (const StreamSlot* slot : live) sum += store.CountProbes(slot->key);
    // Keys that are not there, too: nothing in their way may look as if it were.
    for (std::uint64_t i = 0; i < kMax; ++i) sum += store.CountProbes(Key(1, i));
    return sum;
  };
  const std::uint64_t fresh = probes();
  std::uint64_t most = 0;
  for (std::uint64_t i = 0; i < kCycles; ++i) {
    StreamSlot*& slot = live[random() % kMax];
    store.Close(*slot, Position(i + 1));
    slot = store.Insert(Key(next_key++));
    if (i % (kCycles / 100) == 0) most = std::max(most, probes());
  }
  EXPECT_EQ(store.size(), kMax);
  EXPECT_EQ(store.closed(), kCycles);
  EXPECT_LT(most, fresh + fresh / 4) << "entries looked at for 2,000 keys, fresh " << fresh;
}

}  // namespace
}  // namespace pawl
