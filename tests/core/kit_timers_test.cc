// Given, when, then with timers: what is set, what fires while time passes, and what is said of
// what is wrong.

#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "failure_log.h"
#include "pawl/testing.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;
using testing::Given;
using testing::TimerCancelled;
using testing::TimerSet;
using testing::TimerSetAt;

constexpr std::int64_t kSecond = FakeClock::kSecond;
constexpr std::uint64_t kStartNs =
    static_cast<std::uint64_t>(testing::kStartOfTime.time_since_epoch().count());

TEST(KitTimersTest, ThenSeesWhatWasSetAndCancelledInItsOrder) {
  Given<Alarm>()
      .When(SetAlarm{30 * kSecond, 7, 0})
      .Then(TimerSet(30s, Due{7}))
      .When(SetAlarm{kSecond, 8, 5})
      .Then(TimerSet(1s, Due{8}, 5))
      .When(SetAlarmAt{kStartNs + 9, 9, 0})
      .Then(TimerSetAt(kStartNs + 9, Due{9}))
      .When(SetAlarmAt{kStartNs - 9, 9, 0})
      .Then(TimerSetAt(kStartNs - 9, Due{9}))
      .When(SetAlarmAt{kStartNs - 9, 9, 0})
      .Then(TimerSet(0s, Due{9}))
      .When(CancelAlarm{5})
      .Then(TimerCancelled<Due>(5))
      .When(CancelAlarm{5})
      .ThenNothing()
      .When(SetKnock{-1})
      .Then(TimerSet<Knock>(0s))
      .When(RingAndSet{3})
      .Then(Rang{3, kStartNs}, TimerSet(1h, Due{3}));
}

TEST(KitTimersTest, WhatIsDueFiresWhileTimePasses) {
  Given<Alarm>()
      .When(SetAlarm{30 * kSecond, 7, 0})
      .Then(TimerSet(30s, Due{7}))
      .After(30s - 1ns)
      .ThenNothing()
      .After(1ns)
      .Then(Rang{7, kStartNs + 30 * FakeClock::kSecond})
      .After(24h)
      .ThenNothing()
      .ThenState([](const Alarm::State& s) { EXPECT_EQ(s.rings, 1U); });
}

TEST(KitTimersTest, EachFiresAtItsTimeInTheOrderOfTheEngine) {
  Given<Alarm>(TimerSet(3s, Due{1}, 1), TimerSet(2s, Due{2}, 2), TimerSet(3s, Due{3}, 3),
               TimerSet(2s, Due{4}, 4), TimerSet(2s, Due{5}, 2))
      .After(1h)
      .Then(Rang{4, kStartNs + 2 * FakeClock::kSecond}, Rang{5, kStartNs + 2 * FakeClock::kSecond},
            Rang{1, kStartNs + 3 * FakeClock::kSecond}, Rang{3, kStartNs + 3 * FakeClock::kSecond});
}

TEST(KitTimersTest, TimersThatTimersSetFireToo) {
  Given<Alarm>(TimerSet<Due>(1s, Due{Due::kRepeats}))
      .After(2s)
      .Then(TimerSet<Due>(1s, Due{Due::kRepeats}),
            Rang{Due::kRepeats, kStartNs + FakeClock::kSecond},
            TimerSet<Due>(1s, Due{Due::kRepeats}),
            Rang{Due::kRepeats, kStartNs + 2 * FakeClock::kSecond});
}

TEST(KitTimersTest, ARefusedTimerIsOver) {
  Given<Alarm>(TimerSet<Due>(1s, Due{Due::kRefuses}))
      .After(1s)
      .ThenRefused(Alarm::kRefusal)
      .After(1h)
      .ThenNothing();
}

TEST(KitTimersTest, ARefusedCommandHasSetNothing) {
  Given<Alarm>(TimerSet(10s, Due{1}, 1), TimerSet(10s, Due{2}, 2))
      .When(Juggle{true})
      .ThenRefused(Alarm::kRefusal)
      .After(10s)
      .Then(Rang{1, kStartNs + 10 * FakeClock::kSecond},
            Rang{2, kStartNs + 10 * FakeClock::kSecond});
}

TEST(KitTimersTest, LimitsOfTimersAreTheEngines) {
  Given<Alarm>()
      .Within({.timers_max = 2})
      .When(SetMany{0, 2, kSecond})
      .Then(TimerSet(1s, Due{1}, 0), TimerSet(1s, Due{1}, 1))
      .When(SetAlarm{kSecond, 1, 2})
      .ThenLimitExceeded()
      .When(SetAlarm{kSecond, 1, 1})
      .Then(TimerSet(1s, Due{1}, 1));
}

TEST(KitTimersTest, AnAggregateThatOnlyHasATimerDoesNotExist) {
  Given<Alarm>(TimerSet(1h, Due{1}))
      .WhenOn<Alarm>(Key(2), AskOf{testing::kKey})
      .ThenOn<Alarm>(Key(2), TimerSet(1h, Due{1}), Rang{0, kStartNs});
}

TEST(KitTimersTest, SaysWhatDiffers) {
  const std::string wrong = FailureOf([] {
    Given<Alarm>().When(SetAlarm{30 * kSecond, 7, 5}).Then(TimerSet(31s, Due{8}, 6));
  });
  EXPECT_NE(wrong.find("alarm.due: value: expected 8, was 7"), std::string::npos) << wrong;
  EXPECT_NE(wrong.find("id: expected 6, was 5"), std::string::npos) << wrong;
  EXPECT_NE(wrong.find("due: expected after 31 s, was after 30 s"), std::string::npos) << wrong;
  const std::string missing = FailureOf([] {
    Given<Alarm>().When(Ring{1}).Then(Rang{1, kStartNs}, TimerSet<Due>(1s));
  });
  EXPECT_NE(missing.find("missing: timer alarm.due{value: 0}, due after 1 s"), std::string::npos)
      << missing;
}

TEST(KitTimersTest, WhatFiredIsToBeChecked) {
  const std::string unchecked = FailureOf([] { Given<Alarm>(TimerSet<Due>(1s)).After(1s); });
  EXPECT_NE(unchecked.find("while time passed: alarm.due on alarm 1: nothing was checked"),
            std::string::npos)
      << unchecked;
}

TEST(KitTimersTest, TimersThatNeverEndAreAnError) {
  const std::string endless = FailureOf([] {
    Given<Alarm>(TimerSet<Due>(1s, Due{Due::kForEver})).After(1s).ThenState([](auto&) {});
  });
  EXPECT_NE(endless.find("1000 timers fired and there are more"), std::string::npos) << endless;
}

}  // namespace
}  // namespace pawl
