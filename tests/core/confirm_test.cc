// P17: a receipt can be checked at any time: its record is present, lost, or was never here.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kPublished{.ack = Ack::kPublished};
constexpr SubmitOptions kDurable{.ack = Ack::kDurable};
constexpr Confirmation kThere{.presence = Presence::kPresent, .is_durable = true};
constexpr Confirmation kThereUnsynced{.presence = Presence::kPresent, .is_durable = false};
constexpr Confirmation kGone{.presence = Presence::kLost};
constexpr Confirmation kNotKnown{.presence = Presence::kUnknown};

class ConfirmTest : public BankTest {
 protected:
  void OpenGated() {
    EngineOptions options = directory_.Options();
    options.storage = &gate_;
    Open(options);
  }
  Receipt Run(Producer& producer, std::uint64_t key, std::int64_t cents,
              const SubmitOptions& options = kPublished) {
    const auto receipt = producer.Execute<Account>(Key(key), Deposit{cents}, options);
    EXPECT_TRUE(receipt.ok()) << receipt.status();
    return receipt.ok() ? *receipt : Receipt{};
  }
  Confirmation Ask(const Receipt& receipt) const {
    const auto answer = engine_->Confirm(receipt);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.value_or(Confirmation{});
  }
  // Ends the engine by a sync that fails: what was published since is on no disk.
  void BreakTheDisk() {
    gate_.Break();
    ASSERT_TRUE(Await([&] { return engine_->health() == EngineHealth::kFailed; }));
  }
  // The power goes: files stay as they are, memory does not.
  void LosePower() {
    engine_.reset();
    std::filesystem::remove_all(directory_.hot());
  }

  GateStorage gate_;
};

TEST_F(ConfirmTest, APublishedRecordIsPresentAndDurableOnceItIsSynced) {
  OpenGated();
  const GateOpener opener(gate_);
  Producer producer = NewProducer();
  const Receipt synced = Run(producer, 1, 5, kDurable);
  EXPECT_EQ(Ask(synced), kThere);
  gate_.Shut();
  const Receipt receipt = Run(producer, 1, 5);
  EXPECT_EQ(Ask(receipt), kThereUnsynced);
  EXPECT_EQ(Ask(synced), kThere);
  gate_.Open();
  EXPECT_TRUE(Await([&] { return Ask(receipt).is_durable; }));
  EXPECT_EQ(Ask(receipt), kThere);
}

TEST_F(ConfirmTest, ALostRecordStaysLostWhenItsPositionIsGivenAgain) {
  std::vector<Receipt> kept;
  std::vector<Receipt> lost;
  {
    ASSERT_NO_FATAL_FAILURE(OpenGated());
    const GateOpener opener(gate_);
    Producer producer = NewProducer();
    for (int i = 0; i < 5; ++i) kept.push_back(Run(producer, 1, 5, kDurable));
    kept.push_back(Run(producer, 2, 5, kDurable));
    gate_.Shut();
    // Its position will be the next epoch's first record.
    lost.push_back(Run(producer, 2, 5));
    for (int i = 0; i < 5; ++i) lost.push_back(Run(producer, 1, 5));
    ASSERT_NO_FATAL_FAILURE(BreakTheDisk());
    for (const Receipt& receipt : lost) EXPECT_EQ(Ask(receipt), kThereUnsynced) << "reads go on";
  }
  LosePower();
  Open();
  for (const Receipt& receipt : lost) EXPECT_EQ(Ask(receipt), kGone) << "not given again yet";
  // The same versions of the same stream come to stand where the lost ones stood.
  std::vector<Receipt> again;
  {
    Producer producer = NewProducer();
    for (int i = 0; i < 6; ++i) again.push_back(Run(producer, 1, 5, kDurable));
  }
  const auto is_reused = [&](const Receipt& old) {
    return std::any_of(again.begin(), again.end(), [&](const Receipt& receipt) {
      return receipt.position == old.position && receipt.version == old.version;
    });
  };
  EXPECT_EQ(std::count_if(lost.begin(), lost.end(), is_reused), 5) << "positions are given again";
  for (int life = 0; life < 3; ++life) {
    for (const Receipt& receipt : kept) EXPECT_EQ(Ask(receipt), kThere) << life;
    for (const Receipt& receipt : lost) EXPECT_EQ(Ask(receipt), kGone) << life;
    for (const Receipt& receipt : again) EXPECT_EQ(Ask(receipt), kThere) << life;
    Reopen();
  }
}

// What a failed sync left open is told by the next life: the receipt came with the answer.
TEST_F(ConfirmTest, AnAnswerThatEndedUnknownIsToldAfterReopening) {
  for (const bool power_goes : {false, true}) {
    SCOPED_TRACE(power_goes);
    Receipt open;
    {
      ASSERT_NO_FATAL_FAILURE(OpenGated());
      const GateOpener opener(gate_);
      Producer producer = NewProducer();
      ASSERT_EQ(Ask(Run(producer, 1, 5, kDurable)), kThere);
      gate_.Shut();
      ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{5}, kDurable));
      ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));
      ASSERT_NO_FATAL_FAILURE(BreakTheDisk());
      const Completion completion = Collect(producer, 1)[0];
      ASSERT_EQ(completion.verdict.kind(), VerdictKind::kUnknown);
      open = completion.receipt;
      ASSERT_NE(open.position, Position());
    }
    engine_.reset();
    if (power_goes) LosePower();
    Open();
    EXPECT_EQ(Ask(open), power_goes ? kGone : kThere);
    engine_.reset();
  }
}

