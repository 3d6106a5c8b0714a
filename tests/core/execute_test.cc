// The blocking call: its results, its deadline, and the completions it leaves alone.

#include <chrono>
#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

using std::chrono::milliseconds;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

using ExecuteTest = BankTest;

TEST_F(ExecuteTest, ARefusalCarriesItsCode) {
  Open();
  Producer producer = NewProducer();
  const auto poor = producer.Execute<Account>(Key(1), Withdraw{1}, kQuick);
  EXPECT_EQ(poor.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(RefusalCode(poor.status()), Account::kInsufficientFunds);
  const auto nobody = producer.Execute<Account>(Key(1), Transfer{Key(2), 1}, kQuick);
  EXPECT_EQ(RefusalCode(nobody.status()), Account::kNoSuchAccount);
  EXPECT_EQ(RefusalCode(absl::OkStatus()), 0);
  EXPECT_EQ(RefusalCode(absl::FailedPreconditionError("another")), 0);
}

TEST_F(ExecuteTest, OtherCompletionsStayInTheRingInOrder) {
  Open();
  Producer producer = NewProducer("teller");
  std::vector<std::uint64_t> executed;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Withdraw{1'000'000}, kQuick));
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{100}, kQuick).ok());
    executed.push_back(producer.last_sequence().value());
  }
  const std::set<std::uint64_t> taken(executed.begin(), executed.end());
  const std::vector<Completion> got = Collect(producer, 40);
  std::uint64_t expected = 0;
  for (const Completion& c : got) {
    do ++expected;
    while (taken.contains(expected));
    EXPECT_EQ(c.sequence.value(), expected);
  }
  EXPECT_EQ(producer.Poll([](const Completion&) noexcept {}), 0U);
  EXPECT_EQ(producer.in_flight(), 0U);
}

TEST_F(ExecuteTest, WithAWindowFullOfAnswersItSaysSoInsteadOfWaiting) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  while (producer.Submit<Account>(Key(1), Deposit{1}, kQuick)) {
  }
  // Answers are only under way: it waits for them, then has no credit until the caller polls.
  const auto refused = producer.Execute<Account>(Key(1), Deposit{1}, kQuick, milliseconds(50));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
  Collect(producer, producer.window());
  EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
}

TEST_F(ExecuteTest, TheDeadlineLeavesTheOutcomeOpenAndAResendTellsIt) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.storage = &gate;
  Open(options);
  {
    Producer producer = NewProducer("teller");
    const GateOpener opener(gate);
    gate.Shut();
    const auto late =
        producer.Execute<Account>(Key(1), Deposit{1}, {.ack = Ack::kDurable}, milliseconds(20));
    EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded) << late.status();
    EXPECT_EQ(producer.in_flight(), 1U);
    gate.Open();
    const auto again = producer.Execute<Account>(
        Key(1), Deposit{1}, {.ack = Ack::kDurable, .resend = producer.last_sequence()});
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->version, Version(1));
    EXPECT_EQ(Collect(producer, 1)[0].sequence, Sequence(1));
    EXPECT_EQ(producer.in_flight(), 0U);
    EXPECT_EQ(Balances()[0].second, 1);
  }
  engine_.reset();  // before its storage
}

TEST_F(ExecuteTest, MistakesOfTheCallerAreInvalidArgument) {
  Open();
  Producer producer = NewProducer();
  EXPECT_EQ(producer.Execute<Account>(Key(0), Deposit{1}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(producer.Execute<Probe>(Key(1), EmitEmpty{}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(producer.Execute<Account>(Key(1), Deposit{1}, {.resend = Sequence(1)}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ExecuteTest, ATimeoutOfZeroSendsAndDoesNotWait) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const auto sent = producer.Execute<Account>(Key(1), Deposit{1}, kQuick, milliseconds(0));
  EXPECT_EQ(sent.status().code(), absl::StatusCode::kDeadlineExceeded);
  Collect(producer, 1);
  EXPECT_EQ(Balances()[0].second, 1);
}

}  // namespace
}  // namespace pawl
