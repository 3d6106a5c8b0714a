// P6: sessions that are closed. A resend to one is SESSION_UNKNOWN and never executed, its place is
// free, and nothing is told of it that a power cut may take back.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"
#include "manual_clock.h"
#include "worker.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr SubmitOptions kResendFirst{.ack = Ack::kPublished, .resend = Sequence(1)};

class ClosingTest : public BankTest {
 protected:
  Producer NewBulk(const std::string& session) {
    auto made = engine_->NewProducer({.session = session, .lane = SessionLane::kBulk});
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  void OpenWithClock(Threads threads = Threads::kHostAll) {
    EngineOptions options = directory_.Options(threads);
    options.clock = &clock_;
    Open(options);
  }
  absl::StatusCode Send(Producer& producer, const SubmitOptions& options = kQuick) {
    return producer.Execute<Account>(Key(1), Deposit{1}, options).status().code();
  }
  std::size_t CountOf(RecordKind kind) {
    std::size_t count = 0;
    for (const SeenRecord& record : ReadLog(*engine_)) count += record.kind == kind;
    return count;
  }

  ManualClock clock_;
  GateStorage gate_;
};

TEST_F(ClosingTest, AResendToAClosedSessionIsUnknownAndNotExecuted) {
  Open();
  Producer teller = NewProducer("teller");
  Producer bulk = NewBulk("teller");
  ASSERT_EQ(Send(teller), absl::StatusCode::kOk);
  ASSERT_EQ(Send(bulk), absl::StatusCode::kOk);
  ASSERT_TRUE(teller.CloseSession().ok());
  const auto records = ReadLog(*engine_);
  for (Producer* producer : {&teller, &bulk}) {
    EXPECT_EQ(Send(*producer, kResendFirst), absl::StatusCode::kNotFound);
    EXPECT_EQ(Send(*producer), absl::StatusCode::kNotFound);
    EXPECT_TRUE(absl::IsNotFound(producer->CloseSession()));
  }
  EXPECT_EQ(ReadLog(*engine_), records);
  EXPECT_EQ(Balances()[0].second, 2);
  EXPECT_EQ(engine_->Stats().outcome(VerdictKind::kSessionUnknown), 4U);
}

TEST_F(ClosingTest, CommandsQueuedBehindTheCloseAreNotExecuted) {
  Open(Threads::kHost);
  Producer teller = NewProducer("teller");
  ASSERT_EQ(Send(teller), absl::StatusCode::kOk);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{100}, kQuick));
  ASSERT_TRUE(engine_->CloseSession("teller").ok());
  for (const Completion& c : Collect(teller, 3)) {
    EXPECT_EQ(c.verdict.kind(), VerdictKind::kSessionUnknown);
  }
  EXPECT_EQ(Balances()[0].second, 1);
}

TEST_F(ClosingTest, TheNameOpenedAgainIsANewSessionOfAHigherGeneration) {
  Open();
  Producer old = NewProducer("teller");
  Producer older_bulk = NewBulk("teller");
  ASSERT_EQ(Send(old), absl::StatusCode::kOk);
  ASSERT_TRUE(engine_->CloseSession("teller").ok());
  Producer teller = NewProducer("teller");
  EXPECT_EQ(teller.last_sequence(), Sequence());
  EXPECT_GT(teller.generation(), old.generation());
  EXPECT_EQ(teller.Submit<Account>(Key(1), Deposit{1}, kResendFirst).fault(),
            SendFault::kBadSequence);
  // Whoever had it before stays a stranger, on both lanes.
  EXPECT_EQ(Send(old, kResendFirst), absl::StatusCode::kNotFound);
  EXPECT_EQ(Send(older_bulk), absl::StatusCode::kNotFound);
  EXPECT_EQ(Send(teller), absl::StatusCode::kOk);
  Producer next = NewProducer("teller");
  EXPECT_EQ(Send(teller), absl::StatusCode::kCancelled) << "fenced: the session is there";
  EXPECT_EQ(Send(old), absl::StatusCode::kNotFound);
  EXPECT_EQ(Send(next), absl::StatusCode::kOk);
  EXPECT_EQ(Balances()[0].second, 3);
}

