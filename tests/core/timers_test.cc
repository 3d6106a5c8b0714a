// Timers of aggregates: when they fire, what they may do, what they leave behind.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "log_records.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = FakeClock::kSecond;

class TimersTest : public AlarmTest {
 protected:
  std::vector<SeenRecord> RecordsOfTimers() {
    std::vector<SeenRecord> records = ReadLog(*engine_);
    std::erase_if(records, [](const SeenRecord& record) {
      return record.kind != RecordKind::kTimerSet && record.kind != RecordKind::kTimerFired &&
             record.kind != RecordKind::kTimerCancelled && record.kind != RecordKind::kEvent;
    });
    return records;
  }
};

TEST_F(TimersTest, AThirtySecondTimerFiresThirtySecondsLaterAndNotBefore) {
  Open();
  const std::uint64_t set_ns = clock_.wall_ns;
  ASSERT_TRUE(Do(1, SetAlarm{30 * kSecond, 7, 0}).ok());
  Pass(30 * FakeClock::kSecond - 1);
  EXPECT_TRUE(Rings().empty());
  Pass(1);
  const std::vector<Rang> rings = Rings();
  ASSERT_EQ(rings.size(), 1U);
  EXPECT_EQ(rings[0].value, 7);
  EXPECT_EQ(rings[0].now_ns, set_ns + 30 * FakeClock::kSecond);
  Pass(FakeClock::kYear);
  EXPECT_EQ(Rings().size(), 1U);
}

TEST_F(TimersTest, NextTimerSaysHowLongTheHostMaySleep) {
  Open();
  EXPECT_EQ(engine_->NextTimer(), std::chrono::nanoseconds::max());
  ASSERT_TRUE(Do(1, SetAlarm{25 * kSecond, 7, 0}).ok());
  std::uint64_t slept = 0;
  int sleeps = 0;
  while (Rings().empty()) {
    const std::chrono::nanoseconds sleep = engine_->NextTimer();
    ASSERT_GT(sleep, 0ns);
    ASSERT_LE(sleep, 10s);
    slept += static_cast<std::uint64_t>(sleep.count());
    Pass(static_cast<std::uint64_t>(sleep.count()));
    ASSERT_LT(++sleeps, 10);
  }
  EXPECT_EQ(slept, 25 * FakeClock::kSecond);
  EXPECT_EQ(engine_->NextTimer(), std::chrono::nanoseconds::max());
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 7, 0}).ok());
  clock_.Advance(2 * FakeClock::kSecond);
  EXPECT_EQ(engine_->NextTimer(), 0ns);
}

TEST_F(TimersTest, ADelayOfNothingOrLessIsDueBehindTheCommand) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{0, 1, 1}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{-kSecond, 2, 2}).ok());
  ASSERT_TRUE(Do(1, SetAlarmAt{0, 3, 3}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{INT64_MIN, 4, 4}).ok());
  Run();
  EXPECT_EQ(Values(), (pawl::Values{1, 2, 3, 4}));
}

TEST_F(TimersTest, ATimeBeyondAllTimesIsNeverDue) {
  Open();
  clock_.Advance(FakeClock::kSecond);
  ASSERT_TRUE(Do(1, SetAlarm{INT64_MAX, 1, 1}).ok());
  ASSERT_TRUE(Do(1, SetAlarmAt{UINT64_MAX, 2, 2}).ok());
  Pass(200 * FakeClock::kYear);
  EXPECT_TRUE(Rings().empty());
  EXPECT_EQ(Set().size(), 2U);
}

TEST_F(TimersTest, SetAgainATimerTakesThePlaceOfTheOneBefore) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 0}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{3 * kSecond, 2, 0}).ok());
  EXPECT_EQ(Set().size(), 1U);
  Pass(2 * FakeClock::kSecond);
  EXPECT_TRUE(Rings().empty());
  ASSERT_TRUE(Do(1, SetAlarm{0, 3, 0}).ok());
  Pass(3 * FakeClock::kSecond);
  EXPECT_EQ(Values(), pawl::Values{3});
}

