// The time that commits carry, under a clock that people set.

#include <cstdint>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "fake_clock.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

class EngineTimeTest : public BankTest {
 protected:
  void OpenEngine() {
    EngineOptions options = directory_.Options(Threads::kHostAll);
    options.clock = &clock_;
    Open(options);
  }
  // A deposit, `ns` after the one before.
  void DepositAfter(std::uint64_t ns) {
    clock_.Advance(ns);
    Producer producer = NewProducer();
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  }
  // Of all frames, in the order of the log.
  std::vector<std::uint64_t> Times() {
    std::vector<std::uint64_t> times;
    LogReader reader = engine_->log().NewReader();
    while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
      times.push_back(frame->time_ns);
    }
    return times;
  }

  FakeClock clock_;
};

TEST_F(EngineTimeTest, IsTheWallClocksWhileNobodySetsIt) {
  OpenEngine();
  for (int i = 0; i < 10; ++i) {
    DepositAfter(FakeClock::kSecond);
    EXPECT_EQ(Times().back(), clock_.wall_ns);
  }
}

TEST_F(EngineTimeTest, NeverGoesBackAndNeverStandsStillWhateverIsDoneToTheWallClock) {
  OpenEngine();
  std::uint64_t last = clock_.wall_ns;
  for (const std::int64_t hours : {-1, 1, 1, -1, -87'600, 87'600}) {
    clock_.wall_ns += static_cast<std::uint64_t>(hours) * FakeClock::kHour;
    for (int i = 0; i < 10; ++i) {
      DepositAfter(FakeClock::kSecond);
      const std::uint64_t now = Times().back();
      EXPECT_GE(now - last, FakeClock::kSecond / 100 * 99) << hours;
      EXPECT_LE(now - last, FakeClock::kSecond / 100 * 101) << hours;
      last = now;
    }
  }
}

TEST_F(EngineTimeTest, ALogFromTheFutureGoesOnFromThere) {
  clock_.wall_ns += 10 * FakeClock::kYear;
  OpenEngine();
  DepositAfter(FakeClock::kSecond);
  const std::uint64_t future = Times().back();
  EXPECT_EQ(future, clock_.wall_ns);
  engine_.reset();
  clock_.wall_ns -= 10 * FakeClock::kYear;
  clock_.boot_ns = 0;  // another boot
  OpenEngine();
  for (int i = 1; i <= 10; ++i) {
    DepositAfter(FakeClock::kSecond);
    EXPECT_EQ(Times().back(),
              future + static_cast<std::uint64_t>(i) * FakeClock::kSecond / 100 * 99);
  }
}

}  // namespace
}  // namespace pawl
