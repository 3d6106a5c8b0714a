// What a log may say of timers and clocks, and what no engine writes.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "clock_record.h"
#include "log_records.h"
#include "pawl/log.h"

namespace pawl {
namespace {

using ::testing::HasSubstr;

constexpr std::uint16_t kDueType = 2;  // Rang, Due, Knock
constexpr std::uint32_t kStream = 1;

// Aggregates of the same category that are not what wrote the log.
struct Unaware {  // lists no timer
  using Commands = pawl::Commands<Ring>;
  using Events = pawl::Events<Rang>;
  static constexpr std::string_view kCategory = "alarm";
  struct State {
    std::int64_t sum = 0;
  };
  static Verdict Decide(const State&, const Ring&, Emit<Unaware>&) noexcept { return Accept(); }
  static void Evolve(State& s, const Rang& e) noexcept { s.sum += e.value; }
};
struct WiderDue {
  static constexpr EventType kType{"alarm.due", 1};
  std::int64_t value;
  std::int64_t more;
};
struct Changed {
  using Commands = pawl::Commands<Ring>;
  using Events = pawl::Events<Rang>;
  using Timers = pawl::Timers<WiderDue>;
  static constexpr std::string_view kCategory = "alarm";
  struct State {
    std::int64_t sum = 0;
  };
  static Verdict Decide(const State&, const Ring&, Emit<Changed>&) noexcept { return Accept(); }
  static Verdict Decide(const State&, const WiderDue&, Emit<Changed>&) noexcept { return Accept(); }
  static void Evolve(State& s, const Rang& e) noexcept { s.sum += e.value; }
};

// A log in which stream 1 has the timer Due{7} with id 1, due in an hour.
class TimerLogTest : public AlarmTest {
 protected:
  struct Written {
    RecordKind kind;
    std::string payload;
    std::uint16_t type = kDueType;
    std::uint32_t stream = kStream;
    std::uint64_t version = 0;
    std::uint64_t back_link = 0;
  };

  void SetUp() override {
    Open();
    set_ =
        Do(1, SetAlarm{static_cast<std::int64_t>(FakeClock::kHour), 7, 1}).value().position.value();
    due_ns_ = clock_.wall_ns + FakeClock::kHour;
    Close();
  }

  template <class T>
  static std::string Bytes(const T& payload) {
    return {reinterpret_cast<const char*>(&payload), sizeof payload};
  }
  std::string SetOf(std::uint64_t id, std::size_t bytes = sizeof(Due)) {
    return Bytes(TimerSetPayload{.id = id, .due_ns = due_ns_}) + std::string(bytes, '\0');
  }
  std::string FiredOf(std::uint64_t id, std::uint64_t set, std::uint16_t outcome = 0) {
    return Bytes(TimerFiredPayload{
        .id = id, .set_position = set, .outcome = outcome, .code = 0, .reserved = 0});
  }
  static std::string CancelledOf(std::uint64_t id, std::uint64_t set) {
    return Bytes(TimerCancelledPayload{.id = id, .set_position = set});
  }

  // Adds a commit to the log at an engine time.
  void Add(CommitCause cause, const std::vector<Written>& records, std::uint64_t time_ns) {
    const EngineOptions options = Options();
    auto log = Log::Open({.directory = options.directory,
                          .hot_directory = options.hot_directory,
                          .segment_bytes = options.segment_bytes,
                          .undurable_bytes_max = options.undurable_bytes_max});
    ASSERT_TRUE(log.ok()) << log.status();
    LogWriter& writer = (*log)->writer();
    writer.SetTime(time_ns);
    writer.BeginCommit();
    for (const Written& record : records) {
      std::byte* const room =
          writer.AppendRecord({.kind = record.kind,
                               .type = record.type,
                               .stream = record.stream,
                               .version = Version(record.version),
                               .back_link = Position(record.back_link)},
                              static_cast<std::uint32_t>(record.payload.size()));
      ASSERT_NE(room, nullptr);
      std::memcpy(room, record.payload.data(), record.payload.size());
    }
    static_cast<void>(writer.EndCommit({.cause = cause}));
    static_cast<void>(writer.Publish());
    ASSERT_TRUE((*log)->Close().ok());
  }
  absl::Status OpenAgain() { return Engine::Open(Options(), Aggregates<Alarm>{}).status(); }

  void ExpectDamage(CommitCause cause, const std::vector<Written>& records, const char* words) {
    Add(cause, records, due_ns_ + 1);
    const absl::Status refused = OpenAgain();
    EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(words));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("position "));
  }

  std::uint64_t set_ = 0;  // position
  std::uint64_t due_ns_ = 0;
};

