// How many timers there may be, how much of a turn they take, and where they wait for room.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "command_loop.h"
#include "gate_storage.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = FakeClock::kSecond;
constexpr std::uint32_t kFiresMax = CommandLoop::kTurnFiresMax;

class TimerBoundsTest : public AlarmTest {
 protected:
  GateStorage gate_;
};

bool IsLimit(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) && RefusalCode(status) == 0;
}

TEST_F(TimerBoundsTest, AsManyTimersAsTimersMaxAndNotOneMore) {
  EngineOptions options = Options();
  options.timers_max = 100;
  Open(options);
  ASSERT_TRUE(Do(1, SetMany{0, 99, kSecond}).ok());
  EXPECT_TRUE(IsLimit(Do(1, SetMany{99, 2, kSecond}).status()));
  EXPECT_EQ(Set().size(), 99U);
  ASSERT_TRUE(Do(2, SetAlarm{kSecond, 1, 0}).ok());
  EXPECT_TRUE(IsLimit(Do(3, SetAlarm{kSecond, 1, 0}).status()));
  // Again needs no room, and a cancelled one leaves some, at once.
  ASSERT_TRUE(Do(1, SetMany{0, 99, 2 * kSecond}).ok());
  ASSERT_TRUE(Do(2, CancelAlarm{0}).ok());
  ASSERT_TRUE(Do(3, SetAlarm{3 * kSecond, 1, 0}).ok());
  EXPECT_TRUE(IsLimit(Do(2, SetAlarm{kSecond, 1, 0}).status()));
  EXPECT_EQ(engine_->Stats().timers.live, 100U);
  // And so does one that fired.
  Pass(2 * FakeClock::kSecond);
  ASSERT_TRUE(Do(1, SetMany{0, 99, kSecond}).ok());
  EXPECT_TRUE(IsLimit(Do(2, SetAlarm{kSecond, 1, 0}).status()));
}

TEST_F(TimerBoundsTest, ALogWithMoreTimersThanTimersMaxIsNotOpened) {
  Open();
  ASSERT_TRUE(Do(1, SetMany{0, 101, kSecond}).ok());
  Close();
  EngineOptions options = Options();
  options.timers_max = 100;
  const absl::Status refused = Engine::Open(options, Aggregates<Alarm>{}).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_NE(refused.message().find("timers_max"), std::string_view::npos) << refused;
  options.timers_max = 101;
  Open(options);
  EXPECT_EQ(Set().size(), 101U);
}

TEST_F(TimerBoundsTest, ACommandSetsAndCancelsKCommitTimersMaxAndNotOneMore) {
  Open();
  EXPECT_TRUE(IsLimit(Do(1, SetMany{0, kCommitTimersMax + 1, kSecond}).status()));
  EXPECT_TRUE(Set().empty());
  ASSERT_TRUE(Do(1, SetMany{0, kCommitTimersMax, kSecond}).ok());
  ASSERT_TRUE(Do(1, SetMany{kCommitTimersMax, 1, kSecond}).ok());
  EXPECT_TRUE(IsLimit(Do(1, CancelMany{0, kCommitTimersMax + 1}).status()));
  EXPECT_EQ(Set().size(), kCommitTimersMax + 1);
  ASSERT_TRUE(Do(1, CancelMany{0, kCommitTimersMax}).ok());
  EXPECT_EQ(Set().size(), 1U);
}

TEST_F(TimerBoundsTest, OptionsOutOfBoundsAreRefused) {
  EngineOptions options = Options();
  for (const std::uint32_t wrong : {0U, (1U << 30) + 1}) {
    options.timers_max = wrong;
    EXPECT_TRUE(absl::IsInvalidArgument(Engine::Open(options, Aggregates<Alarm>{}).status()));
  }
}

TEST_F(TimerBoundsTest, ATimerOnANewKeyNeedsAStream) {
  EngineOptions options = Options();
  options.streams_max = 2;
  Open(options);
  ASSERT_TRUE(Do(1, SetAlarm{kSecond, 1, 0}).ok());
  ASSERT_TRUE(Do(2, SetAlarm{kSecond, 1, 0}).ok());
  EXPECT_TRUE(IsLimit(Do(3, SetAlarm{kSecond, 1, 0}).status()));
}

