// P5: after a failed sync nothing is accepted, at any level, until the log is opened again.

#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kPublished{.ack = Ack::kPublished};
constexpr SubmitOptions kDurable{.ack = Ack::kDurable};

class FailedSyncTest : public BankTest {
 protected:
  void OpenGated(Threads threads = Threads::kOwn) {
    EngineOptions options = directory_.Options(threads);
    options.storage = &gate_;
    Open(options);
  }
  void AwaitFailure() {
    ASSERT_TRUE(Await([&] { return engine_->health() == EngineHealth::kFailed; }));
  }

  GateStorage gate_;
};

TEST_F(FailedSyncTest, PendingAnswersEndUnknownAndNewCommandsAreUnavailable) {
  OpenGated();
  const GateOpener opener(gate_);
  Producer teller = NewProducer("teller");
  Producer other = NewProducer();
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, kDurable).ok());
  gate_.Shut();
  ASSERT_TRUE(other.Execute<Account>(Key(9), Deposit{1}, kPublished).ok());
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{5}, kDurable));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Withdraw{999}, kDurable));
  ASSERT_TRUE(other.Execute<Account>(Key(9), Deposit{1}, kPublished).ok());
  gate_.Break();

  for (const Completion& pending : Collect(teller, 2)) {
    EXPECT_EQ(pending.verdict.kind(), VerdictKind::kUnknown);
  }
  AwaitFailure();
  const std::uint64_t published = engine_->log().published().value();
  for (const SubmitOptions& options : {kPublished, kDurable}) {
    const Sent sent = teller.Submit<Account>(Key(1), Deposit{5}, options);
    if (sent) {
      EXPECT_EQ(Collect(teller, 1)[0].verdict.kind(), VerdictKind::kUnavailable);
    } else {
      EXPECT_EQ(sent.fault(), SendFault::kUnavailable);
      EXPECT_EQ(sent.code(), absl::StatusCode::kUnavailable);
    }
    EXPECT_EQ(teller.Execute<Account>(Key(1), Deposit{5}, options).status().code(),
              absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(engine_->NewProducer().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(engine_->log().published().value(), published);
}

TEST_F(FailedSyncTest, QueuedCommandsAreUnavailableAndNotExecuted) {
  OpenGated(Threads::kHost);  // the host decides when the loop runs
  const GateOpener opener(gate_);
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, kDurable).ok());
  gate_.Break();
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{5}, kPublished).ok());
  AwaitFailure();
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1000}, kPublished));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1000}, kDurable));
  for (const Completion& queued : Collect(teller, 2)) {
    EXPECT_EQ(queued.verdict.kind(), VerdictKind::kUnavailable);
  }
  EXPECT_EQ(Balances()[0].second, 105);
}

TEST_F(FailedSyncTest, TheErrorNamesFileAndErrnoAndReadsGoOn) {
  OpenGated();
  const GateOpener opener(gate_);
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, kDurable).ok());
  gate_.Break();
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{5}, kPublished).ok());
  AwaitFailure();
  const std::string error(engine_->error().message());
  EXPECT_NE(error.find(gate_.failed_path()), std::string::npos) << error;
  EXPECT_NE(error.find("Input/output error"), std::string::npos) << error;
  EXPECT_EQ(EventsOf(ReadLog(*engine_)).size(), 2U);
  EXPECT_EQ(Balances()[0].second, 105);
}

TEST_F(FailedSyncTest, NoWriteIsTriedAgainAndTheStopSaysSo) {
  OpenGated();
  const GateOpener opener(gate_);
  {
    Producer teller = NewProducer("teller");
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, kDurable).ok());
    gate_.Break();
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{5}, kPublished).ok());
    AwaitFailure();
    gate_.Open();  // the next write would pass
    for (int i = 0; i < 100; ++i) {
      EXPECT_FALSE(teller.Execute<Account>(Key(1), Deposit{5}, kPublished).ok());
    }
    EXPECT_FALSE(engine_->Stop().ok());
    EXPECT_EQ(engine_->health(), EngineHealth::kFailed);
  }
  engine_.reset();
  EXPECT_EQ(gate_.writes_after_failure(), 0);
}

TEST_F(FailedSyncTest, OpenedAgainTheLogHasAllThatWasAckedAndGoesOn) {
  OpenGated();
  const GateOpener opener(gate_);
  {
    Producer teller = NewProducer("teller");
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, kDurable).ok());
    gate_.Break();
    ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{5}, kDurable));
    EXPECT_EQ(Collect(teller, 1)[0].verdict.kind(), VerdictKind::kUnknown);
  }
  gate_.Open();
  engine_.reset();
  ASSERT_NO_FATAL_FAILURE(OpenGated());
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
  EXPECT_TRUE(engine_->error().ok());
  Producer teller = NewProducer("teller");
  // Whether the unknown one survived is known now; then its resend is a duplicate.
  const std::int64_t cents = Balances()[0].second;
  EXPECT_TRUE(cents == 100 || cents == 105) << cents;
  EXPECT_EQ(teller.last_sequence(), Sequence(cents == 105 ? 2 : 1));
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, kDurable).ok());
  EXPECT_EQ(Balances()[0].second, cents + 1);
}

}  // namespace
}  // namespace pawl