TEST_F(TimerLogTest, WhatAnEngineWritesIsReadByThisPage) {
  Add(CommitCause::kTimer, {{RecordKind::kTimerFired, FiredOf(1, set_)}}, due_ns_);
  ASSERT_TRUE(OpenAgain().ok());
  Open();
  EXPECT_TRUE(Set().empty());
}

TEST_F(TimerLogTest, ATimerFiresOnceOnly) {
  const Written fired{RecordKind::kTimerFired, FiredOf(1, set_)};
  Add(CommitCause::kTimer, {fired}, due_ns_);
  ExpectDamage(CommitCause::kTimer, {fired}, "fired that was not set");
}

TEST_F(TimerLogTest, ATimerThatWasSetAgainDoesNotFireAsTheFirst) {
  Add(CommitCause::kCommand, {{RecordKind::kTimerSet, SetOf(1)}}, due_ns_ - 1);
  ExpectDamage(CommitCause::kTimer, {{RecordKind::kTimerFired, FiredOf(1, set_)}},
               "fired that was not set");
}

TEST_F(TimerLogTest, ATimerThatWasNotSetDoesNotFire) {
  ExpectDamage(CommitCause::kTimer, {{RecordKind::kTimerFired, FiredOf(2, set_)}},
               "fired that was not set");
}

TEST_F(TimerLogTest, ATimerThatWasNotSetIsNotCancelled) {
  ExpectDamage(CommitCause::kCommand, {{RecordKind::kTimerCancelled, CancelledOf(1, set_ + 1)}},
               "cancelled that was not set");
}

TEST_F(TimerLogTest, NoTimerFiresBeforeItIsDue) {
  Add(CommitCause::kTimer, {{RecordKind::kTimerFired, FiredOf(1, set_)}}, due_ns_ - 1);
  EXPECT_THAT(std::string(OpenAgain().message()), HasSubstr("before it was due"));
}

TEST_F(TimerLogTest, ACommitOfATimerBeginsWithIt) {
  ExpectDamage(CommitCause::kTimer, {{RecordKind::kTimerCancelled, CancelledOf(1, set_)}},
               "that no timer begins");
}

TEST_F(TimerLogTest, NoCommandFiresATimer) {
  ExpectDamage(CommitCause::kCommand, {{RecordKind::kTimerFired, FiredOf(1, set_)}},
               "something else caused");
}

TEST_F(TimerLogTest, ATimerFiresAtTheBeginOfACommitOnly) {
  Add(CommitCause::kCommand, {{RecordKind::kTimerSet, SetOf(2)}}, due_ns_ - 1);
  ExpectDamage(CommitCause::kTimer,
               {{RecordKind::kTimerFired, FiredOf(1, set_)},
                {RecordKind::kTimerFired, FiredOf(2, set_ + 2)}},
               "in the middle of a commit");
}

TEST_F(TimerLogTest, ARefusedTimerDidNothing) {
  ExpectDamage(CommitCause::kTimer,
               {{RecordKind::kTimerFired, FiredOf(1, set_, 1)}, {RecordKind::kTimerSet, SetOf(1)}},
               "refused, and did something");
}

TEST_F(TimerLogTest, AnOutcomeThatThereIsNotIsDamage) {
  ExpectDamage(CommitCause::kTimer, {{RecordKind::kTimerFired, FiredOf(1, set_, 3)}}, "refused");
}

