// Files of an engine cut short while it runs, with the guard that is for the whole process: hence a
// program of its own.

#include "pawl/fault_guard.h"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "../core/bank_fixture.h"
#include "pawl/view.h"

namespace pawl {
namespace {

struct Sum {
  using Events = pawl::Events<Deposited>;
  static constexpr int kVersion = 1;
  std::int64_t cents = 0;
  void On(const Deposited& e, const Meta&) noexcept { cents += e.cents; }
};

class EngineFaultGuardTest : public BankTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(InstallFaultGuard().ok());
    Open(Threads::kHostAll);
  }
};

TEST_F(EngineFaultGuardTest, WhatWasNotPublishedIsNotAcknowledgedAtAnyLevel) {
  {
    auto view = Project<Sum>(*engine_);
    ASSERT_TRUE(view.ok()) << view.status();
    Producer teller = NewProducer("teller");
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}).ok());
    ASSERT_TRUE(view->Read(AtLeast(Position(1), std::chrono::seconds(60)),
                           [](const Sum& sum) noexcept { return sum.cents; })
                    .ok());
    const Address published = engine_->log().published();

    ASSERT_EQ(::truncate((directory_.hot() + "/0000000000.img").c_str(), 0), 0);
    for (const Ack ack : {Ack::kPublished, Ack::kDurable}) {
      ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{5}, {.ack = ack}));
    }
    for (const Completion& each : Collect(teller, 2)) {
      EXPECT_EQ(each.verdict.kind(), VerdictKind::kUnknown);
    }
    EXPECT_EQ(engine_->log().published(), published);
    EXPECT_EQ(engine_->health(), EngineHealth::kFailed);
    EXPECT_FALSE(teller.Submit<Account>(Key(1), Deposit{5}));
    EXPECT_EQ(view->Read([](const Sum& sum) noexcept { return sum.cents; }), 100);
  }
  engine_.reset();
  // Its memory is not what was published any more: as after a power cut.
  std::filesystem::remove_all(directory_.hot());
  Open(Threads::kHostAll);
  EXPECT_EQ(Balances(), (std::vector<std::pair<Key, std::int64_t>>{{Key(1), 100}}));
}

TEST_F(EngineFaultGuardTest, AViewDoesNotShowZerosForEvents) {
  Producer teller = NewProducer();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, {.ack = Ack::kPublished}).ok());
  }
  auto view = Project<Sum>(*engine_);
  ASSERT_TRUE(view.ok()) << view.status();
  ASSERT_EQ(::truncate((directory_.hot() + "/0000000000.img").c_str(), 65536), 0);
  for (int i = 0; i < 1000; ++i) engine_->Poll();
  const auto seen = view->Read([](const Sum& sum, Position position) noexcept {
    return std::pair<std::int64_t, std::uint64_t>(sum.cents, position.value());
  });
  // Epoch, two types, category and stream come first; then one cent each.
  EXPECT_EQ(seen.first, seen.second < 5 ? 0 : static_cast<std::int64_t>(seen.second) - 5);
  EXPECT_LT(seen.first, 1000);
  EXPECT_TRUE(absl::IsDataLoss(view->status())) << view->status();
}

// What stood in the file of commands reads as zeros then: nothing of it is decided.
TEST_F(EngineFaultGuardTest, CommandsThatWereTakenAwayAreNotDecidedFromZeros) {
  for (const off_t left : {off_t{0}, off_t{4096}}) {
    for (const char* const session : {"", "teller"}) {
      engine_.reset();
      std::filesystem::remove_all(directory_.hot());
      Open(Threads::kHostAll);
      Producer producer = NewProducer(session);
      ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{100}).ok());
      const Address published = engine_->log().published();
      const auto before = Balances();
      for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{5}, {.ack = Ack::kPublished}));
      }
      ASSERT_EQ(::truncate((directory_.hot() + "/flight").c_str(), left), 0);
      ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{5}, {.ack = Ack::kPublished}));
      for (const Completion& each : Collect(producer, 51)) {
        EXPECT_TRUE(each.verdict.kind() == VerdictKind::kUnknown ||
                    each.verdict.kind() == VerdictKind::kUnavailable);
      }
      EXPECT_EQ(engine_->log().published(), published) << left << session;
      EXPECT_EQ(engine_->health(), EngineHealth::kFailed);
      engine_->Poll(kWholeTurns);  // the answers' turn goes on to its end
      EXPECT_FALSE(producer.Submit<Account>(Key(1), Deposit{5}));
      EXPECT_EQ(Balances().size(), before.size());
    }
  }
}

}  // namespace
}  // namespace pawl