TEST_F(ClosingTest, ItsPlaceIsFreeForAnotherName) {
  Open();  // sessions_max 8
  Producer old = NewProducer("teller-0");
  ASSERT_EQ(Send(old), absl::StatusCode::kOk);
  for (int i = 1; i < 8; ++i) NewProducer("teller-" + std::to_string(i));
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->NewProducer({.session = "one-more"}).status()));
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(engine_->CloseSession("teller-" + std::to_string(round)).ok());
    Producer more = NewProducer("teller-" + std::to_string(round + 8));
    EXPECT_EQ(more.last_sequence(), Sequence());
    EXPECT_EQ(Send(more), absl::StatusCode::kOk);
    EXPECT_EQ(Send(old), absl::StatusCode::kNotFound) << "whoever has its number now";
    EXPECT_TRUE(absl::IsResourceExhausted(engine_->NewProducer({.session = "one-more"}).status()));
  }
  EXPECT_EQ(engine_->Stats().sessions, 8U);
  EXPECT_EQ(engine_->Stats().sessions_closed, 20U);
  { const Producer gone = std::move(old); }
  Reopen();
  EXPECT_EQ(engine_->Stats().sessions, 8U);
  EXPECT_EQ(NewProducer("teller-27").last_sequence(), Sequence(1));
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->NewProducer({.session = "teller-0"}).status()));
}

TEST_F(ClosingTest, WhoIsFencedClosesNothing) {
  Open();
  Producer older = NewProducer("teller");
  Producer newer = NewProducer("teller");
  EXPECT_TRUE(absl::IsCancelled(older.CloseSession()));
  EXPECT_EQ(Send(newer), absl::StatusCode::kOk);
  EXPECT_EQ(NewProducer().CloseSession().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::IsNotFound(engine_->CloseSession("nobody")));
  EXPECT_TRUE(absl::IsNotFound(engine_->CloseSession("")));
  EXPECT_EQ(CountOf(RecordKind::kSessionClosed), 0U);
}

TEST_F(ClosingTest, AClosingIsDurableBeforeItIsTold) {
  EngineOptions options = directory_.Options();
  options.storage = &gate_;
  Open(options);
  {
    const GateOpener opener(gate_);
    Producer teller = NewProducer("teller");
    gate_.Shut();
    std::atomic<int> told{0};
    std::thread closer([&] {
      EXPECT_TRUE(engine_->CloseSession("teller").ok());
      told.fetch_add(1, std::memory_order_relaxed);
    });
    ASSERT_TRUE(Await([&] { return engine_->Stats().sessions == 0; }));
    // So is that there is none: it rests on the same record.
    std::thread late([&] {
      EXPECT_TRUE(absl::IsNotFound(engine_->CloseSession("teller")));
      told.fetch_add(1, std::memory_order_relaxed);
    });
    // And what the old producer gets at kDurable; at kPublished it need not wait.
    EXPECT_EQ(Send(teller, kQuick), absl::StatusCode::kNotFound);
    ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}));
    ASSERT_TRUE(Await([&] { return engine_->Stats().outcome(VerdictKind::kSessionUnknown) == 2; }));
    EXPECT_EQ(teller.Poll([](const Completion&) noexcept {}), 0U);
    EXPECT_EQ(told.load(std::memory_order_relaxed), 0);
    gate_.Open();
    closer.join();
    late.join();
    EXPECT_EQ(told.load(std::memory_order_relaxed), 2);
    EXPECT_EQ(Collect(teller, 1)[0].verdict.kind(), VerdictKind::kSessionUnknown);
  }
  engine_.reset();  // before its storage
}

