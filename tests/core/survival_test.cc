// What survives what: the table of README.md, one cell a test. A test is named for its column, its
// instance for its row.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"
#include "manual_clock.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

enum class What {
  kKill,
  kPowerLoss,
  kRestart,
  kReopened,  // the session, by another producer
  kClosing,
  kIdleClosing,  // of a session that nobody has a producer of any more
  kWindowPassed,
  kReceiptsMaxReached,  // another session took the oldest page of answers, that of control
  kKeyWindowPassed,
  kKeysMaxPassed,
};

constexpr Key kOrder(7, 7);
constexpr std::uint32_t kWindow = 16;
constexpr std::chrono::seconds kKeyWindow = 60s;
constexpr std::uint32_t kKeysMax = 4;
constexpr std::uint64_t kTwoPages = 64;  // of 32 answers; one for each lane
constexpr SubmitOptions kWithKey{.idempotency_key = kOrder};

absl::StatusOr<Producer> Make(Engine& engine, SessionLane lane) {
  return engine.NewProducer({.session = "teller", .lane = lane});
}

// What was before: on control 1 accepted, 2 refused, 3 accepted with a key, 4 refused; on bulk 1
// accepted. Each on an account of its own.
bool Live(Producer& control, Producer& bulk) {
  const auto deposit = [](Producer& producer, std::uint64_t key, const SubmitOptions& options) {
    return producer.Execute<Account>(Key(key), Deposit{100}, options).ok();
  };
  const auto is_refused = [&control] {
    return RefusalCode(control.Execute<Account>(Key(1), Withdraw{500}).status()) != 0;
  };
  return deposit(control, 1, {}) && is_refused() && deposit(control, 2, kWithKey) && is_refused() &&
         deposit(bulk, 3, {});
}

class SurvivalTest : public BankTest, public ::testing::WithParamInterface<What> {
 protected:
  void SetUp() override {
    if (GetParam() == What::kKill) return LiveAndBeKilled();
    OpenEngine();
    older_ = Make(*engine_, SessionLane::kControl).value();
    control_ = Make(*engine_, SessionLane::kControl).value();
    bulk_ = Make(*engine_, SessionLane::kBulk).value();
    // One that is fenced already, and what it sends.
    EXPECT_TRUE(absl::IsCancelled(older_->Execute<Account>(Key(9), Deposit{1}).status()));
    ASSERT_TRUE(Live(*control_, *bulk_));
    Happen();
  }
  void TearDown() override {
    DropProducers();
    gate_.Open();
    BankTest::TearDown();
  }

