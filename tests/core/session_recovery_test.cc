// P6 over a stop and over the death of the process.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

constexpr SubmitOptions Resend(std::uint64_t sequence) {
  return {.ack = Ack::kPublished, .resend = Sequence(sequence)};
}

// What one life of a session leaves: 1 accepted, 2 refused, 3 accepted without events, 4 refused,
// 5 accepted on two streams, 6 refused.
bool LiveOnce(Engine& engine) {
  auto made = engine.NewProducer({.session = "teller"});
  if (!made.ok()) return false;
  Producer& teller = *made;
  const auto is_refused = [&](std::int64_t cents) {
    const auto result = teller.Execute<Account>(Key(1), Withdraw{cents}, kQuick);
    return RefusalCode(result.status()) == Account::kInsufficientFunds;
  };
  auto other = engine.NewProducer();
  if (!other.ok() || !other->Execute<Account>(Key(2), Deposit{7}, kQuick).ok()) return false;
  return teller.Execute<Account>(Key(1), Deposit{100}, kQuick).ok() && is_refused(101) &&
         teller.Execute<Account>(Key(1), Look{}, kQuick).ok() && is_refused(102) &&
         teller.Execute<Account>(Key(1), Transfer{Key(2), 60}, kQuick).ok() && is_refused(41);
}

class SessionRecoveryTest : public BankTest {
 protected:
  // The session's next life finds what the first left.
  void ExpectRemembered() {
    const std::vector<SeenRecord> before = EventsOf(ReadLog(*engine_));
    Producer teller = NewProducer("teller");
    EXPECT_EQ(teller.generation(), 2U);
    EXPECT_EQ(teller.last_sequence(), Sequence(5)) << "the newest that the log holds";

    const auto deposit = teller.Execute<Account>(Key(1), Deposit{100}, Resend(1));
    ASSERT_TRUE(deposit.ok()) << deposit.status();
    EXPECT_TRUE(deposit->is_duplicate);
    EXPECT_EQ(deposit->version, Version(1));
    EXPECT_EQ(deposit->epoch, Epoch(1)) << "the incarnation that appended it";

    const auto look = teller.Execute<Account>(Key(1), Look{}, Resend(3));
    ASSERT_TRUE(look.ok()) << look.status();
    EXPECT_TRUE(look->is_duplicate);
    EXPECT_EQ(look->version, Version());

    const auto transfer = teller.Execute<Account>(Key(1), Transfer{Key(2), 60}, Resend(5));
    ASSERT_TRUE(transfer.ok()) << transfer.status();
    EXPECT_TRUE(transfer->is_duplicate);
    EXPECT_EQ(transfer->version, Version(2)) << "of the addressed stream";
    EXPECT_EQ(transfer->position.value(), before.back().position);

    for (const std::uint64_t refused : {2U, 4U}) {
      ASSERT_TRUE(teller.Submit<Account>(Key(1), Withdraw{1}, Resend(refused)));
      const Completion again = Collect(teller, 1)[0];
      EXPECT_EQ(again.verdict, Verdict(VerdictKind::kRefused, 0)) << "its code died";
      EXPECT_TRUE(again.receipt.is_duplicate);
    }
    // The refusal at the end left nothing: its sequence is the next one's.
    EXPECT_EQ(teller.Submit<Account>(Key(1), Withdraw{1}, Resend(6)).fault(),
              SendFault::kBadSequence);
    EXPECT_EQ(EventsOf(ReadLog(*engine_)), before) << "no resend was executed";
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{5}, kQuick).ok());
    EXPECT_EQ(teller.last_sequence(), Sequence(6));
    EXPECT_EQ(Balances(), (std::vector<std::pair<Key, std::int64_t>>{{Key(1), 45}, {Key(2), 67}}));
  }
};

TEST_F(SessionRecoveryTest, ASessionSurvivesStopAndReopen) {
  Open();
  ASSERT_TRUE(LiveOnce(*engine_));
  Reopen();
  EXPECT_EQ(engine_->recovery().reason, EpochReason::kReopened);
  ExpectRemembered();
}

TEST_F(SessionRecoveryTest, ASessionSurvivesTheDeathOfTheProcess) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto opened = Engine::Open(directory_.Options(), Aggregates<Account>{});
    const bool is_done = opened.ok() && LiveOnce(**opened);
    if (is_done) ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child did not get there";
  Open();
  EXPECT_EQ(engine_->recovery().reason, EpochReason::kRecovered);
  ExpectRemembered();
}

TEST_F(SessionRecoveryTest, TheWindowsEdgeIsTheSameAfterReopen) {
  Open();
  std::uint64_t window = 0;
  {
    Producer teller = NewProducer("teller");
    window = teller.window();
    for (std::uint64_t i = 0; i < window + 10; ++i) {
      ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    }
  }
  Reopen();
  Producer teller = NewProducer("teller");
  ASSERT_EQ(teller.last_sequence(), Sequence(window + 10));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, Resend(11)));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, Resend(10)));
  const std::vector<Completion> got = Collect(teller, 2);
  EXPECT_TRUE(got[0].verdict.is_accepted());
  EXPECT_EQ(got[0].receipt.version, Version(11));
  EXPECT_EQ(got[1].verdict.kind(), VerdictKind::kExpired);
  EXPECT_EQ(Balances()[0].second, static_cast<std::int64_t>(window + 10));
}

TEST_F(SessionRecoveryTest, AGapOfRefusalsLargerThanTheWindowIsRemembered) {
  Open();
  std::uint64_t last = 0;
  {
    Producer teller = NewProducer("teller");
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    for (std::uint32_t i = 0; i < teller.window() + 50; ++i) {
      ASSERT_FALSE(teller.Execute<Account>(Key(1), Withdraw{9}, kQuick).ok());
    }
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    last = teller.last_sequence().value();
  }
  Reopen();
  Producer teller = NewProducer("teller");
  ASSERT_EQ(teller.last_sequence(), Sequence(last));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, Resend(1)));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Withdraw{1}, Resend(last - teller.window() + 1)));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, Resend(last)));
  const std::vector<Completion> got = Collect(teller, 3);
  EXPECT_EQ(got[0].verdict.kind(), VerdictKind::kExpired);
  EXPECT_EQ(got[1].verdict, Verdict(VerdictKind::kRefused, 0));
  EXPECT_TRUE(got[2].verdict.is_accepted());
  EXPECT_TRUE(got[2].receipt.is_duplicate);
}

TEST_F(SessionRecoveryTest, TooManySessionsInTheLogRefuseToOpenAndSaySo) {
  Open();
  for (int i = 0; i < 5; ++i) NewProducer("teller-" + std::to_string(i));
  engine_.reset();
  EngineOptions options = directory_.Options();
  options.sessions_max = 4;
  const auto refused = Engine::Open(options, Aggregates<Account>{});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
  options.sessions_max = 5;
  Open(options);
  EXPECT_EQ(NewProducer("teller-4").generation(), 2U);
}

TEST_F(SessionRecoveryTest, ANarrowerWindowAfterReopenExpiresMore) {
  Open();
  {
    Producer teller = NewProducer("teller");
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    }
  }
  engine_.reset();
  EngineOptions options = directory_.Options();
  options.session_window = 16;
  Open(options);
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, Resend(84)));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, Resend(85)));
  const std::vector<Completion> got = Collect(teller, 2);
  EXPECT_EQ(got[0].verdict.kind(), VerdictKind::kExpired);
  EXPECT_EQ(got[1].receipt.version, Version(85));
}

}  // namespace
}  // namespace pawl
