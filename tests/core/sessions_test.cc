// P6 while the engine lives: generations, fencing, resends, the window's edge, limits.

#include <cstdint>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"
#include "worker.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

using SessionsTest = BankTest;

TEST_F(SessionsTest, OpeningASessionAgainBumpsItsGeneration) {
  Open();
  for (std::uint32_t generation = 1; generation <= 5; ++generation) {
    EXPECT_EQ(NewProducer("teller").generation(), generation);
  }
  EXPECT_EQ(NewProducer("other").generation(), 1U);
  EXPECT_EQ(NewProducer().generation(), 0U);
  Reopen();
  EXPECT_EQ(NewProducer("teller").generation(), 6U);
}

// Found by `tools/campaign commands`: a power cut took the record of a session's newest generation,
// and the next producer to open it was given the same one.
TEST_F(SessionsTest, AGenerationIsDurableBeforeAnybodyIsToldOfIt) {
  Open(Threads::kHostAll);
  for (int opening = 0; opening < 3; ++opening) {
    Producer teller = NewProducer("teller");
    EXPECT_EQ(engine_->log().durable(), engine_->log().published());
  }
}

TEST_F(SessionsTest, AResendGivesTheFirstReceiptAndIsNotExecuted) {
  Open();
  Producer teller = NewProducer("teller");
  const auto first = teller.Execute<Account>(Key(1), Deposit{100}, kQuick);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  const auto records = ReadLog(*engine_);
  for (int again = 0; again < 3; ++again) {
    auto second = teller.Execute<Account>(Key(1), Deposit{100},
                                          {.ack = Ack::kPublished, .resend = Sequence(1)});
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_TRUE(second->is_duplicate);
    second->is_duplicate = false;
    EXPECT_EQ(*second, *first);
  }
  EXPECT_EQ(ReadLog(*engine_), records);
  EXPECT_EQ(teller.last_sequence(), Sequence(2)) << "a resend is no new sequence";
}

// The sequence is the command's identity: nothing else of a resend is looked at.
TEST_F(SessionsTest, ASequenceUsedAgainWithAnotherBodyGetsTheFirstReceipt) {
  constexpr SubmitOptions kResendFirst{.ack = Ack::kPublished, .resend = Sequence(1)};
  Open();
  Receipt first;
  std::vector<SeenRecord> records;
  const auto expect_first = [&](const absl::StatusOr<Receipt>& again) {
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->is_duplicate);
    EXPECT_EQ(again->position, first.position);
    EXPECT_EQ(again->version, first.version);
    EXPECT_EQ(ReadLog(*engine_), records);
  };
  {
    Producer teller = NewProducer("teller");
    first = teller.Execute<Account>(Key(1), Deposit{100}, kQuick).value();
    records = ReadLog(*engine_);
    expect_first(teller.Execute<Account>(Key(1), Deposit{999}, kResendFirst));
    expect_first(teller.Execute<Account>(Key(2), Deposit{100}, kResendFirst));
    // Of a type that would be refused.
    expect_first(teller.Execute<Account>(Key(2), Withdraw{999}, kResendFirst));
  }
  Reopen();
  Producer teller = NewProducer("teller");
  records = ReadLog(*engine_);
  expect_first(teller.Execute<Account>(Key(2), Withdraw{999}, kResendFirst));
  EXPECT_EQ(Balances(), (std::vector<std::pair<Key, std::int64_t>>{{Key(1), 100}}));
}

TEST_F(SessionsTest, AResendBehindItsFirstInTheQueueIsADuplicate) {
  Open(Threads::kHost);
  Producer teller = NewProducer("teller");
  ASSERT_EQ(teller.Submit<Account>(Key(1), Deposit{100}, kQuick).sequence(), Sequence(1));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{100},
                                     {.ack = Ack::kPublished, .resend = Sequence(1)}));
  const std::vector<Completion> got = Collect(teller, 2);
  EXPECT_FALSE(got[0].receipt.is_duplicate);
  EXPECT_TRUE(got[1].receipt.is_duplicate);
  EXPECT_EQ(got[0].receipt.position, got[1].receipt.position);
  EXPECT_EQ(Balances()[0].second, 100);
}

TEST_F(SessionsTest, ARefusalIsRememberedWhileTheEngineLives) {
  Open();
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Withdraw{5}, kQuick));
  EXPECT_EQ(Collect(teller, 1)[0].verdict, Refuse(Account::kInsufficientFunds));
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, kQuick).ok());
  // Now it would be accepted; it is the same command, so it is not executed.
  ASSERT_TRUE(
      teller.Submit<Account>(Key(1), Withdraw{5}, {.ack = Ack::kPublished, .resend = Sequence(1)}));
  const Completion again = Collect(teller, 1)[0];
  EXPECT_EQ(again.verdict, Refuse(Account::kInsufficientFunds));
  EXPECT_TRUE(again.receipt.is_duplicate);
  EXPECT_EQ(Balances()[0].second, 100);
}

