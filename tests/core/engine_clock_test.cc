// Engine time: monotone, never still, near the boot clock's rate, and in the end where the wall is.

#include "engine_clock.h"

#include <algorithm>
#include <cstdint>
#include <random>

#include <gtest/gtest.h>

#include "fake_clock.h"
#include "test_seed.h"

namespace pawl {
namespace {

constexpr std::uint64_t kMillisecond = FakeClock::kMillisecond;
constexpr std::uint64_t kSecond = FakeClock::kSecond;
constexpr std::uint64_t kHour = FakeClock::kHour;
constexpr std::uint64_t kYear = FakeClock::kYear;

class EngineClockTest : public ::testing::Test {
 protected:
  // Lets both clocks pass `ns` in steps and ticks after each, as a loop that has work does.
  void Pass(EngineClock& time, std::uint64_t ns, std::uint64_t step = kMillisecond) {
    for (; ns >= step; ns -= step) {
      clock_.Advance(step);
      time.Tick();
    }
  }
  // What engine time advances by while `ns` pass.
  std::uint64_t Advance(EngineClock& time, std::uint64_t ns, std::uint64_t step = kMillisecond) {
    const std::uint64_t before = time.now_ns();
    Pass(time, ns, step);
    return time.now_ns() - before;
  }

  FakeClock clock_;
};

TEST_F(EngineClockTest, StartsAtTheWallClockOrTheLastCommitWhicheverIsLater) {
  EXPECT_EQ(EngineClock(clock_, 0).now_ns(), clock_.wall_ns);
  EXPECT_EQ(EngineClock(clock_, clock_.wall_ns - 1).now_ns(), clock_.wall_ns);
  EXPECT_EQ(EngineClock(clock_, clock_.wall_ns + kHour).now_ns(), clock_.wall_ns + kHour);
}

TEST_F(EngineClockTest, FollowsTheBootClockToTheNanosecondWhileTheWallAgrees) {
  EngineClock time(clock_, 0);
  for (const std::uint64_t step : {std::uint64_t{1}, std::uint64_t{99}, kMillisecond, kHour}) {
    clock_.Advance(step);
    EXPECT_EQ(time.Tick(), clock_.wall_ns);
  }
  EXPECT_EQ(time.Tick(), clock_.wall_ns) << "nothing passed";
}

TEST_F(EngineClockTest, LooksAtTheWallOnceInTenMilliseconds) {
  EngineClock time(clock_, 0);
  clock_.wall_reads = 0;
  Pass(time, kSecond, kMillisecond / 100);
  EXPECT_EQ(clock_.wall_reads, 100);
}

TEST_F(EngineClockTest, CountsSuspend) {
  EngineClock time(clock_, 0);
  clock_.Advance(8 * kHour);  // nobody ran
  EXPECT_EQ(time.Tick(), clock_.wall_ns);
  EXPECT_EQ(Advance(time, kSecond), kSecond);
  EXPECT_FALSE(time.is_step_due());
}

TEST_F(EngineClockTest, AWallClockSetForwardByLessThanASecondIsFollowedAtOneHundredthMore) {
  EngineClock time(clock_, 0);
  clock_.wall_ns += kSecond;
  Pass(time, 10 * kMillisecond);  // until the next look
  EXPECT_EQ(Advance(time, 10 * kSecond), 10 * kSecond + 100 * kMillisecond);
  Pass(time, 200 * kSecond);
  EXPECT_EQ(time.now_ns(), clock_.wall_ns);
  EXPECT_FALSE(time.is_step_due());
}

TEST_F(EngineClockTest, AWallClockSetBackTenSecondsSlowsItDownUntilTheWallIsThere) {
  EngineClock time(clock_, 0);
  Pass(time, kSecond);
  clock_.wall_ns -= 10 * kSecond;
  Pass(time, 10 * kMillisecond);
  EXPECT_EQ(Advance(time, 10 * kSecond), 9'900 * kMillisecond);
  Pass(time, 980 * kSecond);
  EXPECT_GT(time.now_ns(), clock_.wall_ns);
  Pass(time, 20 * kSecond);
  EXPECT_EQ(time.now_ns(), clock_.wall_ns);
}

TEST_F(EngineClockTest, ADriftOf500PpmIsFollowedWithinTenMicroseconds) {
  for (const std::int64_t ppm : {500, -500}) {
    FakeClock clock;
    EngineClock time(clock, 0);
    for (int i = 0; i < 600'000; ++i) {  // ten minutes
      clock.Advance(kMillisecond);
      clock.wall_ns += static_cast<std::uint64_t>(ppm);  // parts of a million nanoseconds
      time.Tick();
      const auto apart = static_cast<std::int64_t>(clock.wall_ns - time.now_ns());
      ASSERT_LE(std::abs(apart), 10'000) << "after " << i << " ms at " << ppm << " ppm";
    }
  }
}

TEST_F(EngineClockTest, ATimerOf30SecondsIsNotMovedByAWallClockTenYearsOffAndBack) {
  EngineClock time(clock_, 0);
  const std::uint64_t due = time.now_ns() + 30 * kSecond;
  const std::uint64_t begun = clock_.boot_ns;
  Pass(time, 10 * kSecond);
  clock_.wall_ns += 10 * kYear;
  Pass(time, 10 * kSecond);
  EXPECT_FALSE(time.is_step_due());
  clock_.wall_ns -= 10 * kYear;
  while (time.now_ns() < due) Pass(time, kMillisecond);
  const std::uint64_t waited = clock_.boot_ns - begun;
  EXPECT_GE(waited, 29'800 * kMillisecond);
  EXPECT_LE(waited, 30'200 * kMillisecond);
}

TEST_F(EngineClockTest, AnHourForwardIsAdoptedAfterSixtySecondsAndNotBefore) {
  EngineClock time(clock_, 0);
  clock_.wall_ns += kHour;
  Pass(time, 10 * kMillisecond);  // seen
  Pass(time, 59'990 * kMillisecond);
  EXPECT_FALSE(time.is_step_due());
  Pass(time, 10 * kMillisecond);
  ASSERT_TRUE(time.is_step_due());
  EXPECT_LT(time.now_ns(), clock_.wall_ns - kHour + kSecond) << "it only slews until then";
  const std::uint64_t held = time.now_ns();
  const ClockAdopted adopted = time.Adopt();
  EXPECT_EQ(adopted.held_ns, held);
  EXPECT_EQ(adopted.adopted_ns, clock_.wall_ns);
  EXPECT_EQ(adopted.stable_ns, EngineClock::kStableNs);
  EXPECT_EQ(time.now_ns(), clock_.wall_ns);
  EXPECT_FALSE(time.is_step_due());
  Pass(time, kMillisecond);
  EXPECT_EQ(time.now_ns(), clock_.wall_ns);
  EXPECT_EQ(Advance(time, kSecond), kSecond);
}

TEST_F(EngineClockTest, AStepThatIsNotAdoptedIsFollowedAtOneHundredthMore) {
  EngineClock time(clock_, 0);
  clock_.wall_ns += kHour;
  Pass(time, 10 * kMillisecond);
  EXPECT_EQ(Advance(time, 200 * kSecond), 202 * kSecond);
  EXPECT_TRUE(time.is_step_due());
}

TEST_F(EngineClockTest, AWallClockThatStepsAgainBeginsAnew) {
  EngineClock time(clock_, 0);
  clock_.wall_ns += kHour;
  Pass(time, 50 * kSecond);
  clock_.wall_ns += kSecond / 5;
  Pass(time, 50 * kSecond);
  EXPECT_FALSE(time.is_step_due());
  Pass(time, 11 * kSecond);
  EXPECT_TRUE(time.is_step_due());
  clock_.wall_ns -= kHour;  // and back, before anybody adopted it
  Pass(time, 20 * kMillisecond);
  EXPECT_FALSE(time.is_step_due());
}

TEST_F(EngineClockTest, AWallClockThatStepsBackAndStaysAheadBeginsAnew) {
  EngineClock time(clock_, 0);
  clock_.wall_ns += kHour;
  Pass(time, 50 * kSecond);
  clock_.wall_ns -= kSecond / 5;
  Pass(time, 50 * kSecond);
  EXPECT_FALSE(time.is_step_due());
}

TEST_F(EngineClockTest, TheSameStepAfterAWayBackBeginsAnew) {
  EngineClock time(clock_, 0);
  clock_.wall_ns += 10 * kYear;
  Pass(time, 40 * kSecond);
  clock_.wall_ns -= 10 * kYear;
  Pass(time, kSecond);
  clock_.wall_ns += 10 * kYear;
  Pass(time, 40 * kSecond);
  EXPECT_FALSE(time.is_step_due());
  Pass(time, 21 * kSecond);
  EXPECT_TRUE(time.is_step_due());
}

TEST_F(EngineClockTest, AWallClockThatDriftsAfterItsStepIsStable) {
  EngineClock time(clock_, 0);
  clock_.wall_ns += kHour;
  for (int i = 0; i < 61'000; ++i) {
    clock_.Advance(kMillisecond);
    clock_.wall_ns += 500;  // 500 ppm
    time.Tick();
  }
  EXPECT_TRUE(time.is_step_due());
}

// A turn after a long rest may find the whole step within the hundredth of what passed.
TEST_F(EngineClockTest, AStepThatWasSlewedMeanwhileIsNotDue) {
  EngineClock time(clock_, 0);
  clock_.wall_ns += 2 * kSecond;
  Pass(time, 10 * kMillisecond);
  clock_.Advance(kHour);
  EXPECT_EQ(time.Tick(), clock_.wall_ns);
  EXPECT_FALSE(time.is_step_due());
}

TEST_F(EngineClockTest, ABackwardStepIsNeverAdopted) {
  EngineClock time(clock_, 0);
  clock_.wall_ns -= kHour;
  Pass(time, 300 * kSecond);
  EXPECT_FALSE(time.is_step_due());
  EXPECT_GT(time.now_ns(), clock_.wall_ns + kHour - 4 * kSecond);
}

TEST_F(EngineClockTest, ALogTenYearsAheadGoesOnFromThereAndWaitsForTheWall) {
  const std::uint64_t last = clock_.wall_ns + 10 * kYear;
  EngineClock time(clock_, last);
  EXPECT_EQ(Advance(time, 100 * kSecond), 99 * kSecond);
  EXPECT_EQ(time.now_ns(), last + 99 * kSecond);
  // The wall catches up by itself: whoever set it back corrects it.
  clock_.wall_ns += 10 * kYear;
  Pass(time, 200 * kSecond);
  EXPECT_EQ(time.now_ns(), clock_.wall_ns);
}

TEST_F(EngineClockTest, ABootClockThatWentBackIsFollowedFromThere) {
  EngineClock time(clock_, 0);
  Pass(time, kSecond);
  const std::uint64_t before = time.now_ns();
  clock_.boot_ns = 5;
  EXPECT_EQ(time.Tick(), before);
  clock_.boot_ns += 100;
  EXPECT_GT(time.Tick(), before);
}

TEST_F(EngineClockTest, TimesAtTheEndOfTheNumbersDoNotWrap) {
  clock_.SetWall(UINT64_MAX);
  EngineClock late(clock_, 0);
  EXPECT_EQ(late.now_ns(), std::uint64_t{INT64_MAX}) << "a wall clock beyond 2262 is as of 2262";
  Pass(late, 10 * kMillisecond);  // until the next look; the wall stands there
  EXPECT_EQ(Advance(late, kSecond), 990 * kMillisecond);

  FakeClock clock;
  EngineClock last(clock, UINT64_MAX - 1000);
  std::uint64_t before = last.now_ns();
  for (const std::uint64_t step : {std::uint64_t{500}, kSecond, kYear, kYear}) {
    clock.Advance(step);
    EXPECT_GE(last.Tick(), before);
    before = last.now_ns();
  }
  EXPECT_EQ(last.now_ns(), UINT64_MAX);

  FakeClock lowest;
  lowest.wall_ns = lowest.boot_ns = 0;
  EngineClock first(lowest, 0);
  EXPECT_EQ(first.now_ns(), 0U);
  lowest.boot_ns = UINT64_MAX;  // all at once
  EXPECT_GE(first.Tick(), UINT64_MAX / 100 * 99);
}

// Histories of both clocks, with all that is done to them. In each step engine time advances by
// 0.99 to 1.01 of what the boot clock says, and by at least a nanosecond.
TEST_F(EngineClockTest, NoHistoryOfTheClocksMakesItStandStillJumpOrGoBack) {
  std::mt19937_64 random(SeedOfTest());
  for (int history = 0; history < 200; ++history) {
    FakeClock clock;
    const std::uint64_t last = random() % 3 == 0 ? clock.wall_ns + random() % (11 * kYear) : 0;
    EngineClock time(clock, last);
    ASSERT_GE(time.now_ns(), last);
    for (int i = 0; i < 5'000; ++i) {
      const std::uint64_t passes = 1 + random() % (std::uint64_t{1} << (random() % 45));
      clock.Advance(passes);
      const std::uint64_t off = random() % (std::uint64_t{1} << (random() % 59));
      switch (random() % 50) {
        case 0: clock.wall_ns += off; break;
        case 1: clock.wall_ns -= std::min(off, clock.wall_ns); break;
        case 2: clock.SetWall(FakeClock::kStart); break;
        default: break;
      }
      const std::uint64_t before = time.now_ns();
      const std::uint64_t advanced = time.Tick() - before;
      ASSERT_GE(advanced, std::max<std::uint64_t>(1, passes - passes / 100))
          << "history " << history << " step " << i;
      ASSERT_LE(advanced, passes + passes / 100) << "history " << history << " step " << i;
      if (time.is_step_due() && random() % 4 == 0) {
        const ClockAdopted adopted = time.Adopt();
        ASSERT_EQ(adopted.held_ns, before + advanced);
        ASSERT_GT(adopted.adopted_ns, adopted.held_ns + kSecond);
        ASSERT_GE(adopted.stable_ns, 60 * kSecond);
        ASSERT_EQ(time.now_ns(), adopted.adopted_ns);
      }
    }
  }
}

// Whatever the wall clock did: left alone, engine time comes to it.
TEST_F(EngineClockTest, OnceTheWallClockIsRightAgainSoIsEngineTime) {
  std::mt19937_64 random(SeedOfTest());
  for (int history = 0; history < 50; ++history) {
    FakeClock clock;
    EngineClock time(clock, 0);
    for (int i = 0; i < 100; ++i) {
      clock.Advance(random() % kSecond);
      clock.wall_ns += random() % (8 * kSecond);
      clock.wall_ns -= random() % (8 * kSecond);
      time.Tick();
    }
    for (int i = 0; i < 2'000'000 && time.now_ns() != clock.wall_ns; ++i) {
      clock.Advance(100 * kMillisecond);
      time.Tick();
      if (time.is_step_due()) time.Adopt();
    }
    ASSERT_EQ(time.now_ns(), clock.wall_ns) << "history " << history;
  }
}

// What a sleep until then takes: not a moment too early, nor late, while it leans either way.
TEST_F(EngineClockTest, TellsHowMuchBootTimePassesUntilATime) {
  for (const std::int64_t hours : {0, 1, -1}) {
    for (const std::uint64_t delay : {std::uint64_t{1}, kSecond, 30 * kSecond, kYear}) {
      FakeClock clock;
      EngineClock time(clock, 0);
      clock.wall_ns += static_cast<std::uint64_t>(hours) * kHour;
      clock.Advance(10 * kMillisecond);
      time.Tick();
      EXPECT_EQ(time.BootNsUntil(time.now_ns()), 0U);
      const std::uint64_t due_ns = time.now_ns() + delay;
      clock.Advance(time.BootNsUntil(due_ns));
      time.Tick();
      const std::uint64_t apart = std::max(time.now_ns(), due_ns) - std::min(time.now_ns(), due_ns);
      EXPECT_LE(apart, 1U) << hours << " hours, " << delay << " ns";
    }
  }
}

}  // namespace
}  // namespace pawl