TEST_F(TimersTest, StreamTypeAndIdTellTimersApart) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 0}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 2, 1}).ok());
  ASSERT_TRUE(Do(2, SetAlarm{kSecond, 3, 0}).ok());
  ASSERT_TRUE(Do(1, SetKnock{kSecond}).ok());
  ASSERT_TRUE(Do(1, CancelAlarm{1}).ok());
  Pass(FakeClock::kSecond);
  // The knock finds nobody at home: to that aggregate something had happened by then.
  EXPECT_EQ(Values(), (pawl::Values{1, 3, 1}));
}

TEST_F(TimersTest, ACancelledTimerDoesNotFire) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 5}).ok());
  ASSERT_TRUE(Do(1, CancelAlarm{5}).ok());
  ASSERT_TRUE(Do(1, CancelAlarm{5}).ok());  // there is none: no mistake, and no record
  ASSERT_TRUE(Do(2, CancelAlarm{5}).ok());
  Pass(FakeClock::kHour);
  EXPECT_TRUE(Rings().empty());
  const std::vector<SeenRecord> records = RecordsOfTimers();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].kind, RecordKind::kTimerCancelled);
  const auto cancelled = records[1].As<TimerCancelledPayload>();
  EXPECT_EQ(cancelled.id, 5U);
  EXPECT_EQ(cancelled.set_position, records[0].position);
}

TEST_F(TimersTest, ARefusedCommandHasSetAndCancelledNothing) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{10 * kSecond, 1, 1}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{10 * kSecond, 2, 2}).ok());
  const std::vector<SetDue> before = Set();
  const std::vector<SeenRecord> log = ReadLog(*engine_);
  EXPECT_EQ(RefusalCode(Do(1, Juggle{true}).status()), Alarm::kRefusal);
  EXPECT_EQ(RefusalCode(Do(9, Juggle{true}).status()), Alarm::kRefusal);
  EXPECT_EQ(Set(), before);
  EXPECT_EQ(ReadLog(*engine_), log);
  Pass(20 * FakeClock::kSecond);
  EXPECT_EQ(Values(), (pawl::Values{1, 2}));
}

TEST_F(TimersTest, TheLastOfACommandsChangesHolds) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{10 * kSecond, 1, 1}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{10 * kSecond, 2, 2}).ok());
  const std::uint64_t now = clock_.wall_ns;
  ASSERT_TRUE(Do(1, Juggle{false}).ok());
  EXPECT_EQ(Set(), (std::vector<SetDue>{{1, 1, now + 2 * FakeClock::kSecond, 12},
                                        {1, 3, now + 4 * FakeClock::kSecond, 14}}));
  Pass(20 * FakeClock::kSecond);
  EXPECT_EQ(Values(), (pawl::Values{100, 12, 14}));
}

TEST_F(TimersTest, WhatATimerCausesIsOneCommitThatBeginsWithIt) {
  Open();
  ASSERT_TRUE(Do(3, SetAlarm{kSecond, Due::kRepeats, 0}).ok());
  Pass(FakeClock::kSecond);
  const std::vector<SeenRecord> records = RecordsOfTimers();
  ASSERT_EQ(records.size(), 4U);
  const auto fired = records[1].As<TimerFiredPayload>();
  EXPECT_EQ(records[1].kind, RecordKind::kTimerFired);
  EXPECT_EQ(fired.set_position, records[0].position);
  EXPECT_EQ(fired.outcome, 0U);
  EXPECT_EQ(records[2].kind, RecordKind::kTimerSet);
  EXPECT_EQ(records[3].kind, RecordKind::kEvent);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(records[i].commit, records[1].commit);
    EXPECT_EQ(records[i].session, 0U);
    EXPECT_EQ(records[i].stream, records[0].stream);
  }
  EXPECT_NE(records[0].commit, records[1].commit);
  Pass(FakeClock::kSecond);
  Pass(FakeClock::kSecond);
  EXPECT_EQ(Values(), (pawl::Values{Due::kRepeats, Due::kRepeats, Due::kRepeats}));
}