TEST_F(TimerLogTest, RecordsOfAWrongSizeAreDamage) {
  ExpectDamage(CommitCause::kTimer, {{RecordKind::kTimerFired, FiredOf(1, set_) + "12345678"}},
               "wrong size");
}
TEST_F(TimerLogTest, ASetRecordThatIsTooShortIsDamage) {
  ExpectDamage(CommitCause::kCommand, {{RecordKind::kTimerSet, "12345678"}}, "too short");
}
TEST_F(TimerLogTest, ATimerOfAWrongSizeIsDamage) {
  ExpectDamage(CommitCause::kCommand, {{RecordKind::kTimerSet, SetOf(3, 16)}}, "wrong size");
}
TEST_F(TimerLogTest, ATimerOfAnUnboundTypeIsDamage) {
  ExpectDamage(CommitCause::kCommand, {{RecordKind::kTimerSet, SetOf(3), 99}}, "unbound type");
}
// Also of those that are over, of which nobody asks what they were.
TEST_F(TimerLogTest, AnEndedTimerOfAnUnboundTypeIsDamage) {
  ExpectDamage(CommitCause::kCommand,
               {{RecordKind::kTimerSet, SetOf(3), 99},
                {RecordKind::kTimerCancelled, CancelledOf(3, set_ + 2), 99}},
               "unbound type");
}
TEST_F(TimerLogTest, AnEndedTimerOfAWrongSizeIsDamage) {
  ExpectDamage(CommitCause::kCommand,
               {{RecordKind::kTimerSet, SetOf(3, 16)},
                {RecordKind::kTimerCancelled, CancelledOf(3, set_ + 2)}},
               "wrong size");
}
TEST_F(TimerLogTest, ATimerWithAVersionIsDamage) {
  ExpectDamage(CommitCause::kCommand, {{RecordKind::kTimerSet, SetOf(3), kDueType, kStream, 1}},
               "version or back-link");
}
TEST_F(TimerLogTest, ATimerWithABackLinkIsDamage) {
  ExpectDamage(CommitCause::kTimer,
               {{RecordKind::kTimerFired, FiredOf(1, set_), kDueType, kStream, 0, set_}},
               "version or back-link");
}
TEST_F(TimerLogTest, ATimerOfAnUnboundStreamIsDamage) {
  ExpectDamage(CommitCause::kCommand, {{RecordKind::kTimerSet, SetOf(3), kDueType, 99}},
               "unbound stream");
}

TEST_F(TimerLogTest, AClockThatWentBackOrDoesNotHoldIsDamage) {
  const auto adopted = [](std::uint64_t held_ns, std::uint64_t adopted_ns) {
    return Written{
        RecordKind::kClockAdopted,
        Bytes(ClockAdopted{.held_ns = held_ns, .adopted_ns = adopted_ns, .stable_ns = 1}), 0, 0};
  };
  Add(CommitCause::kControl, {adopted(due_ns_ - 10, due_ns_)}, due_ns_);
  ASSERT_TRUE(OpenAgain().ok());
  ExpectDamage(CommitCause::kControl, {adopted(due_ns_, due_ns_ + 10)}, "does not hold");
}

TEST_F(TimerLogTest, AClockThatDidNotMoveIsDamage) {
  ExpectDamage(CommitCause::kControl,
               {{RecordKind::kClockAdopted,
                 Bytes(ClockAdopted{.held_ns = 5, .adopted_ns = 5, .stable_ns = 1}), 0, 0}},
               "does not hold");
}

TEST_F(TimerLogTest, AClockIsAdoptedInACommitOfItsOwn) {
  const Written adopted{RecordKind::kClockAdopted,
                        Bytes(ClockAdopted{.held_ns = 5, .adopted_ns = 6, .stable_ns = 1}), 0, 0};
  ExpectDamage(CommitCause::kControl, {adopted, {RecordKind::kTimerSet, SetOf(2)}}, "commit");
}

TEST_F(TimerLogTest, NoCommandAdoptsAClock) {
  const Written adopted{RecordKind::kClockAdopted,
                        Bytes(ClockAdopted{.held_ns = 5, .adopted_ns = 6, .stable_ns = 1}), 0, 0};
  ExpectDamage(CommitCause::kCommand, {adopted}, "commit");
}

TEST_F(TimerLogTest, AClockRecordOfAWrongSizeIsDamage) {
  ExpectDamage(CommitCause::kControl, {{RecordKind::kClockAdopted, "12345678", 0, 0}},
               "wrong size");
}

TEST_F(TimerLogTest, ATimerThatIsSetAndNotListedIsRefusedByName) {
  const absl::Status refused = Engine::Open(Options(), Aggregates<Unaware>{}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("alarm.due version 1"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("Timers"));
  // Once it fired, nobody needs to know what it was.
  Add(CommitCause::kTimer, {{RecordKind::kTimerFired, FiredOf(1, set_)}}, due_ns_);
  EXPECT_TRUE(Engine::Open(Options(), Aggregates<Unaware>{}).ok());
}

TEST_F(TimerLogTest, AChangedTimerIsRefusedWithBothLayouts) {
  const absl::Status refused = Engine::Open(Options(), Aggregates<Changed>{}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("value:i64@0}"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("value:i64@0,more:i64@8"));
}

TEST_F(TimerLogTest, TimersOfAnAggregateThatIsNotOpenedWaitForOneThatIs) {
  EngineOptions options = Options();
  { ASSERT_TRUE(Engine::Open(options, Aggregates<Account>{}).ok()); }
  Open();
  EXPECT_EQ(Set(), (std::vector<SetDue>{{1, 1, due_ns_, 7}}));
  Pass(FakeClock::kHour);
  EXPECT_EQ(Values(), pawl::Values{7});
}

}  // namespace
}  // namespace pawl