TEST_F(SessionsTest, TheWindowsLastResendIsKnownAndTheOneBeforeIsExpired) {
  Open();
  Producer teller = NewProducer("teller");
  const std::uint64_t window = teller.window();
  std::vector<Receipt> receipts(1);
  for (std::uint64_t i = 1; i <= window + 1; ++i) {
    receipts.push_back(teller.Execute<Account>(Key(1), Deposit{1}, kQuick).value());
  }
  const auto resend = [&](std::uint64_t sequence) {
    EXPECT_TRUE(teller.Submit<Account>(Key(1), Deposit{1},
                                       {.ack = Ack::kPublished, .resend = Sequence(sequence)}));
    return Collect(teller, 1)[0];
  };
  const Completion known = resend(2);
  EXPECT_TRUE(known.verdict.is_accepted());
  EXPECT_TRUE(known.receipt.is_duplicate);
  EXPECT_EQ(known.receipt.position, receipts[2].position);
  EXPECT_EQ(known.receipt.version, receipts[2].version);
  const Completion expired = resend(1);
  EXPECT_EQ(expired.verdict.kind(), VerdictKind::kExpired);
  EXPECT_TRUE(expired.receipt.is_duplicate);
  EXPECT_EQ(teller.Execute<Account>(Key(1), Deposit{1}, {.resend = Sequence(1)}).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Balances()[0].second, static_cast<std::int64_t>(window + 1));
}

TEST_F(SessionsTest, AResendOfWhatWasNeverSentIsAMistake) {
  Open();
  Producer teller = NewProducer("teller");
  Producer anonymous = NewProducer();
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  ASSERT_TRUE(anonymous.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  EXPECT_EQ(teller.Submit<Account>(Key(1), Deposit{1}, {.resend = Sequence(2)}).fault(),
            SendFault::kBadSequence);
  EXPECT_EQ(anonymous.Submit<Account>(Key(1), Deposit{1}, {.resend = Sequence(1)}).fault(),
            SendFault::kBadSequence);
  // A batch cannot be a resend of one sequence: it is refused, not executed as new.
  const std::vector<Addressed<Deposit>> two{{Key(1), {1}}, {Key(1), {1}}};
  const SentBatch sent = teller.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(two),
                                                     {.resend = Sequence(1)});
  EXPECT_EQ(sent.fault, SendFault::kBadSequence);
  EXPECT_EQ(sent.count, 0U);
}

TEST_F(SessionsTest, TheOlderHandleIsFencedAndTheNewerGoesOn) {
  Open(Threads::kHost);
  Producer older = NewProducer("teller");
  ASSERT_TRUE(older.Execute<Account>(Key(1), Deposit{100}, kQuick).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(older.Submit<Account>(Key(1), Deposit{1000}, kQuick));
  Producer newer = NewProducer("teller");  // while three are in the queue
  EXPECT_EQ(newer.last_sequence(), Sequence(1));
  for (const Completion& fenced : Collect(older, 3)) {
    EXPECT_EQ(fenced.verdict.kind(), VerdictKind::kFenced);
  }
  EXPECT_EQ(older.Execute<Account>(Key(1), Deposit{1000}, kQuick).status().code(),
            absl::StatusCode::kCancelled);
  const auto went_on = newer.Execute<Account>(Key(1), Deposit{1}, kQuick);
  ASSERT_TRUE(went_on.ok()) << went_on.status();
  EXPECT_EQ(newer.last_sequence(), Sequence(2));
  EXPECT_EQ(Balances()[0].second, 101);
}

TEST_F(SessionsTest, AnAcceptedCommandWithoutEventsIsRememberedByARecord) {
  Open();
  Producer teller = NewProducer("teller");
  const auto first = teller.Execute<Account>(Key(1), Look{}, kQuick);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->version, Version());
  const SeenRecord record = ReadLog(*engine_).back();
  EXPECT_EQ(record.kind, RecordKind::kAccepted);
  EXPECT_EQ(record.position, first->position.value());
  EXPECT_EQ(record.sequence, 1U);
  const auto again =
      teller.Execute<Account>(Key(1), Look{}, {.ack = Ack::kPublished, .resend = Sequence(1)});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->is_duplicate);
  EXPECT_EQ(again->position, first->position);
}

