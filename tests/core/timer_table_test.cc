// Timers by their names: how many there may be, and what becomes of those of a stream that ends.

#include "timer_table.h"

#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "test_seed.h"

namespace pawl {
namespace {

constexpr std::uint64_t kStart = 1'800'000'000'000'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kAll = 1'000'000;

class TimerTableTest : public ::testing::Test {
 protected:
  explicit TimerTableTest(std::uint32_t timers_max = 8)
      : table_({.timers_max = timers_max, .spare = 4, .payload_bytes_max = 16, .now_ns = kStart}),
        streams_(16) {
    for (std::size_t i = 0; i < streams_.size(); ++i) streams_[i].number = i + 1;
  }

  TimerName Name(std::size_t stream, std::uint64_t id, std::uint16_t type = 0) {
    return {.stream = &streams_[stream],
            .store = nullptr,
            .number = static_cast<std::uint32_t>(streams_[stream].number),
            .type = type,
            .id = id};
  }
  std::uint32_t Set(const TimerName& name, std::uint64_t due_ns = kStart + kSecond) {
    const std::uint32_t timer = table_.Make(name, due_ns, ++order_, {});
    if (timer != kNoTimer) table_.Arm(timer);
    return timer;
  }
  void Cancel(std::uint32_t timer) {
    table_.Disarm(timer);
    table_.Hide(timer);
    table_.Free(timer);
  }
  std::uint32_t FirstDue(std::uint64_t now_ns) {
    table_.Advance(now_ns, kAll);
    std::uint32_t clears = 0;
    return table_.FirstDue(now_ns, clears);
  }

  TimerTable table_;
  std::vector<StreamSlot> streams_;
  std::uint64_t order_ = 0;
};

TEST_F(TimerTableTest, ATimerIsFoundByStreamTypeAndId) {
  const std::uint32_t timer = Set(Name(3, 7, 2));
  EXPECT_EQ(table_.Find(Name(3, 7, 2)), timer);
  EXPECT_EQ(table_.Find(Name(3, 8, 2)), kNoTimer);
  EXPECT_EQ(table_.Find(Name(3, 7, 1)), kNoTimer);
  EXPECT_EQ(table_.Find(Name(2, 7, 2)), kNoTimer);
  table_.Hide(timer);
  EXPECT_EQ(table_.Find(Name(3, 7, 2)), kNoTimer);
  table_.Show(timer);
  EXPECT_EQ(table_.Find(Name(3, 7, 2)), timer);
}

TEST_F(TimerTableTest, KeepsTheBytes) {
  const char text[] = "sixteen bytes..";
  const std::uint32_t timer =
      table_.Make(Name(0, 0), kStart, 1, std::as_bytes(std::span<const char, 16>(text)));
  Set(Name(0, 1));
  EXPECT_EQ(table_.At(timer).payload_bytes, 16U);
  EXPECT_EQ(std::memcmp(table_.payload(timer), text, 16), 0);
}

TEST_F(TimerTableTest, AsManyAsTimersMaxAndNotOneMore) {
  std::vector<std::uint32_t> timers;
  for (std::uint64_t i = 0; i < 8; ++i) {
    timers.push_back(Set(Name(i % 3, i)));
    EXPECT_NE(timers.back(), kNoTimer);
  }
  EXPECT_EQ(Set(Name(0, 100)), kNoTimer);
  // A timer that is only hidden makes room: one that takes its place can be made beside it.
  table_.Hide(timers[2]);
  const std::uint32_t instead = table_.Make(Name(2, 2), kStart, ++order_, {});
  EXPECT_NE(instead, kNoTimer);
  EXPECT_EQ(Set(Name(0, 100)), kNoTimer);
  table_.Hide(instead);
  table_.Free(instead);
  table_.Show(timers[2]);
  EXPECT_EQ(table_.live(), 8U);
  Cancel(timers[5]);
  EXPECT_NE(Set(Name(0, 100)), kNoTimer);
  EXPECT_EQ(Set(Name(0, 101)), kNoTimer);
}

TEST_F(TimerTableTest, TimersOfADroppedStreamAreNoMoreAtOnce) {
  for (std::uint64_t i = 0; i < 6; ++i) Set(Name(1, i));
  const std::uint32_t other = Set(Name(2, 0), kStart + 2 * kSecond);
  table_.DropStream(2);
  EXPECT_EQ(table_.live(), 1U);
  std::uint32_t listed = 0;
  table_.ForEach([&](std::uint32_t timer) {
    ++listed;
    EXPECT_EQ(timer, other);
  });
  EXPECT_EQ(listed, 1U);
  EXPECT_EQ(FirstDue(kStart + kSecond), kNoTimer);
  // Nothing was cleared yet, and still there is room for seven.
  for (std::uint64_t i = 0; i < 7; ++i) EXPECT_NE(Set(Name(3 + i, 0)), kNoTimer);
  EXPECT_EQ(Set(Name(10, 0)), kNoTimer);
}

TEST_F(TimerTableTest, ADroppedStreamIsClearedInSmallPiecesAndKeepsNobodyBack) {
  for (std::uint64_t i = 0; i < 6; ++i) Set(Name(1, i), kStart + kSecond + i);
  const std::uint32_t early = Set(Name(2, 0), kStart + kSecond + 3);
  table_.DropStream(2);
  const std::uint64_t now = kStart + 2 * kSecond;
  table_.Advance(now, kAll);
  // Three of them are due before it.
  std::uint32_t clears = 2;
  EXPECT_EQ(table_.FirstDue(now, clears), kNoTimer);
  EXPECT_EQ(clears, 0U);
  clears = 5;
  EXPECT_EQ(table_.FirstDue(now, clears), early);
  EXPECT_EQ(clears, 3U);
  EXPECT_EQ(table_.ClearDropped(1), 1U);
  EXPECT_EQ(table_.ClearDropped(kAll), 1U);
  EXPECT_EQ(table_.ClearDropped(kAll), 0U);
  EXPECT_EQ(table_.live(), 1U);
}

class TimerTableModelTest : public TimerTableTest {
 protected:
  static constexpr std::uint32_t kTimersMax = 40;
  using ModelName = std::tuple<std::size_t, std::uint16_t, std::uint64_t>;
  struct Wanted {
    std::uint64_t due_ns;
    std::uint64_t order;
  };

