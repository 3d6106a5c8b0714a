// Somebody sets the wall clock: what timers do then, and when engine time follows.

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "clock_record.h"
#include "log_records.h"
#include "manual_clock.h"

namespace pawl {
namespace {

constexpr std::uint64_t kSecond = FakeClock::kSecond;
constexpr std::uint64_t kHour = FakeClock::kHour;
constexpr std::uint64_t kYear = FakeClock::kYear;

class ClockStepsTest : public AlarmTest {
 protected:
  void SetWallBy(std::int64_t ns) { clock_.wall_ns += static_cast<std::uint64_t>(ns); }

  std::vector<ClockAdopted> Adopted() {
    std::vector<ClockAdopted> adopted;
    for (const SeenRecord& record : ReadLog(*engine_)) {
      if (record.kind == RecordKind::kClockAdopted) adopted.push_back(record.As<ClockAdopted>());
    }
    return adopted;
  }
  std::uint64_t LoopRounds() {
    for (const AgentStats& agent : engine_->Stats().agents) {
      if (agent.name == "pawl-loop") return agent.rounds;
    }
    ADD_FAILURE() << "there is no loop";
    return 0;
  }
  // Of the newest frame.
  std::uint64_t EngineTime() {
    std::uint64_t time_ns = 0;
    LogReader reader = engine_->log().NewReader();
    while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
      time_ns = frame->time_ns;
    }
    return time_ns;
  }
  // A host that has nothing to do but timers: sleeps as long as it may, `ns` at most.
  void IdleFor(std::uint64_t ns) {
    while (ns != 0) {
      const auto wanted = static_cast<std::uint64_t>(engine_->NextTimer().count());
      const std::uint64_t sleep = std::min(wanted, ns);
      Pass(sleep);
      if (sleep == 0) {
        ASSERT_EQ(engine_->Poll(kWholeTurns), 0) << "a timer that never fires";
      }
      ns -= sleep;
    }
  }
  // A command a second.
  void WorkFor(std::uint64_t seconds) {
    for (std::uint64_t i = 0; i < seconds; ++i) {
      Pass(kSecond);
      ASSERT_TRUE(Do(100, Ring{0}).ok());
    }
  }

  ManualClock loop_clock_;  // of an engine with threads
};

TEST_F(ClockStepsTest, AThirtySecondTimerFiresThirtySecondsLaterWhateverTheWallClockDoes) {
  for (const std::int64_t step :
       {std::int64_t{3'600'000'000'000}, std::int64_t{-3'600'000'000'000},
        static_cast<std::int64_t>(10 * kYear), -static_cast<std::int64_t>(10 * kYear)}) {
    for (const std::uint64_t back_after : {std::uint64_t{0}, std::uint64_t{10}}) {
      Open();
      const std::size_t rings = Rings().size();
      ASSERT_TRUE(Do(1, SetAlarm{30 * static_cast<std::int64_t>(kSecond), 1, 0}).ok());
      SetWallBy(step);
      std::uint64_t tenths = 0;
      for (; Rings().size() == rings; ++tenths) {
        ASSERT_LT(tenths, 400U) << step;
        if (back_after != 0 && tenths == 10 * back_after) SetWallBy(-step);
        Pass(kSecond / 10);
      }
      // Engine time leans towards the wall by a hundredth at most.
      EXPECT_GE(tenths, 297U) << step;
      EXPECT_LE(tenths, 304U) << step;
      EXPECT_TRUE(Adopted().empty());
    }
  }
}

TEST_F(ClockStepsTest, TimeInSuspendCounts) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{30 * static_cast<std::int64_t>(kSecond), 1, 0}).ok());
  Pass(kSecond);
  EXPECT_TRUE(Rings().empty());
  Pass(kHour);
  EXPECT_EQ(Values(), pawl::Values{1});
}

// Nothing wakes the loop but itself: it sleeps for ten seconds at most, which this test waits for.
TEST_F(ClockStepsTest, TimeInSuspendCountsForALoopThatIsAsleep) {
  EngineOptions options = Options();
  options.threads = Threads::kOwn;
  options.clock = &loop_clock_;
  Open(options);
  ASSERT_TRUE(Do(1, SetAlarm{static_cast<std::int64_t>(kHour), 1, 0}).ok());
  // Asleep: many looks saw it make no round.
  std::uint64_t rounds = 0;
  int looks = 0;
  ASSERT_TRUE(Await([&] {
    const std::uint64_t before = std::exchange(rounds, LoopRounds());
    looks = rounds == before ? looks + 1 : 0;
    return looks == 1'000;
  }));
  EXPECT_EQ(engine_->Stats().timers.fired, 0U);
  loop_clock_.Advance(std::chrono::hours(1));
  ASSERT_TRUE(Await([&] { return engine_->Stats().timers.fired == 1; }));
  EXPECT_EQ(Values(), pawl::Values{1});
}

TEST_F(ClockStepsTest, ACommandInTheFrameThatAdoptsAStepIsConfirmed) {
  Open();
  SetWallBy(static_cast<std::int64_t>(10 * kYear));
  Receipt receipt;
  for (int i = 0; i < 70 && Adopted().empty(); ++i) {
    Pass(kSecond);
    receipt = Do(100, Ring{0}).value();
  }
  std::uint64_t adopted = 0;
  const std::vector<SeenRecord> records = ReadLog(*engine_);
  for (const SeenRecord& record : records) {
    if (record.kind == RecordKind::kClockAdopted) adopted = record.position;
  }
  ASSERT_EQ(receipt.position.value(), adopted + 1) << "the command is behind it";
  EXPECT_EQ(engine_->Confirm(receipt).value().presence, Presence::kPresent);
  Receipt forged = receipt;
  forged.position = Position(adopted);
  EXPECT_EQ(engine_->Confirm(forged).value().presence, Presence::kUnknown);
  forged.version = Version();
  EXPECT_EQ(engine_->Confirm(forged).value().presence, Presence::kUnknown) << "no command's";
}