TEST_F(ClosingTest, ClosingIdleSessionsIsDurableBeforeItIsTold) {
  EngineOptions options = directory_.Options();
  options.storage = &gate_;
  Open(options);
  {
    const GateOpener opener(gate_);
    for (int i = 0; i < 3; ++i) NewProducer("teller-" + std::to_string(i));
    gate_.Shut();
    std::atomic<int> told{0};
    const auto close_idle = [&](std::uint32_t wanted) {
      EXPECT_EQ(engine_->CloseIdleSessions(0s).value(), wanted);
      told.fetch_add(1, std::memory_order_relaxed);
    };
    const Worker closer([&] { close_idle(3); });
    EXPECT_TRUE(Await([&] { return engine_->Stats().sessions == 0; }));
    // So is that there is none to close: it rests on the same records.
    const Worker late([&] { close_idle(0); });
    const GateOpener before_they_are_joined(gate_);
    EXPECT_TRUE(closer.Sleeps(SYS_clock_nanosleep));
    EXPECT_TRUE(late.Sleeps(SYS_clock_nanosleep));
    EXPECT_EQ(told.load(std::memory_order_relaxed), 0);
    gate_.Open();
  }
  engine_.reset();  // before its storage
}

TEST_F(ClosingTest, AfterAFailedSyncAClosingIsNotTold) {
  EngineOptions options = directory_.Options();
  options.storage = &gate_;
  Open(options);
  {
    const GateOpener opener(gate_);
    Producer teller = NewProducer("teller");
    Producer nobody = NewProducer();
    gate_.Shut();
    std::thread closer([&] { EXPECT_TRUE(absl::IsUnavailable(engine_->CloseSession("teller"))); });
    ASSERT_TRUE(Await([&] { return engine_->Stats().sessions == 0; }));
    ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}));
    ASSERT_TRUE(nobody.Submit<Account>(Key(1), Deposit{1}));
    ASSERT_TRUE(Await([&] { return engine_->Stats().outcome(VerdictKind::kSessionUnknown) == 1; }));
    gate_.Break();
    closer.join();
    // What was not executed stays so, whatever becomes of the closing that it rests on.
    EXPECT_EQ(Collect(teller, 1)[0].verdict.kind(), VerdictKind::kSessionUnknown);
    const VerdictKind other = Collect(nobody, 1)[0].verdict.kind();
    EXPECT_TRUE(other == VerdictKind::kUnknown || other == VerdictKind::kUnavailable);
    EXPECT_TRUE(absl::IsUnavailable(engine_->CloseSession("teller")));
    EXPECT_TRUE(absl::IsUnavailable(engine_->CloseIdleSessions(0s).status()));
  }
  engine_.reset();
}

TEST_F(ClosingTest, AStoppedEngineClosesNothing) {
  Open();
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(engine_->Stop().ok());
  EXPECT_TRUE(absl::IsUnavailable(teller.CloseSession()));
  EXPECT_TRUE(absl::IsUnavailable(engine_->CloseSession("teller")));
  EXPECT_TRUE(absl::IsUnavailable(engine_->CloseIdleSessions(0s).status()));
}

TEST_F(ClosingTest, IdleSessionsAreThoseThatNobodyUsedForSoLong) {
  OpenWithClock();
  Producer held = NewProducer("held");
  for (int i = 0; i < 3; ++i) {
    NewProducer("old-" + std::to_string(i));
    clock_.Advance(10s);
  }
  {
    Producer used = NewProducer("old-1");  // opened again
    ASSERT_EQ(Send(used), absl::StatusCode::kOk);
  }
  clock_.Advance(10s);
  EXPECT_EQ(engine_->CloseIdleSessions(41s).value(), 0U);
  EXPECT_EQ(engine_->CloseIdleSessions(40s - 1ms).value(), 1U);
  EXPECT_TRUE(absl::IsNotFound(engine_->CloseSession("old-0")));
  EXPECT_EQ(engine_->CloseIdleSessions(15s).value(), 1U) << "old-2";
  EXPECT_EQ(NewProducer("old-1").last_sequence(), Sequence(1));
  EXPECT_EQ(Send(held), absl::StatusCode::kOk) << "who has a producer is not idle";
  EXPECT_EQ(engine_->CloseIdleSessions(0s).value(), 1U);
  EXPECT_EQ(engine_->Stats().sessions, 1U);
  EXPECT_EQ(engine_->CloseIdleSessions(-1ns).status().code(), absl::StatusCode::kInvalidArgument);
}