// A turn is a frame: nothing else makes one here.
TEST_F(TimerBoundsTest, NoTurnFiresMoreThanItsShare) {
  Open();
  for (std::uint64_t i = 0; i < 5; ++i) ASSERT_TRUE(Do(1, SetMany{i * 100, 100, kSecond}).ok());
  Pass(2 * FakeClock::kSecond);
  EXPECT_EQ(engine_->Stats().timers.fired, 500U);
  int turns = 0;
  LogReader reader = engine_->log().NewReader();
  while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
    std::uint32_t fired = 0;
    ForEachRecord(*frame, [&](const RecordView& record) {
      fired += record.header.kind == RecordKind::kTimerFired ? 1U : 0U;
    });
    EXPECT_LE(fired, kFiresMax);
    turns += fired != 0 ? 1 : 0;
  }
  EXPECT_EQ(turns, 500 / static_cast<int>(kFiresMax) + 1);
}

// A million become due in one moment: commands are answered in between, and every turn is short.
TEST_F(TimerBoundsTest, AStormOfTimersKeepsNoCommandWaiting) {
  constexpr std::uint64_t kTimers = 1'000'000;
  constexpr std::uint32_t kAtOnce = 200;
  EngineOptions options = directory_.Options(Threads::kHost);
  options.clock = &clock_;
  options.timers_max = kTimers;
  options.segment_bytes = std::uint64_t{64} << 20;
  options.undurable_bytes_max = std::uint64_t{256} << 20;
  Open(options);
  producer_.reset();
  auto made = engine_->NewProducer();
  ASSERT_TRUE(made.ok()) << made.status();
  producer_ = std::make_unique<Producer>(*std::move(made));
  const SubmitOptions published{.ack = Ack::kPublished, .when_full = WhenFull::kPark};
  for (std::uint64_t i = 0; i < kTimers; i += kAtOnce) {
    const SetMany set{i, kAtOnce, 3'600 * kSecond};
    ASSERT_TRUE(producer_->Execute<Alarm>(Key(1 + i / kAtOnce % 500), set, published).ok());
  }
  ASSERT_EQ(engine_->Stats().timers.live, kTimers);
  clock_.Advance(2 * FakeClock::kHour);
  const std::uint64_t fires = Alarm::fires;
  std::uint64_t fired = 0;
  std::uint64_t commands = 0;
  while (fired < kTimers) {
    if (commands < kTimers / 1000) {
      // A host without any time: one turn fires a timer, the next one takes and answers the
      // command.
      ASSERT_TRUE(producer_->Submit<Alarm>(Key(1000), Ring{1}, published));
      ASSERT_TRUE(Await([&] {
        engine_->Poll(0ns);
        return producer_->Poll([](const Completion&) noexcept {}) != 0;
      }));
    } else {
      // Whole turns, a round of the loop each.
      ASSERT_TRUE(producer_->Execute<Alarm>(Key(1000), Ring{1}, published).ok());
    }
    ++commands;
    // If there is room: until the next segment is there, or the disk less far behind, neither a
    // command is decided nor a timer fires.
    const std::uint64_t now = Alarm::fires - fires;
    ASSERT_LE(now - fired, 3 * kFiresMax) << "commands wait for more than a turn of timers or two";
    fired = now;
  }
  EXPECT_GT(commands, kTimers / (3 * kFiresMax));
  EXPECT_EQ(engine_->Stats().timers.refused, 0U);
}

// Timers that are due while the disk is behind wait for room, and are then the first to have it.
TEST_F(TimerBoundsTest, TimersWaitForRoomAndThenGoFirst) {
  EngineOptions options = directory_.Options(Threads::kHost);
  options.clock = &clock_;
  options.storage = &gate_;
  options.segment_bytes = std::uint64_t{64} << 10;
  options.undurable_bytes_max = std::uint64_t{128} << 10;
  options.commit_bytes_max = 1024;
  options.timers_max = 1000;
  Open(options);
  ASSERT_TRUE(Do(1, SetMany{0, 10, kSecond}).ok());
  gate_.Shut();
  const SubmitOptions published{.ack = Ack::kPublished};
  // Commands take the room that there is.
  std::uint64_t sent = 0;
  const auto send_all = [&] {
    while (producer_->Submit<Alarm>(Key(2), Ring{1}, published)) ++sent;
  };
  ASSERT_TRUE(Await([&] {
    send_all();
    engine_->Poll(kWholeTurns);
    producer_->Poll([](const Completion&) noexcept {});
    return engine_->NextTimer() == 1ms ||
           producer_->Submit<Alarm>(Key(2), Ring{1}, published).fault() == SendFault::kUndurable;
  }));
  clock_.Advance(2 * FakeClock::kSecond);
  ASSERT_TRUE(Await([&] {
    engine_->Poll(kWholeTurns);
    return engine_->NextTimer() == 1ms;
  }));
  EXPECT_EQ(engine_->Stats().timers.fired, 0U);
  gate_.Open();
  ASSERT_TRUE(Await([&] {
    engine_->Poll(kWholeTurns);
    producer_->Poll([](const Completion&) noexcept {});
    return engine_->Stats().timers.fired == 10;
  }));
  EXPECT_EQ(engine_->NextTimer(), std::chrono::nanoseconds::max());
}

// The same with threads of its own, and a producer that takes all room there is, always.
TEST_F(TimerBoundsTest, CommandsThatUseUpTheRoomKeepNoTimerBack) {
  EngineOptions options = directory_.Options(Threads::kOwn);
  options.segment_bytes = std::uint64_t{64} << 10;
  options.undurable_bytes_max = std::uint64_t{128} << 10;
  options.commit_bytes_max = 1024;
  options.timers_max = 1000;
  Open(options);
  ASSERT_TRUE(Do(1, SetMany{0, 10, kSecond / 100}).ok());
  const SubmitOptions published{.ack = Ack::kPublished};
  EXPECT_TRUE(Await([&] {
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(producer_->Submit<Alarm>(Key(2), Ring{1}, published));
    }
    producer_->Poll([](const Completion&) noexcept {});
    return engine_->Stats().timers.fired == 10;
  }));
}

