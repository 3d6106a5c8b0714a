// Clocks that nobody should have: at zero, at the end of the numbers, hours and years off when the
// engine opens. Commands are decided, engine time goes on, timers fire when their time has passed.

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "alarm_domain.h"

namespace pawl {
namespace {

constexpr std::int64_t kSecond = FakeClock::kSecond;
constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

using ClockExtremesTest = AlarmTest;

TEST_F(ClockExtremesTest, ATimerFiresInItsTimeWhateverTheClocksSayWhenTheEngineOpens) {
  struct Clocks {
    std::uint64_t wall_ns;
    std::uint64_t boot_ns;
  };
  for (const Clocks& clocks :
       {Clocks{0, 0}, Clocks{0, FakeClock::kHour}, Clocks{1, 1},
        Clocks{FakeClock::kStart, kMax - 10 * FakeClock::kHour}, Clocks{kMax / 2, FakeClock::kHour},
        Clocks{kMax - FakeClock::kYear, FakeClock::kHour}}) {
    SCOPED_TRACE(::testing::Message() << clocks.wall_ns << " " << clocks.boot_ns);
    const TestDirectory directory;
    clock_.wall_ns = clocks.wall_ns;
    clock_.boot_ns = clocks.boot_ns;
    EngineOptions options = Options();
    options.directory = directory.log();
    options.hot_directory = directory.hot();
    Open(options);
    ASSERT_TRUE(Do(1, SetAlarm{30 * kSecond, 7, 0}).ok());
    Pass(29 * FakeClock::kSecond);
    EXPECT_EQ(Values(), ::pawl::Values{});
    Pass(2 * FakeClock::kSecond);
    EXPECT_EQ(Values(), ::pawl::Values{7});
    Close();
  }
}

// Ten years and an hour, ahead and behind, between two lives: time never goes back, and what was
// set for 30 seconds fires after 30 seconds at most.
TEST_F(ClockExtremesTest, BetweenTwoLivesTheWallClockMayBeAnHourOrTenYearsOff) {
  for (const std::int64_t off : {-1, 1}) {
    for (const std::uint64_t by : {FakeClock::kHour, 10 * FakeClock::kYear}) {
      SCOPED_TRACE(::testing::Message() << off << " " << by);
      const TestDirectory directory;
      clock_ = FakeClock();
      EngineOptions options = Options();
      options.directory = directory.log();
      options.hot_directory = directory.hot();
      Open(options);
      ASSERT_TRUE(Do(1, SetAlarm{30 * kSecond, 7, 0}).ok());
      const std::uint64_t before = Set().at(0).due_ns;
      Close();
      clock_.SetWall(off < 0 ? clock_.wall_ns - by : clock_.wall_ns + by);
      clock_.boot_ns = 5 * FakeClock::kSecond;  // another boot
      Open(options);
      Run();
      if (off < 0) {
        EXPECT_EQ(Values(), ::pawl::Values{});
        Pass(31 * FakeClock::kSecond);
      }
      EXPECT_EQ(Values(), ::pawl::Values{7});
      EXPECT_GE(Rings().at(0).now_ns, before) << "never early";
      Close();
    }
  }
}

// The end of time: nothing wraps, commands are decided, and the log opens again.
TEST_F(ClockExtremesTest, AtTheEndOfTimeCommandsAreDecided) {
  clock_.wall_ns = kMax;
  for (int life = 1; life <= 2; ++life) {
    Open();
    for (std::int64_t i = 0; i < 3; ++i) ASSERT_TRUE(Do(1, Ring{i}).ok());
    ASSERT_TRUE(Do(1, SetAlarm{kSecond, 7, 0}).ok());
    Pass(FakeClock::kHour);
    ASSERT_TRUE(Do(1, Ring{9}).ok());
    Close();
    clock_ = FakeClock();
  }
  Open();
  EXPECT_GE(Rings().size(), 8U);
}

}  // namespace
}  // namespace pawl