  void OpenEngine() {
    EngineOptions options = directory_.Options();
    options.session_window = kWindow;
    options.key_window = kKeyWindow;
    options.keys_max = kKeysMax;
    if (GetParam() == What::kReceiptsMaxReached) options.receipts_max = kTwoPages;
    options.clock = &clock_;
    options.storage = &gate_;
    Open(options);
  }
  void DropProducers() {
    older_.reset();
    control_.reset();
    bulk_.reset();
  }
  void LiveAndBeKilled() {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      OpenEngine();
      auto older = Make(*engine_, SessionLane::kControl);
      auto control = Make(*engine_, SessionLane::kControl);
      auto bulk = Make(*engine_, SessionLane::kBulk);
      const bool is_done =
          older.ok() && control.ok() && bulk.ok() &&
          absl::IsCancelled(older->Execute<Account>(Key(9), Deposit{1}).status()) &&
          Live(*control, *bulk);
      if (is_done) ::kill(::getpid(), SIGKILL);
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "the child did not get there";
    OpenEngine();
  }
  void Happen() {
    switch (GetParam()) {
      case What::kKill: break;
      case What::kPowerLoss: return LosePower();
      case What::kRestart:
        DropProducers();
        ASSERT_TRUE(engine_->Stop().ok());
        engine_.reset();
        return OpenEngine();
      case What::kReopened: break;  // each test opens it again
      case What::kClosing: ASSERT_TRUE(engine_->CloseSession("teller").ok()); break;
      case What::kIdleClosing:
        // Whoever has a producer of it, fenced or not, keeps it open.
        ASSERT_EQ(engine_->CloseIdleSessions(0s).value(), 0U);
        DropProducers();
        ASSERT_EQ(engine_->CloseIdleSessions(0s).value(), 1U);
        break;
      case What::kWindowPassed:
        for (std::uint32_t i = 0; i < kWindow; ++i) {
          ASSERT_TRUE(control_->Execute<Account>(Key(4), Deposit{1}).ok());
        }
        break;
      case What::kReceiptsMaxReached:
        ASSERT_TRUE(NewProducer("other").Execute<Account>(Key(4), Deposit{1}).ok());
        break;
      case What::kKeyWindowPassed: clock_.Advance(kKeyWindow); break;
      case What::kKeysMaxPassed: return SendNewerKeys();
    }
  }
  // As many as are remembered; until the last of them the older key is.
  void SendNewerKeys() {
    Producer nobody = NewProducer();
    for (std::uint64_t i = 1; i <= kKeysMax; ++i) {
      EXPECT_TRUE(nobody.Execute<Account>(Key(2), Deposit{100}, kWithKey).value().is_duplicate);
      const SubmitOptions newer{.idempotency_key = Key(8, i)};
      ASSERT_TRUE(nobody.Execute<Account>(Key(4), Deposit{1}, newer).ok());
    }
  }
  // What was only published goes with the power.
  void LosePower() {
    gate_.Shut();
    SubmitOptions quick{.ack = Ack::kPublished};
    ASSERT_TRUE(control_->Execute<Account>(Key(5), Deposit{1}, quick).ok());
    quick.idempotency_key = Key(8, 8);
    ASSERT_TRUE(bulk_->Execute<Account>(Key(5), Deposit{1}, quick).ok());
    gate_.Break();
    ASSERT_TRUE(Await([&] { return engine_->log().health() == LogHealth::kFailed; }));
    DropProducers();
    engine_.reset();
    std::filesystem::remove_all(directory_.hot());
    gate_.Open();
    OpenEngine();
  }