TEST_F(TimersTest, ATimerThatIsRefusedOrExceedsALimitIsOverAndNeverFiresAgain) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, Due::kRefuses, 0}).ok());
  ASSERT_TRUE(Do(2, SetAlarm{kSecond, Due::kTooMuch, 0}).ok());
  ASSERT_TRUE(Do(3, SetAlarm{kSecond, Due::kNothing, 0}).ok());
  Pass(FakeClock::kSecond);
  EXPECT_TRUE(Rings().empty());
  EXPECT_TRUE(Set().empty());
  const std::vector<SeenRecord> records = RecordsOfTimers();
  ASSERT_EQ(records.size(), 6U);
  const auto outcome = [&](std::size_t i) { return records[i].As<TimerFiredPayload>(); };
  EXPECT_EQ(outcome(3).outcome, static_cast<std::uint16_t>(VerdictKind::kRefused));
  EXPECT_EQ(outcome(3).code, Alarm::kRefusal);
  EXPECT_EQ(outcome(4).outcome, static_cast<std::uint16_t>(VerdictKind::kLimitExceeded));
  EXPECT_EQ(outcome(5).outcome, 0U);
  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.timers.fired, 3U);
  EXPECT_EQ(stats.timers.refused, 2U);
  Open();
  Pass(FakeClock::kHour);
  EXPECT_EQ(RecordsOfTimers().size(), 6U);
}

TEST_F(TimersTest, ATimerMaySetOneThatIsDueAtOnce) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, Due::kCascades, 0}).ok());
  Pass(FakeClock::kSecond);
  EXPECT_EQ(Values(), (pawl::Values{Due::kCascades, 0}));
}

TEST_F(TimersTest, DueTimersFireInTheirOrderThatOfBeingSetIfDueTogether) {
  Open();
  const std::uint64_t now = clock_.wall_ns;
  std::vector<std::int64_t> wanted;
  for (std::int64_t i = 0; i < 200; ++i) {
    // Every due time twice, the second half in reverse.
    const std::uint64_t at = static_cast<std::uint64_t>(i < 100 ? i : 199 - i);
    ASSERT_TRUE(
        Do(1, SetAlarmAt{now + at * 10 * FakeClock::kMillisecond, i, static_cast<std::uint64_t>(i)})
            .ok());
  }
  for (std::int64_t i = 0; i < 100; ++i) wanted.insert(wanted.end(), {i, 199 - i});
  Pass(FakeClock::kHour);
  // The first ones were due while others were being set.
  std::vector<std::int64_t> values = Values();
  ASSERT_EQ(values.size(), wanted.size());
  EXPECT_EQ(std::vector(values.begin() + 2, values.end()),
            std::vector(wanted.begin() + 2, wanted.end()));
}

TEST_F(TimersTest, OverdueTimersFireAfterOpeningInTheirOrder) {
  Open();
  const std::uint64_t now = clock_.wall_ns;
  for (std::int64_t i = 0; i < 150; ++i) {
    const auto at = static_cast<std::uint64_t>((i * 61) % 150);
    ASSERT_TRUE(
        Do(1 + at % 3, SetAlarmAt{now + FakeClock::kHour + at, static_cast<std::int64_t>(at), at})
            .ok());
  }
  Close();
  clock_.Advance(24 * FakeClock::kHour);
  Open();
  Run();
  const std::vector<std::int64_t> values = Values();
  ASSERT_EQ(values.size(), 150U);
  for (std::int64_t i = 0; i < 150; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(Set().empty());
}

TEST_F(TimersTest, WhatIsSetIsSetAgainAfterOpening) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 1}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{2 * kSecond, 2, 1}).ok());
  ASSERT_TRUE(Do(2, SetAlarm{3 * kSecond, 3, 0}).ok());
  ASSERT_TRUE(Do(2, SetAlarm{4 * kSecond, 4, 9}).ok());
  ASSERT_TRUE(Do(2, CancelAlarm{9}).ok());
  ASSERT_TRUE(Do(3, SetAlarm{0, 5, 0}).ok());
  Run();
  const std::vector<SetDue> set = Set();
  const HashSum hash = engine_->StateHash().value().sum;
  ASSERT_EQ(set.size(), 2U);
  Open();
  EXPECT_EQ(Set(), set);
  EXPECT_EQ(engine_->StateHash().value().sum, hash);
  ASSERT_TRUE(Do(2, CancelAlarm{0}).ok());
  EXPECT_NE(engine_->StateHash().value().sum, hash);
  Pass(FakeClock::kHour);
  EXPECT_EQ(Values(), (pawl::Values{5, 2}));
}