// Each of them takes a millisecond.
TEST_F(TimerBoundsTest, APollFiresNoMoreTimersThanItsBudgetHasTimeFor) {
  Alarm::slow_clock = &clock_;
  Open();
  for (std::uint64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(Do(1, SetAlarm{kSecond, Due::kIsSlow, i}).ok());
  }
  Run();
  clock_.Advance(2 * FakeClock::kSecond);
  std::uint64_t fires = Alarm::fires;
  ASSERT_NE(engine_->Poll(0ns), 0);
  EXPECT_EQ(Alarm::fires - fires, 1U);
  Run();
  EXPECT_EQ(Alarm::fires - fires, 10U);
}

// Set for times that have passed, faster than they fire: behind those that were due before them.
TEST_F(TimerBoundsTest, NoFloodOfOverdueTimersKeepsOthersBack) {
  Open();
  ASSERT_TRUE(Do(2, SetAlarm{kSecond, 7, 0}).ok());
  clock_.Advance(2 * FakeClock::kSecond);
  const auto has_fired = [&] { return std::ranges::count(Values(), 7) != 0; };
  for (std::uint64_t i = 0; !has_fired(); ++i) {
    ASSERT_LT(i, 400U);
    // Half a timer fires in a step.
    ASSERT_TRUE(
        producer_->Submit<Alarm>(Key(1), SetAlarmAt{i % 3, 1, i}, {.ack = Ack::kPublished}));
    engine_->Poll(0ns);
    producer_->Poll([](const Completion&) noexcept {});
  }
}

// A budget that is over at once lets commands and timers take turns.
TEST_F(TimerBoundsTest, NoBudgetStarvesTimersOrCommands) {
  Open();
  ASSERT_TRUE(Do(1, SetMany{0, 200, kSecond}).ok());
  clock_.Advance(2 * FakeClock::kSecond);
  std::uint64_t answered = 0;
  for (int i = 0; i < 4'000 && engine_->Stats().timers.fired < 200; ++i) {
    static_cast<void>(producer_->Submit<Alarm>(Key(2), Ring{1}, {.ack = Ack::kPublished}));
    engine_->Poll(0ns);
    answered += producer_->Poll([](const Completion&) noexcept {});
  }
  EXPECT_EQ(engine_->Stats().timers.fired, 200U);
  EXPECT_GT(answered, 0U);
}

}  // namespace
}  // namespace pawl