  // The engine, and so all it had in memory, is another one.
  static bool IsAnotherLife() {
    return GetParam() == What::kKill || GetParam() == What::kPowerLoss ||
           GetParam() == What::kRestart;
  }
  static bool IsClosed() {
    return GetParam() == What::kClosing || GetParam() == What::kIdleClosing;
  }
  // The answers of control, not those of bulk.
  static bool AreAnswersGone() {
    return GetParam() == What::kWindowPassed || GetParam() == What::kReceiptsMaxReached;
  }
  static bool IsKeyForgotten() {
    return GetParam() == What::kKeyWindowPassed || GetParam() == What::kKeysMaxPassed;
  }
  Producer NewOn(SessionLane lane) {
    auto made = Make(*engine_, lane);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  // Sends a sequence again; nothing if that is a mistake.
  std::optional<Completion> Resend(Producer& producer, std::uint64_t sequence) {
    const Sent sent =
        producer.Submit<Account>(Key(6), Deposit{1'000}, {.resend = Sequence(sequence)});
    if (!sent) {
      EXPECT_EQ(sent.fault(), SendFault::kBadSequence);
      return std::nullopt;
    }
    return Collect(producer, 1)[0];
  }
  void ExpectFirstReceipt(const std::optional<Completion>& again) {
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE(again->verdict.is_accepted()) << ToString(again->verdict.kind());
    EXPECT_TRUE(again->receipt.is_duplicate);
    EXPECT_EQ(again->receipt.version, Version(1));
    EXPECT_EQ(engine_->Confirm(again->receipt).value().presence, Presence::kPresent);
  }
  // Of all accounts: what was executed, once.
  std::int64_t Cents() {
    std::int64_t sum = 0;
    for (const auto& [key, cents] : Balances()) sum += cents;
    return sum;
  }
  static std::int64_t CentsBefore() {
    switch (GetParam()) {
      case What::kWindowPassed: return 300 + kWindow;
      case What::kReceiptsMaxReached: return 301;
      case What::kKeysMaxPassed: return 300 + kKeysMax;
      default: return 300;
    }
  }

  ManualClock clock_;
  GateStorage gate_;
  std::optional<Producer> older_;
  std::optional<Producer> control_;
  std::optional<Producer> bulk_;
};

TEST_P(SurvivalTest, AcceptedReceipts) {
  Producer teller = NewOn(SessionLane::kControl);
  const std::optional<Completion> again = Resend(teller, 1);
  if (IsClosed()) {
    EXPECT_FALSE(again.has_value()) << "it is another session";
  } else if (AreAnswersGone()) {
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->verdict.kind(), VerdictKind::kExpired);
    EXPECT_TRUE(again->receipt.is_duplicate);
  } else {
    ExpectFirstReceipt(again);
  }
  EXPECT_EQ(Cents(), CentsBefore());
}

TEST_P(SurvivalTest, Refusals) {
  Producer teller = NewOn(SessionLane::kControl);
  const std::optional<Completion> again = Resend(teller, 2);
  if (IsClosed()) {
    EXPECT_FALSE(again.has_value());
  } else {
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE(again->receipt.is_duplicate);
    const Verdict wanted =
        AreAnswersGone()
            ? Verdict(VerdictKind::kExpired, 0)
            : Verdict(VerdictKind::kRefused, IsAnotherLife() ? 0 : Account::kInsufficientFunds);
    EXPECT_EQ(again->verdict, wanted);
  }
  EXPECT_EQ(Cents(), CentsBefore());
}

TEST_P(SurvivalTest, Sequences) {
  Producer teller = NewOn(SessionLane::kControl);
  std::uint64_t wanted = 4;
  if (IsAnotherLife()) wanted = 3;  // what was refused last left nothing
  if (IsClosed()) wanted = 0;
  if (GetParam() == What::kWindowPassed) wanted = 4 + kWindow;
  EXPECT_EQ(teller.last_sequence(), Sequence(wanted));
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}).ok());
  EXPECT_EQ(teller.last_sequence(), Sequence(wanted + 1));
}

TEST_P(SurvivalTest, Generations) {
  EXPECT_EQ(NewOn(SessionLane::kControl).generation(), 3U);
  // A closed session takes the generations of both lanes with it.
  EXPECT_EQ(NewOn(SessionLane::kBulk).generation(), IsClosed() ? 3U : 2U);
}

TEST_P(SurvivalTest, Lanes) {
  Producer teller = NewOn(SessionLane::kBulk);
  if (IsClosed()) {
    EXPECT_EQ(teller.last_sequence(), Sequence());
  } else {
    EXPECT_EQ(teller.last_sequence(), Sequence(1));
    ExpectFirstReceipt(Resend(teller, 1));
  }
  if (control_.has_value() && !IsClosed()) {
    EXPECT_TRUE(control_->Execute<Account>(Key(1), Deposit{1}).ok()) << "its lane is its own";
  }
}

TEST_P(SurvivalTest, Keys) {
  Producer nobody = NewProducer();
  const Receipt again = nobody.Execute<Account>(Key(2), Deposit{100}, kWithKey).value();
  const bool is_new = IsKeyForgotten();
  EXPECT_EQ(again.is_duplicate, !is_new);
  EXPECT_EQ(again.version, Version(is_new ? 2 : 1));
  EXPECT_EQ(Cents(), CentsBefore() + (is_new ? 100 : 0));
}