  TimerTableModelTest() : TimerTableTest(kTimersMax) {}

  TimerName NameOf(const ModelName& name) {
    return Name(std::get<0>(name), std::get<2>(name), std::get<1>(name));
  }
  ModelName AnyName(std::mt19937_64& random) {
    return {random() % streams_.size(), static_cast<std::uint16_t>(random() % 2), random() % 5};
  }
  // Sets or sets again, as a command does: the old one goes when the new one is there.
  void Set(const ModelName& name, std::uint64_t due_ns) {
    const std::uint32_t old = table_.Find(NameOf(name));
    ASSERT_EQ(old != kNoTimer, wanted_.contains(name));
    if (old != kNoTimer) table_.Hide(old);
    const std::uint32_t timer = table_.Make(NameOf(name), due_ns, ++order_, {});
    ASSERT_EQ(timer == kNoTimer, old == kNoTimer && wanted_.size() == kTimersMax);
    if (timer == kNoTimer) return;
    if (old != kNoTimer) {
      table_.Disarm(old);
      table_.Free(old);
    }
    table_.Arm(timer);
    wanted_[name] = {due_ns, order_};
  }
  void CancelByName(const ModelName& name) {
    const std::uint32_t timer = table_.Find(NameOf(name));
    ASSERT_EQ(timer != kNoTimer, wanted_.erase(name) == 1);
    if (timer != kNoTimer) Cancel(timer);
  }
  // The stream ends; one of another number has its slot from now on.
  void Close(std::size_t stream) {
    table_.DropStream(static_cast<std::uint32_t>(streams_[stream].number));
    std::erase_if(wanted_, [&](const auto& each) { return std::get<0>(each.first) == stream; });
    streams_[stream].number = ++numbers_;
  }
  void Fire(std::uint64_t now_ns, std::uint32_t clears) {
    table_.Advance(now_ns, kAll);
    for (;;) {
      const std::uint32_t timer = table_.FirstDue(now_ns, clears);
      auto first = wanted_.end();
      for (auto it = wanted_.begin(); it != wanted_.end(); ++it) {
        if (it->second.due_ns > now_ns) continue;
        if (first == wanted_.end() || std::pair(it->second.due_ns, it->second.order) <
                                          std::pair(first->second.due_ns, first->second.order)) {
          first = it;
        }
      }
      if (timer == kNoTimer) {
        ASSERT_TRUE(first == wanted_.end() || clears == 0);
        return;
      }
      ASSERT_TRUE(first != wanted_.end());
      ASSERT_EQ(table_.At(timer).order, first->second.order);
      Cancel(timer);
      wanted_.erase(first);
    }
  }

  std::map<ModelName, Wanted> wanted_;
  std::uint64_t numbers_ = 100;
};

TEST_F(TimerTableModelTest, RandomTimersAndClosingsAreAsInAMap) {
  std::mt19937_64 random(SeedOfTest());
  std::uint64_t now = kStart;
  for (int i = 0; i < 200'000 && !HasFatalFailure(); ++i) {
    switch (random() % 16) {
      case 0: Close(random() % streams_.size()); break;
      case 1: table_.ClearDropped(static_cast<std::uint32_t>(random() % 4)); break;
      case 2: Fire(now += random() % kSecond, static_cast<std::uint32_t>(random() % 4)); break;
      case 3:
      case 4: CancelByName(AnyName(random)); break;
      default: Set(AnyName(random), now + random() % (3 * kSecond)); break;
    }
    ASSERT_EQ(table_.live(), wanted_.size()) << "step " << i;
  }
}

}  // namespace
}  // namespace pawl