TEST_F(ConfirmTest, ReceiptsOfEveryEpochAndTheirDuplicatesArePresent) {
  std::vector<Receipt> receipts;
  for (std::uint32_t epoch = 1; epoch <= 6; ++epoch) {
    ASSERT_NO_FATAL_FAILURE(Open());
    Producer teller = NewProducer("teller");
    Producer other = NewProducer();
    for (std::uint64_t key = 1; key <= 400; ++key) receipts.push_back(Run(other, key, 5));
    const auto transfer = teller.Execute<Account>(Key(1), Transfer{Key(2), 1}, kPublished);
    ASSERT_TRUE(transfer.ok());
    receipts.push_back(*transfer);
    const auto look = teller.Execute<Account>(Key(1), Look{}, kPublished);
    ASSERT_TRUE(look.ok());
    receipts.push_back(*look);
    for (std::uint64_t sequence = 1; sequence <= 2ULL * epoch; ++sequence) {
      const SubmitOptions resend{.ack = Ack::kPublished, .resend = Sequence(sequence)};
      const auto again = sequence % 2 == 1
                             ? teller.Execute<Account>(Key(1), Transfer{Key(2), 1}, resend)
                             : teller.Execute<Account>(Key(1), Look{}, resend);
      ASSERT_TRUE(again.ok() && again->is_duplicate);
      receipts.push_back(*again);
    }
    for (const Receipt& receipt : receipts) {
      ASSERT_EQ(Ask(receipt).presence, Presence::kPresent) << receipt.position.value();
    }
    ASSERT_TRUE(engine_->Stop().ok());
    for (const Receipt& receipt : receipts) ASSERT_EQ(Ask(receipt), kThere) << "after Stop()";
  }
}

TEST_F(ConfirmTest, AReceiptThatNamesNoRecordIsUnknown) {
  Open();
  Producer teller = NewProducer("teller");
  Producer other = NewProducer();
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Withdraw{5}, kPublished));
  ASSERT_TRUE(
      teller.Submit<Account>(Key(1), Withdraw{5}, {.ack = Ack::kPublished, .resend = Sequence(1)}));
  for (const Completion& refused : Collect(teller, 2)) {
    ASSERT_EQ(refused.verdict.kind(), VerdictKind::kRefused);
    EXPECT_EQ(Ask(refused.receipt), kNotKnown);
  }
  const auto look = other.Execute<Account>(Key(1), Look{}, kPublished);
  ASSERT_TRUE(look.ok());
  EXPECT_EQ(look->position, Position());
  EXPECT_EQ(Ask(*look), kNotKnown) << "nothing was appended";
}

TEST_F(ConfirmTest, AReceiptThatThisLogNeverGaveIsUnknown) {
  Open();
  {
    Producer before = NewProducer();
    Run(before, 1, 5);
  }
  Reopen();
  Producer producer = NewProducer();
  const auto transfer = [&] {
    EXPECT_TRUE(producer.Execute<Account>(Key(2), Deposit{9}, kPublished).ok());
    return *producer.Execute<Account>(Key(1), Transfer{Key(2), 1}, kPublished);
  };
  const Receipt real = transfer();
  const Position end = Run(producer, 1, 5).position;
  ASSERT_EQ(Ask(real).presence, Presence::kPresent);
  std::uint64_t epoch_began = 0;
  for (const SeenRecord& record : ReadLog(*engine_)) {
    if (record.kind == RecordKind::kEpochBegan) epoch_began = record.position;
  }
  const auto expect_unknown = [&](const Receipt& receipt, const char* what) {
    EXPECT_EQ(Ask(receipt), kNotKnown) << what;
  };
  Receipt forged = real;
  forged.epoch = Epoch(3);
  expect_unknown(forged, "of a later epoch");
  forged.epoch = Epoch();
  expect_unknown(forged, "of no epoch");
  forged = real;
  forged.version = forged.version.Next();
  expect_unknown(forged, "of another version");
  forged = real;
  forged.position = Position(real.position.value() - 1);
  expect_unknown(forged, "in the middle of a commit");
  for (const Position behind : {end.Next(), end.Plus(1000), Position(UINT64_MAX)}) {
    forged.position = behind;
    expect_unknown(forged, "behind the log's end");
  }
  forged = {.position = Position(epoch_began), .epoch = Epoch(2)};
  expect_unknown(forged, "the epoch's own record");
  forged.position = Position(epoch_began - 1);
  expect_unknown(forged, "before the epoch");
}

TEST_F(ConfirmTest, AnyThreadAsksWhileCommandsAreDecided) {
  Open();
  Producer producer = NewProducer();
  const Receipt first = Run(producer, 1, 5, kDurable);
  std::atomic<bool> is_over{false};
  std::vector<std::thread> askers;
  for (int i = 0; i < 2; ++i) {
    askers.emplace_back([&] {
      // Relaxed: a flag for the test's end, it guards nothing.
      while (!is_over.load(std::memory_order_relaxed)) {
        if (Ask(first) != kThere) return;
      }
    });
  }
  Receipt last;
  for (int i = 0; i < 2000; ++i) {
    last = Run(producer, 1 + static_cast<std::uint64_t>(i) % 100, 5);
    if (i % 50 == 0) {
      EXPECT_EQ(Ask(last).presence, Presence::kPresent);
    }
  }
  // Relaxed: as above.
  is_over.store(true, std::memory_order_relaxed);
  for (std::thread& asker : askers) asker.join();
}

}  // namespace
}  // namespace pawl