// After a restart a session was used last when the log says so.
TEST_F(ClosingTest, IdleTimeGoesOnOverARestart) {
  OpenWithClock();
  {
    Producer early = NewProducer("early");
    Producer late = NewProducer("late");
    clock_.Advance(100s);
    ASSERT_EQ(Send(late), absl::StatusCode::kOk);
  }
  engine_.reset();
  clock_.Advance(10s);
  OpenWithClock();
  clock_.Advance(10s);
  EXPECT_EQ(engine_->CloseIdleSessions(60s).value(), 1U);
  EXPECT_TRUE(absl::IsNotFound(engine_->CloseSession("early")));
  EXPECT_EQ(NewProducer("late").last_sequence(), Sequence(1));
}

// Found when commits were small: a closing of many did not fit into one, and the engine aborted.
TEST_F(ClosingTest, ManyIdleSessionsTakeSeveralCommits) {
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.commit_bytes_max = 1024;
  options.sessions_max = 200;
  Open(options);
  for (int i = 0; i < 200; ++i) NewProducer("session-" + std::to_string(i));
  EXPECT_EQ(engine_->CloseIdleSessions(0s).value(), 200U);
  EXPECT_EQ(CountOf(RecordKind::kSessionClosed), 200U);
  std::uint32_t most = 0;
  LogReader reader = engine_->log().NewReader();
  while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      if (record.header.kind == RecordKind::kSessionClosed) {
        most = std::max(most, record.commit.bytes);
      }
    });
  }
  EXPECT_GT(most, 900U);
  EXPECT_LE(most, 1024U);
  engine_.reset();
  Open(options);
  EXPECT_EQ(engine_->Stats().sessions, 0U);
}

// Found by reading: to close a session is to give back the pages of its windows, so that the work
// of 128 closings depended on what was sent.
TEST_F(ClosingTest, IdleSessionsWithFullWindowsAreClosedAFewAtATime) {
  constexpr std::uint32_t kSessions = 30;
  constexpr std::uint32_t kWindow = 4096;  // 129 pages
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.sessions_max = kSessions;
  options.session_window = kWindow;
  Open(options);
  const std::vector<Addressed<Deposit>> all(kWindow, {Key(1), {1}});
  for (std::uint32_t i = 0; i < kSessions; ++i) {
    Producer teller = NewProducer("session-" + std::to_string(i));
    ASSERT_EQ(teller.SubmitBatch<Account>(std::span(all), kQuick).count, kWindow);
    Collect(teller, kWindow);
  }
  while (engine_->Poll() != 0) {
  }
  EXPECT_EQ(engine_->CloseIdleSessions(0s).value(), kSessions);
  std::map<std::uint64_t, std::uint32_t> closings;  // by commit
  for (const SeenRecord& record : ReadLog(*engine_)) {
    if (record.kind == RecordKind::kSessionClosed) ++closings[record.commit];
  }
  std::uint32_t most = 0;
  for (const auto& [commit, count] : closings) most = std::max(most, count);
  EXPECT_LE(most, 8U);
  EXPECT_GT(most, 4U);
}

TEST_F(ClosingTest, AReceiptOfAClosedSessionIsConfirmed) {
  Open();
  Receipt receipt;
  {
    Producer teller = NewProducer("teller");
    receipt = teller.Execute<Account>(Key(1), Deposit{1}).value();
    ASSERT_TRUE(teller.CloseSession().ok());
  }
  const Confirmation there{.presence = Presence::kPresent, .is_durable = true};
  EXPECT_EQ(engine_->Confirm(receipt).value(), there);
  Reopen();
  EXPECT_EQ(engine_->Confirm(receipt).value(), there);
}

}  // namespace
}  // namespace pawl
