// What becomes of an aggregate's timers when it is closed.

#include <chrono>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "command_loop.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr std::int64_t kSecond = FakeClock::kSecond;
constexpr std::int64_t kHour = static_cast<std::int64_t>(FakeClock::kHour);

class CloseTimersTest : public AlarmTest {
 protected:
  // The state hash, which holds timers, is the same when the log was replayed.
  void ExpectSameReplayed() {
    const HashSum live = engine_->StateHash().value().sum;
    const std::vector<SetDue> set = Set();
    Open();
    EXPECT_EQ(engine_->StateHash().value().sum, live);
    EXPECT_EQ(Set(), set);
  }
};

TEST_F(CloseTimersTest, NoneFires) {
  Open();
  ASSERT_TRUE(Do(1, Ring{7}).ok());
  ASSERT_TRUE(Do(1, SetMany{1, 100, kSecond}).ok());
  ASSERT_TRUE(Do(1, SetKnock{kSecond}).ok());
  ASSERT_TRUE(Do(2, SetAlarm{kSecond, 8, 1}).ok());
  ASSERT_TRUE(Do(1, EndAlarm{}).ok());
  EXPECT_EQ(Set().size(), 1U);
  EXPECT_EQ(engine_->Stats().timers.live, 1U);
  ExpectSameReplayed();
  Pass(2 * FakeClock::kSecond);
  EXPECT_EQ(Values(), (pawl::Values{7, 8}));
  ExpectSameReplayed();
  EXPECT_EQ(engine_->NextTimer(), std::chrono::nanoseconds::max());
}

TEST_F(CloseTimersTest, WhatIsDueAlreadyDoesNotFireEither) {
  Open();
  ASSERT_TRUE(Do(1, SetMany{1, 200, kSecond}).ok());
  clock_.Advance(2 * FakeClock::kSecond);
  // Commands come before timers in a turn.
  ASSERT_TRUE(producer_->Submit<Alarm>(Key(1), EndAlarm{}, {.ack = Ack::kPublished}));
  Run();
  EXPECT_TRUE(Rings().empty());
  EXPECT_TRUE(Set().empty());
  ExpectSameReplayed();
}

TEST_F(CloseTimersTest, TimersMaxIsFreeAgainAtOnce) {
  EngineOptions options = Options();
  options.timers_max = 200;
  Open(options);
  for (std::uint64_t key = 1; key <= 20; ++key) {
    ASSERT_TRUE(Do(key, SetMany{1, 200, kHour}).ok()) << key;
    EXPECT_FALSE(Do(key + 1, SetAlarm{kHour, 1, 1}).ok()) << "there is no room for another one";
    ASSERT_TRUE(Do(key, EndAlarm{}).ok());
    EXPECT_EQ(engine_->Stats().timers.live, 0U);
  }
  EXPECT_EQ(engine_->Stats().timers.cancelled, 20U * 200);
}

TEST_F(CloseTimersTest, AKeyUsedAgainHasNoneOfItsEarlierLife) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 1}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 2, 2}).ok());
  ASSERT_TRUE(Do(1, EndAlarm{}).ok());
  ASSERT_TRUE(Do(1, CancelAlarm{2}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{3 * kSecond, 3, 1}).ok());
  EXPECT_EQ(Set(), (std::vector<SetDue>{{1, 1, clock_.wall_ns + 3 * FakeClock::kSecond, 3}}));
  ExpectSameReplayed();
  Pass(2 * FakeClock::kSecond);
  EXPECT_TRUE(Rings().empty());
  Pass(FakeClock::kSecond);
  EXPECT_EQ(Values(), pawl::Values{3});
}

TEST_F(CloseTimersTest, AnotherOnesTimersEndToo) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 1}).ok());
  ASSERT_TRUE(Do(2, SetAlarm{kSecond, 2, 1}).ok());
  ASSERT_TRUE(Do(2, EndAlarm{.other = Key(1)}).ok());
  ExpectSameReplayed();
  Pass(2 * FakeClock::kSecond);
  EXPECT_EQ(Values(), pawl::Values{2});
}

TEST_F(CloseTimersTest, ARefusedClosingLeavesThem) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 1}).ok());
  EXPECT_FALSE(Do(1, EndAlarm{.other = {}, .is_refused = true}).ok());
  EXPECT_FALSE(Do(1, SetAndEnd{.sets_behind = true}).ok()) << "what is set behind it is too late";
  EXPECT_EQ(Set().size(), 1U);
  ExpectSameReplayed();
  Pass(2 * FakeClock::kSecond);
  EXPECT_EQ(Values(), pawl::Values{1});
}

TEST_F(CloseTimersTest, WhatTheSameCommandSetEndsToo) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kHour, 1, 1}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{kHour, 2, 2}).ok());
  ASSERT_TRUE(Do(1, SetAndEnd{.sets_behind = false}).ok());
  EXPECT_TRUE(Set().empty());
  EXPECT_EQ(engine_->Stats().timers.live, 0U);
  ExpectSameReplayed();
  Pass(2 * FakeClock::kHour);
  EXPECT_EQ(Values(), pawl::Values{1});
}

TEST_F(CloseTimersTest, ATimerMayCloseItsOwnAggregate) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, Due::kEnds, 1}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{2 * kSecond, 2, 2}).ok());
  Pass(FakeClock::kSecond);
  EXPECT_TRUE(Set().empty());
  EXPECT_EQ(engine_->Stats().timers.fired, 1U);
  ExpectSameReplayed();
  Pass(2 * FakeClock::kSecond);
  EXPECT_TRUE(Rings().empty());
  ASSERT_TRUE(Do(1, Ring{5}).ok());
  EXPECT_EQ(Values(), pawl::Values{5});
}

