// 10⁶ sessions: opened one by one, used, closed by idleness, remembered over a restart.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr std::uint32_t kSessions = PAWL_MANY_SESSIONS;

// On a disk of memory, so that a million durable records take seconds.
class ManySessionsTest : public BankTest {
 protected:
  EngineOptions Options(std::uint32_t sessions_max) {
    EngineOptions options = directory_.Options(Threads::kHostAll);
    options.directory = directory_.hot() + "-log";
    options.segment_bytes = std::uint64_t{64} << 20;
    options.undurable_bytes_max = std::uint64_t{256} << 20;
    options.sessions_max = sessions_max;
    options.session_window = 4096;
    options.receipts_max = std::uint64_t{kSessions} * 32;
    return options;
  }
  static std::string NameOf(std::uint32_t i) { return "session-" + std::to_string(i); }
};

TEST_F(ManySessionsTest, AMillionAreOpenedUsedRememberedAndClosed) {
  Open(Options(kSessions));
  std::cout << "memory: " << (engine_->memory_bytes() >> 20) << " MiB\n";
  for (std::uint32_t i = 0; i < kSessions; ++i) {
    auto made = engine_->NewProducer({.session = NameOf(i)});
    ASSERT_TRUE(made.ok()) << i << ": " << made.status();
    ASSERT_EQ(made->generation(), 1U);
    if (i % 10 == 0) {
      ASSERT_TRUE(made->Execute<Account>(Key(1 + i % 100), Deposit{i + 1}, kQuick).ok());
    }
  }
  EXPECT_EQ(engine_->Stats().sessions, kSessions);
  const absl::Status over = engine_->NewProducer({.session = "one-more"}).status();
  EXPECT_EQ(over.code(), absl::StatusCode::kResourceExhausted) << over;

  engine_.reset();
  // One less than the log needs is refused, naming what is enough.
  const absl::Status small = Engine::Open(Options(kSessions - 1), Aggregates<Account>{}).status();
  EXPECT_EQ(small.code(), absl::StatusCode::kResourceExhausted) << small;
  EXPECT_NE(small.message().find(std::to_string(kSessions)), std::string::npos) << small;
  Open(Options(kSessions));
  EXPECT_EQ(engine_->Stats().sessions, kSessions);
  const std::int64_t cents = Balances()[0].second;
  for (std::uint32_t i = 0; i < kSessions; i += kSessions / 1000) {
    auto made = engine_->NewProducer({.session = NameOf(i)});
    ASSERT_TRUE(made.ok()) << made.status();
    ASSERT_EQ(made->generation(), 2U);
    ASSERT_EQ(made->last_sequence(), Sequence(i % 10 == 0 ? 1 : 0));
    if (i % 10 != 0) continue;
    const auto again = made->Execute<Account>(Key(1 + i % 100), Deposit{i + 1},
                                              {.ack = Ack::kPublished, .resend = Sequence(1)});
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_TRUE(again->is_duplicate);
  }
  EXPECT_EQ(Balances()[0].second, cents);

  // Closed in steps, none of which takes the loop for long.
  EXPECT_EQ(engine_->CloseIdleSessions(std::chrono::nanoseconds(0)).value(), kSessions);
  EXPECT_EQ(engine_->Stats().sessions, 0U);
  Producer after = NewProducer("one-more");
  EXPECT_EQ(after.generation(), 3U);
  EXPECT_TRUE(after.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
}

TEST_F(ManySessionsTest, TheMostSessionsMaxIsTheMost) {
  EngineOptions options = Options(1);
  options.receipts_max = 0;
  for (const std::uint32_t bad : {0U, (1U << 24) + 1}) {
    options.sessions_max = bad;
    EXPECT_EQ(Engine::Open(options, Aggregates<Account>{}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  options.sessions_max = 1;
  options.receipts_max = options.session_window - 1;
  EXPECT_EQ(Engine::Open(options, Aggregates<Account>{}).status().code(),
            absl::StatusCode::kInvalidArgument);
  options.receipts_max = options.session_window;
  Open(options);
  NewProducer("only");
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->NewProducer({.session = "two"}).status()));
}

// A silent session costs its row and its name: the window is paid for by who uses it.
TEST_F(ManySessionsTest, IdleSessionsCostNoWindow) {
  EngineOptions options = Options(1000);
  options.receipts_max = 65'536;
  Open(options);
  const std::size_t small = engine_->memory_bytes();
  engine_.reset();
  options.sessions_max = 101'000;
  Open(options);
  const std::size_t per_session = (engine_->memory_bytes() - small) / 100'000;
  std::cout << per_session << " bytes a session\n";
  EXPECT_LT(per_session, 256U);
  EXPECT_GT(per_session, 128U);
}

}  // namespace
}  // namespace pawl