TEST_F(TimersTest, AnAggregateThatOnlyHasATimerDoesNotExist) {
  Open();
  const auto empty = engine_->StateHash<Alarm>().value();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 0}).ok());
  EXPECT_TRUE(
      producer_->Execute<Alarm>(Key(1), SetAlarm{kSecond, 1, 0}, {.condition = NoStream()}).ok());
  int visited = 0;
  ASSERT_TRUE(
      engine_->VisitAggregates<Alarm>([&](const Key&, Version, const auto&) { ++visited; }).ok());
  EXPECT_EQ(visited, 0);
  EXPECT_EQ(engine_->StateHash<Alarm>().value().aggregates, empty.aggregates);
  EXPECT_TRUE(absl::IsNotFound(engine_->NewHistory<Alarm>(Key(1)).status()));
  // Nor to others: of that stream, of one that gets its timer just now, and of none.
  ASSERT_TRUE(Do(2, AskOf{Key(1)}).ok());
  ASSERT_TRUE(Do(3, AskOf{Key(3)}).ok());
  ASSERT_TRUE(Do(2, AskOf{Key(4)}).ok());
  ASSERT_TRUE(Do(4, AskOf{Key(2)}).ok());
  EXPECT_EQ(Values(), (pawl::Values{0, 0, 0, 1}));
  Pass(FakeClock::kSecond);
  EXPECT_FALSE(
      producer_->Execute<Alarm>(Key(1), SetAlarm{kSecond, 1, 0}, {.condition = NoStream()}).ok());
}

TEST_F(TimersTest, ACommandThatOnlySetsATimerCanBeConfirmedAndIsRememberedByItsSession) {
  Open();
  const Receipt set = Do(1, SetAlarm{kSecond, 1, 0}).value();
  EXPECT_NE(set.position, Position());
  EXPECT_EQ(set.version, Version());
  const Receipt behind = Do(2, RingAndSet{5}).value();
  EXPECT_EQ(behind.version, Version(1));
  const Receipt cancelled = Do(1, CancelAlarm{0}).value();
  for (const bool is_reopened : {false, true}) {
    if (is_reopened) Open();
    for (const Receipt& receipt : {set, behind, cancelled}) {
      EXPECT_EQ(engine_->Confirm(receipt).value().presence, Presence::kPresent);
    }
    Receipt other = behind;
    other.position = set.position;
    EXPECT_EQ(engine_->Confirm(other).value().presence, Presence::kUnknown);
  }
  EXPECT_EQ(producer_->last_sequence(), Sequence(3));
  ASSERT_TRUE(producer_->Submit<Alarm>(Key(2), RingAndSet{5}, {.resend = Sequence(2)}));
  Run();
  std::vector<Completion> answers;
  producer_->Poll([&](const Completion& c) noexcept { answers.push_back(c); });
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers[0].receipt.is_duplicate);
  EXPECT_EQ(answers[0].receipt.position, behind.position);
  EXPECT_EQ(answers[0].receipt.version, behind.version);
}

TEST_F(TimersTest, TimersThatTakeTooLongAreCountedAndNamed) {
  Alarm::slow_clock = &clock_;
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, Due::kIsSlow, 0}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 1}).ok());
  Pass(FakeClock::kSecond);
  const SlowDecides slow = engine_->FindSlowDecides().value();
  EXPECT_EQ(slow.found, 1U);
  EXPECT_EQ(slow.turns, 1U);
  EXPECT_EQ(slow.longest_ns, FakeClock::kMillisecond);
  EXPECT_EQ(slow.category, "alarm");
  EXPECT_NE(slow.command.find("Due"), std::string_view::npos) << slow.command;
}

