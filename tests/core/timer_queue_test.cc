// Timers in the order in which they become due, whatever way they take there.

#include "timer_queue.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "test_seed.h"

namespace pawl {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000 * kMillisecond;
constexpr std::uint64_t kHour = 3'600 * kSecond;
constexpr std::uint64_t kYear = 365 * 24 * kHour;
constexpr std::uint64_t kStart = 1'800'000'000 * kSecond;
constexpr std::uint32_t kAllMoves = 1'000'000;

// Takes all that is due, in the order in which it comes.
std::vector<std::uint32_t> TakeDue(TimerQueue& queue, std::uint64_t now_ns) {
  queue.Advance(now_ns, kAllMoves);
  std::vector<std::uint32_t> taken;
  for (std::uint32_t timer; (timer = queue.FirstDue(now_ns)) != kNoTimer;) {
    queue.Remove(timer);
    taken.push_back(timer);
  }
  return taken;
}

TEST(TimerQueueTest, ATimerIsDueAtItsNanosecondAndNotBefore) {
  for (const std::uint64_t delay :
       {std::uint64_t{0}, std::uint64_t{1}, kMillisecond, 63 * kMillisecond, kSecond, kHour,
        5 * kHour, 24 * kHour, kYear, 100 * kYear}) {
    TimerQueue queue(1, kStart);
    queue.Add(0, kStart + delay, 1);
    if (delay != 0) {
      EXPECT_TRUE(TakeDue(queue, kStart + delay - 1).empty()) << delay;
    }
    EXPECT_EQ(TakeDue(queue, kStart + delay), std::vector<std::uint32_t>{0}) << delay;
    EXPECT_EQ(queue.wake_ns(), UINT64_MAX) << delay;
  }
}

TEST(TimerQueueTest, TheEndOfTimeIsATimeLikeAnyOther) {
  TimerQueue queue(2, UINT64_MAX - kHour);
  queue.Add(0, UINT64_MAX, 1);
  queue.Add(1, UINT64_MAX - 1, 2);
  EXPECT_TRUE(TakeDue(queue, UINT64_MAX - 2).empty());
  EXPECT_EQ(TakeDue(queue, UINT64_MAX), (std::vector<std::uint32_t>{1, 0}));
}

TEST(TimerQueueTest, ThoseThatAreDueTogetherComeInTheirOrder) {
  TimerQueue queue(100, kStart);
  for (std::uint32_t i = 0; i < 100; ++i) queue.Add(i, kStart + kSecond, (i * 37) % 100);
  const std::vector<std::uint32_t> taken = TakeDue(queue, kStart + kSecond);
  ASSERT_EQ(taken.size(), 100U);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ((taken[i] * 37) % 100, i);
}

TEST(TimerQueueTest, NobodyNeedsToLookBeforeItSaysSo) {
  TimerQueue queue(3, kStart);
  queue.Add(0, kStart + 7 * kHour, 1);
  queue.Add(1, kStart + kHour, 2);
  queue.Add(2, kStart + kYear, 3);
  std::uint64_t now = kStart;
  for (const std::uint64_t due : {kStart + kHour, kStart + 7 * kHour, kStart + kYear}) {
    int looks = 0;
    while (TakeDue(queue, now).empty()) {
      const std::uint64_t wake = queue.wake_ns();
      ASSERT_GT(wake, now);
      ASSERT_LE(wake, due);
      EXPECT_TRUE(TakeDue(queue, wake - 1).empty());
      now = wake;
      ASSERT_LE(++looks, 6);  // a level of the wheel each
    }
    EXPECT_EQ(now, due);
  }
}

TEST(TimerQueueTest, HoweverManyBecomeDueAtOnceTheyMoveInSmallPiecesAndInOrder) {
  constexpr std::uint32_t kTimers = 100'000;
  constexpr std::uint32_t kMoves = 100;
  TimerQueue queue(kTimers, kStart);
  std::mt19937_64 random(SeedOfTest());
  std::vector<std::pair<std::uint64_t, std::uint32_t>> all;
  for (std::uint32_t i = 0; i < kTimers; ++i) {
    const std::uint64_t due = kStart + kHour + random() % kMillisecond;
    queue.Add(i, due, i);
    all.emplace_back(due, i);
  }
  std::sort(all.begin(), all.end());
  const std::uint64_t now = kStart + 2 * kHour;
  std::size_t taken = 0;
  int rounds = 0;
  for (; taken < kTimers; ++rounds) {
    ASSERT_LT(rounds, 100'000);
    EXPECT_LE(queue.Advance(now, kMoves), kMoves);
    for (int i = 0; i < 64; ++i) {
      const std::uint32_t timer = queue.FirstDue(now);
      if (timer == kNoTimer) break;
      ASSERT_EQ(timer, all[taken].second);
      queue.Remove(timer);
      ++taken;
    }
  }
  EXPECT_GT(rounds, static_cast<int>(kTimers / kMoves));
}

// A map does what the queue must.
class QueueModel {
 public:
  QueueModel(std::uint32_t timers, std::uint64_t now_ns) : queue_(timers, now_ns), now_(now_ns) {
    for (std::uint32_t i = 0; i < timers; ++i) free_.insert(i);
  }

  void Add(std::uint64_t due_ns) {
    if (free_.empty()) return;
    const std::uint32_t timer = *free_.begin();
    free_.erase(free_.begin());
    queue_.Add(timer, due_ns, ++order_);
    by_due_[{due_ns, order_}] = timer;
  }
  void RemoveAny(std::uint64_t which) {
    if (by_due_.empty()) return;
    auto found = by_due_.begin();
    std::advance(found, static_cast<std::ptrdiff_t>(which % by_due_.size()));
    Take(found);
  }
  void Pass(std::uint64_t ns, std::uint32_t moves_max) {
    now_ += ns;
    const bool is_all = queue_.Advance(now_, moves_max) < moves_max;
    for (;;) {
      const std::uint32_t timer = queue_.FirstDue(now_);
      const auto first = by_due_.begin();
      const bool is_due = first != by_due_.end() && first->first.first <= now_;
      if (timer == kNoTimer) {
        ASSERT_FALSE(is_all && is_due);
        break;
      }
      ASSERT_TRUE(is_due);
      ASSERT_EQ(timer, first->second);
      Take(first);
    }
    if (!by_due_.empty()) {
      ASSERT_LE(queue_.wake_ns(), std::max(now_, by_due_.begin()->first.first));
    }
  }
  std::uint64_t now() const { return now_; }

 private:
  using Map = std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t>;
  void Take(Map::iterator at) {
    queue_.Remove(at->second);
    free_.insert(at->second);
    by_due_.erase(at);
  }

  TimerQueue queue_;
  std::uint64_t now_;
  std::uint64_t order_ = 0;
  std::set<std::uint32_t> free_;
  Map by_due_;
};

TEST(TimerQueueTest, RandomTimersComeAsFromAMap) {
  std::mt19937_64 random(SeedOfTest());
  // Delays and steps of every size, from nanoseconds to years.
  const auto any = [&random] { return random() >> (8 + random() % 50); };
  for (int round = 0; round < 200; ++round) {
    QueueModel model(1 + static_cast<std::uint32_t>(random() % 500), kStart + any());
    for (int i = 0; i < 2'000; ++i) {
      switch (random() % 8) {
        case 0: model.RemoveAny(random()); break;
        case 1: model.Pass(any(), 1 + static_cast<std::uint32_t>(random() % 20)); break;
        case 2: model.Pass(random() % kSecond, kAllMoves); break;
        case 3: model.Add(model.now() - std::min(model.now(), any())); break;
        case 4: model.Add(model.now() + random() % kSecond); break;
        default: model.Add(model.now() + any()); break;
      }
      if (::testing::Test::HasFatalFailure()) FAIL() << "round " << round << ", step " << i;
    }
  }
}

}  // namespace
}  // namespace pawl