TEST_F(ClockStepsTest, AForwardStepIsAdoptedOnceItStayedForAMinuteAndIsInTheLog) {
  Open();
  WorkFor(5);
  SetWallBy(static_cast<std::int64_t>(10 * kYear));
  WorkFor(60);
  EXPECT_TRUE(Adopted().empty());
  EXPECT_LT(EngineTime(), FakeClock::kStart + kYear);
  WorkFor(2);
  const std::vector<ClockAdopted> adopted = Adopted();
  ASSERT_EQ(adopted.size(), 1U);
  EXPECT_LT(adopted[0].held_ns, FakeClock::kStart + kYear);
  EXPECT_GE(adopted[0].stable_ns, 60 * kSecond);
  EXPECT_GE(adopted[0].adopted_ns, FakeClock::kStart + 10 * kYear);
  EXPECT_EQ(EngineTime(), clock_.wall_ns);
  // The record is alone in its commit, and no frame before it has the new time.
  std::uint64_t commit = 0;
  std::uint64_t alike = 0;
  for (const SeenRecord& record : ReadLog(*engine_)) {
    if (record.kind == RecordKind::kClockAdopted) commit = record.commit;
  }
  for (const SeenRecord& record : ReadLog(*engine_)) alike += record.commit == commit ? 1 : 0;
  EXPECT_EQ(alike, 1U);
  // The engine goes on from there, whatever the clock says at the next open.
  Close();
  SetWallBy(-static_cast<std::int64_t>(10 * kYear));
  Open();
  WorkFor(120);
  EXPECT_GT(EngineTime(), FakeClock::kStart + 10 * kYear);
  EXPECT_EQ(Adopted().size(), 1U);
}

TEST_F(ClockStepsTest, ABackwardStepIsNeverAdopted) {
  Open();
  const std::uint64_t before = EngineTime();
  SetWallBy(-static_cast<std::int64_t>(kHour));
  WorkFor(300);
  EXPECT_TRUE(Adopted().empty());
  EXPECT_GE(EngineTime(), before + 297 * kSecond);
}

TEST_F(ClockStepsTest, AStepIsAdoptedWhileNothingHappensIfTimersAreSet) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarm{24 * static_cast<std::int64_t>(kHour), 1, 0}).ok());
  SetWallBy(static_cast<std::int64_t>(kHour));
  IdleFor(100 * kSecond);
  ASSERT_EQ(Adopted().size(), 1U);
  // Less what time leaned towards it: a hundredth of the time that it stayed.
  const std::uint64_t step = Adopted()[0].adopted_ns - Adopted()[0].held_ns;
  EXPECT_LE(step, kHour);
  EXPECT_GE(step, kHour - kSecond);
}

TEST_F(ClockStepsTest, AnIdleEngineWithoutTimersMakesNoRecord) {
  Open();
  const std::uint64_t position = engine_->Stats().position.value();
  SetWallBy(static_cast<std::int64_t>(kHour));
  for (int i = 0; i < 600; ++i) Pass(kSecond);
  EXPECT_EQ(engine_->NextTimer(), std::chrono::nanoseconds::max());
  EXPECT_EQ(engine_->Stats().position.value(), position);
  EXPECT_TRUE(Adopted().empty());
}

// Early by what passed, never in engine time: that moves forward by the step, a minute after it.
TEST_F(ClockStepsTest, ATimerThatIsSetWhileAStepIsWaitingFiresWhenItIsAdopted) {
  for (const bool is_large : {true, false}) {
    SCOPED_TRACE(is_large ? "an hour" : "five seconds");
    Open();
    const std::size_t adopted = Adopted().size();
    WorkFor(5);
    SetWallBy(static_cast<std::int64_t>(is_large ? kHour : 5 * kSecond));
    WorkFor(40);
    ASSERT_EQ(Adopted().size(), adopted);
    ASSERT_TRUE(Do(1, SetAlarm{30 * static_cast<std::int64_t>(kSecond), 1, 0}).ok());
    const std::uint64_t due_ns = Set().at(0).due_ns;
    const std::size_t rings = Rings().size();
    std::uint64_t tenths = 0;
    for (; Rings().size() == rings; ++tenths) {
      ASSERT_LT(tenths, 400U);
      Pass(kSecond / 10);
    }
    EXPECT_EQ(Adopted().size(), adopted + 1);
    EXPECT_GE(EngineTime(), due_ns) << "never early in engine time";
    // A step that is smaller than what is left of the timer makes it come that much earlier, less
    // the hundredth of the minute by which time leaned towards it.
    EXPECT_GE(tenths, is_large ? 195U : 245U);
    EXPECT_LE(tenths, is_large ? 220U : 260U);
  }
}

// Who asked for a time gets it once the engine believes that it is that time.
TEST_F(ClockStepsTest, WhatIsDueByTheAdoptedTimeFires) {
  Open();
  ASSERT_TRUE(Do(1, SetAlarmAt{FakeClock::kStart + 5 * kYear, 1, 0}).ok());
  SetWallBy(static_cast<std::int64_t>(10 * kYear));
  IdleFor(59 * kSecond);
  EXPECT_TRUE(Rings().empty());
  IdleFor(60 * kSecond);
  EXPECT_EQ(Values(), pawl::Values{1});
  // And after opening nothing fires again.
  Open();
  IdleFor(60 * kSecond);
  EXPECT_EQ(Values(), pawl::Values{1});
}

}  // namespace
}  // namespace pawl