// Also in a turn that timers begin and commands go on with, while the clock moves.
TEST_F(TimersTest, WhatTimersAndCommandsDoHasTheTimeThatTheySaw) {
  Alarm::slow_clock = &clock_;
  Open();
  for (std::uint64_t id = 0; id < 3; ++id) {
    ASSERT_TRUE(Do(1, SetAlarm{kSecond, Due::kIsSlow, id}).ok());
  }
  Run();
  clock_.Advance(2 * FakeClock::kSecond);
  // A command uses up the budget, so that timers come first in the next turn.
  ASSERT_TRUE(producer_->Submit<Alarm>(Key(2), Ring{1}, {.ack = Ack::kPublished}));
  ASSERT_NE(engine_->Poll(std::chrono::nanoseconds(0)), 0);
  ASSERT_TRUE(producer_->Submit<Alarm>(Key(2), Ring{2}, {.ack = Ack::kPublished}));
  Run();
  EXPECT_EQ(Values(), (pawl::Values{1, Due::kIsSlow, Due::kIsSlow, Due::kIsSlow, 2}));
  auto reader = engine_->NewEventReader<Alarm>();
  ASSERT_TRUE(reader.ok()) << reader.status();
  reader->Forward([](const Rang& e, const Meta& meta) noexcept {
    EXPECT_EQ(meta.time_ns, e.now_ns) << meta.position.value();
  });
}

TEST_F(TimersTest, StatsTellWhatTimersDid) {
  Open();
  ASSERT_TRUE(Do(1, SetMany{0, 10, kSecond}).ok());
  ASSERT_TRUE(Do(1, CancelMany{0, 3}).ok());
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 5, 4}).ok());
  EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.timers.live, 7U);
  EXPECT_EQ(stats.timers.set, 11U);
  EXPECT_EQ(stats.timers.cancelled, 3U);
  EXPECT_EQ(stats.timers.fired, 0U);
  Pass(FakeClock::kSecond + 5 * FakeClock::kMillisecond);
  stats = engine_->Stats();
  EXPECT_EQ(stats.timers.live, 0U);
  EXPECT_EQ(stats.timers.fired, 7U);
  EXPECT_EQ(stats.timers.refused, 0U);
  EXPECT_EQ(stats.stage(Stage::kTimerLate).count, 7U);
  EXPECT_EQ(stats.stage(Stage::kTimerLate).most_ns, 5 * FakeClock::kMillisecond);
}

// However late its clock says that it is: this one stands still. A loop that slept for longer than
// until the timer that the command has just set would sleep six times in a minute, or once.
TEST_F(TimersTest, ALoopSleepsNoLongerThanUntilTheTimerThatWasJustSet) {
  EngineOptions options = directory_.Options(Threads::kOwn);
  options.clock = &clock_;
  Open(options);
  ASSERT_TRUE(Do(1, SetAlarm{10 * static_cast<std::int64_t>(FakeClock::kMillisecond), 1, 0}).ok());
  const auto sleeps = [&] { return engine_->Stats().agents.at(0).sleeps; };
  const std::uint64_t before = sleeps();
  EXPECT_TRUE(Await([&] { return sleeps() >= before + 20; }));
  EXPECT_EQ(engine_->Stats().timers.fired, 0U);
}

// A loop with a thread of its own sleeps until then; the clock is the machine's.
TEST_F(TimersTest, ASleepingLoopWakesForATimer) {
  EngineOptions options = directory_.Options(Threads::kOwn);
  Open(options);
  EXPECT_EQ(engine_->NextTimer(), std::chrono::nanoseconds::max());
  ASSERT_TRUE(Do(1, SetAlarm{30 * static_cast<std::int64_t>(FakeClock::kMillisecond), 1, 0}).ok());
  EXPECT_TRUE(Await([&] { return engine_->Stats().timers.fired == 1; }));
  ASSERT_TRUE(Do(1, SetAlarm{0, 1, 0}).ok());
  EXPECT_TRUE(Await([&] { return engine_->Stats().timers.fired == 2; }));
}

}  // namespace
}  // namespace pawl