// It had a timer, and nothing more: for conditions it has been closed or was never there.
TEST_F(CloseTimersTest, AnAggregateOfTimersAloneIsThereForClosingsOnly) {
  Open();
  const auto with = [&](Condition condition) {
    return producer_
        ->Execute<Alarm>(Key(1), SetAlarm{kHour, 1, 1},
                         {.ack = Ack::kPublished, .condition = condition})
        .ok();
  };
  ASSERT_TRUE(Do(1, Ring{1}).ok());
  const Receipt closed = Do(1, EndAlarm{}).value();
  ASSERT_TRUE(Do(1, SetAlarm{kHour, 1, 1}).ok());
  EXPECT_TRUE(with(NoStream()));
  EXPECT_FALSE(with(Exists()));
  EXPECT_FALSE(with(Exact(Version(1))));
  EXPECT_TRUE(with(UnchangedSince(closed.position)));
  EXPECT_FALSE(with(UnchangedSince(Position(closed.position.value() - 1))));
  EXPECT_EQ(engine_->StateHash().value().aggregates, 0U);
  EXPECT_EQ(Set().size(), 1U);
  ExpectSameReplayed();
  EXPECT_FALSE(with(UnchangedSince(Position(closed.position.value() - 1))));
  ASSERT_TRUE(Do(1, EndAlarm{}).ok());
  EXPECT_TRUE(Set().empty());
  ExpectSameReplayed();
}

// Nothing happened to it: it is no life, closed or not, and hides none that had events.
TEST_F(CloseTimersTest, AnAggregateOfTimersAloneIsNoLife) {
  Open();
  const auto lives = [&] { return engine_->FindLives<Alarm>(Key(1)).value().size(); };
  const auto events = [&] {
    auto history = engine_->NewHistory<Alarm>(Key(1));
    EXPECT_TRUE(history.ok()) << history.status();
    return history.ok() ? history->Forward([](const auto&, const Meta&) noexcept {}) : 0;
  };
  ASSERT_TRUE(Do(1, SetAlarm{kHour, 1, 1}).ok());
  ASSERT_TRUE(Do(1, EndAlarm{}).ok());
  EXPECT_EQ(lives(), 0U);
  EXPECT_TRUE(absl::IsNotFound(engine_->NewHistory<Alarm>(Key(1)).status()));
  ASSERT_TRUE(Do(1, Ring{1}).ok());
  ASSERT_TRUE(Do(1, Ring{2}).ok());
  EXPECT_EQ(lives(), 1U);
  ASSERT_TRUE(Do(1, EndAlarm{}).ok());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Do(1, SetAlarm{kHour, 1, 1}).ok());
    EXPECT_EQ(lives(), 1U) << "of the one that has a timer";
    EXPECT_EQ(events(), 2U);
    ASSERT_TRUE(Do(1, EndAlarm{}).ok());
    EXPECT_EQ(lives(), 1U);
    EXPECT_EQ(events(), 2U);
  }
  ASSERT_TRUE(Do(1, SetAlarm{kHour, 1, 1}).ok());
  ASSERT_TRUE(Do(1, Ring{3}).ok());
  EXPECT_EQ(lives(), 2U);
  EXPECT_EQ(events(), 1U);
}

// However many timers end with it, and although all of them were due before.
TEST_F(CloseTimersTest, AnAggregateOfManyTimersKeepsNeitherCommandsNorOtherTimersBack) {
  constexpr std::uint32_t kTimers = 50'000;
  constexpr std::uint64_t kAtOnce = kCommitTimersMax;
  EngineOptions options = Options();
  options.timers_max = kTimers;
  options.undurable_bytes_max = std::uint64_t{64} << 20;
  Open(options);
  for (std::uint64_t i = 0; i + kAtOnce < kTimers; i += kAtOnce) {
    ASSERT_TRUE(Do(1, SetMany{i, kAtOnce, kSecond}).ok());
  }
  ASSERT_TRUE(Do(2, SetAlarm{2 * kSecond, 7, 1}).ok());
  Run();
  clock_.Advance(3 * FakeClock::kSecond);
  const SubmitOptions published{.ack = Ack::kPublished};
  ASSERT_TRUE(producer_->Submit<Alarm>(Key(1), EndAlarm{}, published));
  // Each step is a turn of the loop, or one of the two disk agents.
  std::uint32_t steps = 0;
  while (engine_->Stats().timers.fired == 0) {
    ASSERT_TRUE(producer_->Submit<Alarm>(Key(3), Ring{1}, published));
    std::uint32_t waited = 0;
    while (producer_->Poll([](const Completion&) noexcept {}) == 0) {
      engine_->Poll(std::chrono::nanoseconds(0));
      ASSERT_LE(++waited, 8U) << "a command waits";
    }
    steps += waited;
    ASSERT_LE(steps, 8 * (kTimers / CommandLoop::kTurnClearsMax)) << "a timer waits";
  }
  EXPECT_EQ(engine_->Stats().timers.live, 0U);
}

TEST_F(CloseTimersTest, TheClosingIsTheOnlyRecordOfIt) {
  Open();
  ASSERT_TRUE(Do(1, SetMany{1, 50, kHour}).ok());
  ASSERT_TRUE(Do(1, EndAlarm{}).ok());
  std::vector<RecordKind> kinds;
  for (const SeenRecord& record : ReadLog(*engine_)) kinds.push_back(record.kind);
  ASSERT_GE(kinds.size(), 2U);
  EXPECT_EQ(kinds.back(), RecordKind::kStreamClosed);
  EXPECT_EQ(kinds[kinds.size() - 2], RecordKind::kTimerSet);
}

}  // namespace
}  // namespace pawl
