#include "pawl/stream_store.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"

namespace pawl {
namespace {

constexpr std::uint32_t kStreams = 4096;  // a quarter full: some hundred keys find their pair full

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
    store_.RemoveNewest();
    ASSERT_EQ(store_.Find(KeyOf(size - 1)), nullptr);
    ASSERT_EQ(store_.size(), size - 1);
  }
  for (std::uint32_t i = 0; i < kStreams; ++i) {
    ASSERT_EQ(store_.Find(KeyOf(i)), i < kStreams / 2 ? slots_[i] : nullptr) << i;
  }
}

TEST_F(StreamStoreTest, AFullStoreTakesNoMore) {
  EXPECT_EQ(store_.Insert(KeyOf(kStreams)), nullptr);
  store_.RemoveNewest();
  EXPECT_NE(store_.Insert(KeyOf(kStreams)), nullptr);
}

}  // namespace
}  // namespace pawl
