// What the statistics say of views: how late they show what was published, and how far they are.

#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "../core/bank_fixture.h"
#include "../core/manual_clock.h"
#include "pawl/view.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

struct Total {
  using Events = pawl::Events<Deposited>;
  static constexpr int kVersion = 1;
  std::int64_t cents = 0;
  void On(const Deposited& e, const Meta&) noexcept { cents += e.cents; }
};

class VisibleStageTest : public BankTest {
 protected:
  EngineOptions Options() {
    EngineOptions options = directory_.Options(Threads::kHostAll);
    options.clock = &clock_;
    return options;
  }
  View<Total> Make() {
    auto view = Project<Total>(*engine_);
    EXPECT_TRUE(view.ok()) << view.status();
    return *std::move(view);
  }
  void Settle() {
    while (engine_->Poll() != 0) {
    }
  }
  StageTimes Visible() { return engine_->Stats().stage(Stage::kVisible); }

  ManualClock clock_;
};

TEST_F(VisibleStageTest, IsFromTheTurnUntilItIsShownAndOfTheOldestFrame) {
  Open(Options());
  Producer producer = NewProducer();
  clock_.Advance(1ns);  // what Open() wrote is older than the view
  const View<Total> view = Make();
  Settle();
  ASSERT_EQ(Visible().count, 0U);
  const auto run = [&]() noexcept {
    EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  };
  // A query stays in the copy that is shown: one more is, then no other until it leaves.
  const std::int64_t seen = view.Read([&](const Total& total) noexcept {
    run();
    EXPECT_EQ(Visible().count, 1U);
    EXPECT_EQ(Visible().most_ns, 0U);
    run();
    clock_.Advance(9ms);
    run();
    EXPECT_EQ(Visible().count, 1U);
    return total.cents;
  });
  EXPECT_EQ(seen, 0);
  Settle();
  EXPECT_EQ(Visible().count, 2U);
  EXPECT_EQ(Visible().most_ns, 9'000'000U);
  const AgentStats agent = engine_->Stats().agents.at(3);
  EXPECT_EQ(agent.name, "pawl-projector");
  EXPECT_EQ(agent.last_age_ns, 9'000'000U);
  EXPECT_EQ(agent.most_age_ns, 9'000'000U);
  EXPECT_EQ(agent.position, view.position());
  EXPECT_EQ(agent.position, engine_->Stats().position);
  run();
  Settle();
  EXPECT_EQ(engine_->Stats().agents.at(3).last_age_ns, 0U);
  EXPECT_EQ(engine_->Stats().agents.at(3).most_age_ns, 9'000'000U);
}

TEST_F(VisibleStageTest, WhatANewViewCatchesUpWithIsNotLate) {
  Open(Options());
  Producer producer = NewProducer();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  }
  clock_.Advance(24h);
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  clock_.Advance(1ns);
  const View<Total> view = Make();
  Settle();
  EXPECT_EQ(view.Read([](const Total& total) noexcept { return total.cents; }), 51);
  EXPECT_EQ(Visible().count, 0U);
  EXPECT_GT(engine_->Stats().agents.at(3).shows, 0U);
  EXPECT_EQ(engine_->Stats().agents.at(3).position, view.position());
}

TEST_F(VisibleStageTest, ViewsThatEndGiveTheirRowBack) {
  Open(Options());
  for (int round = 0; round < 20; ++round) {
    const View<Total> one = Make();
    const View<Total> other = Make();
    ASSERT_EQ(engine_->Stats().agents.size(), 5U);
  }
  EXPECT_EQ(engine_->Stats().agents.size(), 3U);
}

TEST_F(VisibleStageTest, SwitchedOffNoViewReadsAClock) {
  EngineOptions options = Options();
  options.stats = false;
  Open(options);
  Producer producer = NewProducer();
  const View<Total> view = Make();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  Settle();
  EXPECT_EQ(view.Read([](const Total& total) noexcept { return total.cents; }), 1);
  EXPECT_EQ(Visible().count, 0U);
  EXPECT_EQ(engine_->Stats().agents.at(3).shows, 0U);
}

}  // namespace
}  // namespace pawl