TEST_F(SessionsTest, NamesHaveOneTo128Bytes) {
  Open();
  EXPECT_TRUE(engine_->NewProducer({.session = std::string(128, 'n')}).ok());
  EXPECT_EQ(engine_->NewProducer({.session = std::string(129, 'n')}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NewProducer(std::string(128, 'n')).generation(), 2U);
}

TEST_F(SessionsTest, MoreSessionsThanSessionsMaxAreRefusedAndHarmNobody) {
  Open();  // sessions_max 8, producers_max 8
  for (int i = 0; i < 8; ++i) {
    Producer producer = NewProducer("teller-" + std::to_string(i));
    EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  }
  const auto records = ReadLog(*engine_);
  EXPECT_EQ(engine_->NewProducer({.session = "one-more"}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadLog(*engine_), records);
  EXPECT_EQ(NewProducer("teller-7").last_sequence(), Sequence(1));
  EXPECT_EQ(NewProducer("teller-0").generation(), 2U);
  Reopen();
  EXPECT_EQ(NewProducer("teller-3").last_sequence(), Sequence(1));
}

TEST_F(SessionsTest, MoreHandlesThanProducersMaxAreRefusedUntilOneEnds) {
  Open();
  std::vector<Producer> all;
  for (int i = 0; i < 8; ++i) all.push_back(NewProducer());
  EXPECT_EQ(engine_->NewProducer().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine_->NewProducer({.session = "teller"}).status().code(),
            absl::StatusCode::kResourceExhausted);
  all.pop_back();
  Producer producer = NewProducer("teller");
  EXPECT_EQ(producer.generation(), 1U) << "the refused opening left no session";
  EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
}

// Found by reading: the number of pages was cut to 32 bits, and an engine without any aborted.
TEST_F(SessionsTest, ReceiptsMaxIsBounded) {
  EngineOptions options = directory_.Options();
  options.sessions_max = std::uint32_t{1} << 20;
  options.session_window = 65'536;
  options.producers_max = 1;
  for (const std::uint64_t bad :
       {(std::uint64_t{1} << 36) + 1, std::uint64_t{1} << 37, (std::uint64_t{1} << 37) + 5 * 32}) {
    options.receipts_max = bad;
    EXPECT_EQ(Engine::Open(options, Aggregates<Account>{}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  options = directory_.Options();
  options.receipts_max = std::uint64_t{1} << 36;  // more than the windows hold: as many as they do
  Open(options);
  EXPECT_TRUE(NewProducer("teller").Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
}

// Until nothing is taken any more: no segment is ready, and none will be before the gate opens.
bool TakeAllRoom(GateStorage& gate, Producer& flood) {
  gate.HoldImages();
  return Await([&] {
    const Sent sent = flood.Submit<Account>(Key(1), Deposit{1}, kQuick);
    flood.Poll([](const Completion&) noexcept {});
    return sent.fault() == SendFault::kUndurable && gate.images_waiting() > 0;
  });
}

// A segment may be full and the next one not ready yet: opening a session waits for it.
TEST_F(SessionsTest, ASessionOpensAlthoughTheNextSegmentIsLate) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.storage = &gate;
  Open(options);
  {
    const GateOpener opener(gate);
    Producer flood = NewProducer();
    ASSERT_TRUE(TakeAllRoom(gate, flood));
    std::thread releases([&gate] {
      for (int i = 0; i < 2000; ++i) std::this_thread::yield();
      gate.Open();
    });
    const auto late = engine_->NewProducer({.session = "late"});
    releases.join();
    EXPECT_TRUE(late.ok()) << late.status();
  }
  engine_.reset();  // before its storage
}

// Found by reading: who waited for that kept every other cold call waiting, Stop() among them.
TEST_F(SessionsTest, WhoWaitsForRoomToOpenASessionHoldsNobodyUp) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.storage = &gate;
  Open(options);
  {
    const GateOpener opener(gate);
    Producer flood = NewProducer();
    ASSERT_TRUE(TakeAllRoom(gate, flood));
    absl::Status late = absl::UnknownError("did not end");
    const Worker waiter([&] { late = engine_->NewProducer({.session = "late"}).status(); });
    EXPECT_TRUE(waiter.Sleeps(SYS_clock_nanosleep));
    for (int i = 0; i < 50; ++i) NewProducer();
    EXPECT_FALSE(waiter.is_done()) << "they waited for it: " << late;
    gate.Open();
    ASSERT_TRUE(Await([&] { return waiter.is_done(); }));
    EXPECT_TRUE(late.ok()) << late;
  }
  engine_.reset();  // before its storage
}

TEST_F(SessionsTest, SessionsDoNotShareSequences) {
  Open();
  Producer a = NewProducer("a");
  Producer b = NewProducer("b");
  for (std::uint64_t i = 1; i <= 300; ++i) {
    ASSERT_TRUE(a.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    if (i % 3 != 0) continue;
    ASSERT_TRUE(b.Execute<Account>(Key(2), Deposit{1}, kQuick).ok());
  }
  EXPECT_EQ(a.last_sequence(), Sequence(300));
  EXPECT_EQ(b.last_sequence(), Sequence(100));
  const auto resent =
      b.Execute<Account>(Key(2), Deposit{1}, {.ack = Ack::kPublished, .resend = Sequence(50)});
  ASSERT_TRUE(resent.ok()) << resent.status();
  EXPECT_EQ(resent->version, Version(50));
}

}  // namespace
}  // namespace pawl