TEST_P(SurvivalTest, FencedCommands) {
  if (older_.has_value() && control_.has_value()) {
    const Producer newer = NewOn(SessionLane::kControl);
    for (Producer* producer : {&*older_, &*control_}) {
      const absl::Status refused = producer->Execute<Account>(Key(9), Deposit{1}).status();
      EXPECT_EQ(refused.code(),
                IsClosed() ? absl::StatusCode::kNotFound : absl::StatusCode::kCancelled);
    }
  }
  EXPECT_EQ(Cents(), CentsBefore()) << "never executed";
}

std::string NameOf(What what) {
  switch (what) {
    case What::kKill: return "Kill";
    case What::kPowerLoss: return "PowerLoss";
    case What::kRestart: return "Restart";
    case What::kReopened: return "Reopened";
    case What::kClosing: return "Closing";
    case What::kIdleClosing: return "IdleClosing";
    case What::kWindowPassed: return "WindowPassed";
    case What::kReceiptsMaxReached: return "ReceiptsMaxReached";
    case What::kKeyWindowPassed: return "KeyWindowPassed";
    case What::kKeysMaxPassed: return "KeysMaxPassed";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Over, SurvivalTest,
                         ::testing::Values(What::kKill, What::kPowerLoss, What::kRestart,
                                           What::kReopened, What::kClosing, What::kIdleClosing,
                                           What::kWindowPassed, What::kReceiptsMaxReached,
                                           What::kKeyWindowPassed, What::kKeysMaxPassed),
                         [](const auto& param) { return NameOf(param.param); });

// What the power took of a session is free again, its key too.
class PowerLossTest : public SurvivalTest {};

TEST_P(PowerLossTest, TakesWhatWasOnlyPublished) {
  Producer teller = NewOn(SessionLane::kControl);
  EXPECT_EQ(teller.last_sequence(), Sequence(3));
  Producer bulk = NewOn(SessionLane::kBulk);
  EXPECT_EQ(bulk.last_sequence(), Sequence(1));
  const SubmitOptions lost_key{.idempotency_key = Key(8, 8)};
  EXPECT_FALSE(bulk.Execute<Account>(Key(5), Deposit{1}, lost_key).value().is_duplicate);
  EXPECT_EQ(Cents(), 301);
}
INSTANTIATE_TEST_SUITE_P(Over, PowerLossTest, ::testing::Values(What::kPowerLoss),
                         [](const auto& param) { return NameOf(param.param); });

// And the same of what closing left: that it is closed, over all lives.
class ClosedSurvivalTest : public BankTest {};

TEST_F(ClosedSurvivalTest, ClosingsSurviveRestartAndKill) {
  for (const bool is_killed : {false, true}) {
    SCOPED_TRACE(is_killed ? "kill" : "restart");
    const TestDirectory directory;
    const EngineOptions options = directory.Options();
    const auto live = [&options](bool stops) {
      auto opened = Engine::Open(options, Aggregates<Account>{});
      if (!opened.ok()) return false;
      {
        auto teller = (*opened)->NewProducer({.session = "teller"});
        if (!teller.ok() || !teller->Execute<Account>(Key(1), Deposit{1}).ok()) return false;
        if (!teller->CloseSession().ok()) return false;
        if (!stops) ::kill(::getpid(), SIGKILL);
      }
      return (*opened)->Stop().ok();
    };
    if (is_killed) {
      const pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) ::_exit(live(false) ? 1 : 2);
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    } else {
      ASSERT_TRUE(live(true));
    }
    Open(options);
    EXPECT_EQ(engine_->Stats().sessions, 0U);
    EXPECT_TRUE(absl::IsNotFound(engine_->CloseSession("teller")));
    Producer teller = NewProducer("teller");
    EXPECT_EQ(teller.last_sequence(), Sequence());
    EXPECT_EQ(teller.generation(), 2U);
    { const Producer gone = std::move(teller); }
    engine_.reset();
  }
}

}  // namespace
}  // namespace pawl
