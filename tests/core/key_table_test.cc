// The table of idempotency keys by itself: its window by count and by time.

#include "key_table.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>

#include <gtest/gtest.h>

#include "test_seed.h"

namespace pawl {
namespace {

KeyTable::Entry EntryOf(std::uint64_t key, std::uint64_t time_ns) {
  return {.key = Key(key), .body_hash = key * 3, .receipt = {key + 1, key + 2}, .time_ns = time_ns};
}

TEST(KeyTableTest, TheNewestKeysMaxAreRememberedAndNotOneMore) {
  for (const std::uint32_t keys_max : {1U, 2U, 3U, 1000U}) {
    SCOPED_TRACE(keys_max);
    KeyTable table(keys_max, 1'000);
    for (std::uint64_t key = 1; key <= 3 * keys_max + 1; ++key) table.Remember(EntryOf(key, 5));
    const std::uint64_t newest = 3 * keys_max + 1;
    EXPECT_EQ(table.count(), keys_max);
    for (std::uint64_t back = 0; back < keys_max; ++back) {
      const KeyTable::Entry* const entry = table.Find(Key(newest - back), 5);
      ASSERT_NE(entry, nullptr);
      EXPECT_EQ(entry->body_hash, (newest - back) * 3);
      EXPECT_EQ(entry->receipt.position, newest - back + 1);
    }
    EXPECT_EQ(table.Find(Key(newest - keys_max), 5), nullptr);
  }
}

TEST(KeyTableTest, TheWindowsLastNanosecondIsInIt) {
  KeyTable table(4, 1'000);
  table.Remember(EntryOf(1, 500));
  EXPECT_NE(table.Find(Key(1), 500), nullptr);
  EXPECT_NE(table.Find(Key(1), 1'499), nullptr);
  EXPECT_EQ(table.Find(Key(1), 1'500), nullptr);
  KeyTable none(4, 0);
  none.Remember(EntryOf(1, 500));
  EXPECT_EQ(none.Find(Key(1), 500), nullptr);
}

// Against a list.
TEST(KeyTableTest, IsAListOfTheNewestKeys) {
  constexpr std::uint32_t kKeysMax = 50;
  constexpr std::uint64_t kWindowNs = 300;
  const std::uint64_t seed = SeedOfTest();
  std::mt19937_64 random(seed);
  KeyTable table(kKeysMax, kWindowNs);
  std::deque<KeyTable::Entry> list;
  std::uint64_t now_ns = 1;
  std::uint64_t found = 0;
  std::uint64_t remembered = 0;
  for (int round = 0; round < 100'000; ++round) {
    now_ns += random() % 8;
    const std::uint64_t key = 1 + random() % 90;
    const auto wanted = std::find_if(list.rbegin(), list.rend(), [&](const KeyTable::Entry& each) {
      return each.key == Key(key) && now_ns - each.time_ns < kWindowNs;
    });
    const KeyTable::Entry* const entry = table.Find(Key(key), now_ns);
    ASSERT_EQ(entry != nullptr, wanted != list.rend()) << round;
    if (entry != nullptr) {
      ++found;
      ASSERT_EQ(entry->receipt.position, wanted->receipt.position);
      continue;
    }
    ++remembered;
    list.push_back({.key = Key(key),
                    .body_hash = key,
                    .receipt = {static_cast<std::uint64_t>(round), 1},
                    .time_ns = now_ns});
    table.Remember(list.back());
    if (list.size() > kKeysMax) list.pop_front();
  }
  EXPECT_GT(found, 10'000U);
  EXPECT_GT(remembered, 10'000U);
}

}  // namespace
}  // namespace pawl
