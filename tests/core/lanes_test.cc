// P6 and P8: the two lanes of a session. Each has sequences, a window and a generation of its own;
// while both wait, the loop takes 192 commands of control for 64 of bulk. Measured in commands from
// the order of the log, not in time.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr std::uint32_t kControlShare = 192;
constexpr std::uint32_t kBulkShare = 64;
constexpr std::uint64_t kTurnCommands = 256;
constexpr std::uint64_t kBulkKeys = 100;  // streams of bulk producers have keys from here on

class LanesTest : public BankTest {
 protected:
  void OpenWide(Threads threads = Threads::kHost) {
    EngineOptions options = directory_.Options(threads);
    options.segment_bytes = std::uint64_t{16} << 20;
    options.undurable_bytes_max = std::uint64_t{256} << 20;  // the disk stops nobody
    options.session_window = 2048;
    options.producers_max = 16;
    Open(options);
  }
  Producer NewOn(SessionLane lane, const std::string& session = "") {
    auto made = engine_->NewProducer({.session = session, .lane = lane});
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  Producer NewBulk(const std::string& session = "") { return NewOn(SessionLane::kBulk, session); }

  // Fills the producer's window with commands to `key`, one by one or in batches.
  static void Flood(Producer& producer, std::uint64_t key, bool in_batches) {
    if (!in_batches) {
      while (producer.Submit<Account>(Key(key), Deposit{1}, kQuick)) {
      }
      return;
    }
    const std::vector<Addressed<Deposit>> turn(kTurnCommands, {Key(key), {1}});
    while (producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(turn), kQuick).count !=
           0) {
    }
  }
  static void Drop(Producer& producer) {
    producer.Poll([](const Completion&) noexcept {});
  }

  // The commands of the log in order: true for bulk, by the key of their stream.
  std::vector<bool> OrderOfLanes() {
    std::map<std::uint32_t, bool> is_bulk;  // by stream
    std::vector<bool> order;
    for (const SeenRecord& record : ReadLog(*engine_)) {
      if (record.kind == RecordKind::kStreamBound) {
        is_bulk[record.stream] = record.As<StreamBound>().key_low >= kBulkKeys;
      } else if (record.kind == RecordKind::kEvent) {
        order.push_back(is_bulk.at(record.stream));
      }
    }
    return order;
  }

  // Commands between two of one producer, or before its first or behind its last.
  struct Gap {
    std::uint64_t own = 0;  // of its lane
    std::uint64_t all = 0;
  };
  // By lane; each stream is one producer's.
  std::map<bool, std::vector<Gap>> Gaps(std::size_t producers) {
    struct Stream {
      bool is_bulk = false;
      Gap behind;  // its last event: commands up to there
    };
    std::map<std::uint32_t, Stream> streams;
    std::map<bool, std::uint64_t> own;
    std::uint64_t all = 0;
    std::map<bool, std::vector<Gap>> gaps;
    const auto add = [&](const Stream& stream) {
      gaps[stream.is_bulk].push_back(
          {own[stream.is_bulk] - stream.behind.own, all - stream.behind.all});
    };
    for (const SeenRecord& record : ReadLog(*engine_)) {
      if (record.kind == RecordKind::kStreamBound) {
        streams[record.stream].is_bulk = record.As<StreamBound>().key_low >= kBulkKeys;
      } else if (record.kind == RecordKind::kEvent) {
        Stream& stream = streams.at(record.stream);
        add(stream);
        stream.behind = {++own[stream.is_bulk], ++all};
      }
    }
    EXPECT_EQ(streams.size(), producers) << "one never had a turn";
    for (const auto& [number, stream] : streams) add(stream);
    return gaps;
  }
};

TEST_F(LanesTest, EachLaneOfASessionHasSequencesOfItsOwn) {
  Open();
  Producer control = NewProducer("teller");
  Producer bulk = NewBulk("teller");
  EXPECT_EQ(control.session_lane(), SessionLane::kControl);
  EXPECT_EQ(bulk.session_lane(), SessionLane::kBulk);
  std::vector<Receipt> receipts;
  for (int i = 0; i < 3; ++i) {
    receipts.push_back(bulk.Execute<Account>(Key(2), Deposit{1}, kQuick).value());
  }
  const Receipt first = control.Execute<Account>(Key(1), Deposit{5}, kQuick).value();
  EXPECT_EQ(control.last_sequence(), Sequence(1));
  EXPECT_EQ(bulk.last_sequence(), Sequence(3));
  for (int life = 0; life < 2; ++life) {
    // The same sequence is another command on each.
    const SubmitOptions resend{.ack = Ack::kPublished, .resend = Sequence(1)};
    EXPECT_EQ(control.Execute<Account>(Key(1), Deposit{5}, resend).value().position,
              first.position);
    EXPECT_EQ(bulk.Execute<Account>(Key(2), Deposit{1}, resend).value().position,
              receipts[0].position);
    EXPECT_EQ(control.Submit<Account>(Key(1), Deposit{5}, {.resend = Sequence(2)}).fault(),
              SendFault::kBadSequence);
    if (life == 1) break;
    {
      const Producer gone_control = std::move(control);
      const Producer gone_bulk = std::move(bulk);
    }
    Reopen();
    control = NewProducer("teller");
    bulk = NewBulk("teller");
    EXPECT_EQ(control.last_sequence(), Sequence(1));
    EXPECT_EQ(bulk.last_sequence(), Sequence(3));
  }
  EXPECT_EQ(Balances(), (std::vector<std::pair<Key, std::int64_t>>{{Key(1), 5}, {Key(2), 3}}));
}

TEST_F(LanesTest, OpeningALaneAgainFencesThatLaneOnly) {
  Open();
  Producer control = NewProducer("teller");
  Producer bulk = NewBulk("teller");
  EXPECT_EQ(control.generation(), 1U);
  EXPECT_EQ(bulk.generation(), 1U);
  Producer newer = NewBulk("teller");
  EXPECT_EQ(newer.generation(), 2U);
  EXPECT_TRUE(absl::IsCancelled(bulk.Execute<Account>(Key(1), Deposit{1}, kQuick).status()));
  EXPECT_TRUE(control.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  EXPECT_TRUE(newer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  Producer newest = NewProducer("teller");
  EXPECT_EQ(newest.generation(), 2U);
  EXPECT_TRUE(absl::IsCancelled(control.Execute<Account>(Key(1), Deposit{1}, kQuick).status()));
  EXPECT_TRUE(newer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  EXPECT_EQ(engine_->Stats().sessions, 1U);
}

TEST_F(LanesTest, ABulkLaneNeedsNoControlLane) {
  Open();
  {
    Producer bulk = NewBulk("loader");
    EXPECT_TRUE(bulk.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  }
  Reopen();
  EXPECT_EQ(NewBulk("loader").last_sequence(), Sequence(1));
  Producer control = NewProducer("loader");
  EXPECT_EQ(control.last_sequence(), Sequence());
  EXPECT_EQ(control.generation(), 1U);
}

TEST_F(LanesTest, TheLogTellsTheLanesApart) {
  Open();
  Producer control = NewProducer("teller");
  Producer bulk = NewBulk("teller");
  ASSERT_TRUE(control.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  ASSERT_TRUE(bulk.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  ASSERT_TRUE(NewBulk().Execute<Account>(Key(1), Deposit{1}, kQuick).ok());  // of no session
  std::vector<std::uint8_t> flags;
  std::vector<RecordKind> kinds;
  LogReader reader = engine_->log().NewReader();
  while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      if (record.header.kind == RecordKind::kEvent) flags.push_back(record.commit.flags);
      if (record.commit.cause == CommitCause::kControl) kinds.push_back(record.header.kind);
    });
  }
  EXPECT_EQ(flags, (std::vector<std::uint8_t>{0, kCommitBulkLane, 0}));
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), RecordKind::kSessionOpened), 1);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), RecordKind::kLaneOpened), 1);
}

TEST_F(LanesTest, ALaneThatIsNoneIsRefused) {
  Open();
  for (const int none : {2, 3, 255}) {
    const auto made = engine_->NewProducer({.lane = static_cast<SessionLane>(none)});
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(engine_->Stats().producers, 0U);
}

// While both wait: never more than 192 of control between two of bulk, never more than 64 of bulk
// between two of control, also where a host's budget ends every turn after a few commands.
TEST_F(LanesTest, WhileBothWaitNeitherStarvesTheOther) {
  for (const bool in_batches : {true, false}) {
    SCOPED_TRACE(in_batches ? "batches" : "single commands");
    const TestDirectory directory;
    EngineOptions options = directory.Options(Threads::kHost);
    options.undurable_bytes_max = std::uint64_t{256} << 20;
    options.segment_bytes = std::uint64_t{16} << 20;
    options.session_window = 2048;
    Open(options);
    {
      std::vector<Producer> control;
      std::vector<Producer> bulk;
      for (int i = 0; i < 2; ++i) control.push_back(NewOn(SessionLane::kControl));
      for (int i = 0; i < 3; ++i) bulk.push_back(NewBulk());
      std::size_t answered = 0;
      for (int turn = 0; answered < 5'000; ++turn) {
        ASSERT_LT(turn, 20'000) << "nothing is decided any more";
        for (std::size_t i = 0; i < control.size(); ++i) Flood(control[i], 1 + i, in_batches);
        for (std::size_t i = 0; i < bulk.size(); ++i) Flood(bulk[i], kBulkKeys + i, in_batches);
        engine_->Poll(std::chrono::nanoseconds(0));
        for (std::vector<Producer>* all : {&control, &bulk}) {
          for (Producer& each : *all) answered += each.Poll([](const Completion&) noexcept {});
        }
      }
    }
    std::map<bool, std::uint64_t> longest;
    std::uint64_t run = 0;
    const std::vector<bool> order = OrderOfLanes();
    for (std::size_t i = 0; i < order.size(); ++i) {
      run = i != 0 && order[i] == order[i - 1] ? run + 1 : 1;
      longest[order[i]] = std::max(longest[order[i]], run);
    }
    EXPECT_EQ(longest[false], kControlShare);
    EXPECT_EQ(longest[true], kBulkShare);
    engine_.reset();
  }
}

TEST_F(LanesTest, ATurnHasThreeOfControlForOneOfBulk) {
  OpenWide();
  Producer control = NewOn(SessionLane::kControl);
  Producer bulk = NewBulk();
  Flood(control, 1, true);
  Flood(bulk, kBulkKeys, true);
  while (engine_->Poll(kWholeTurns) != 0) {
  }
  // Windows of 2,048: control has come to its end after 10 shares and 128.
  const std::vector<bool> order = OrderOfLanes();
  ASSERT_EQ(order.size(), 2 * 2'048U);
  for (std::size_t i = 0; i < 10 * kTurnCommands; ++i) {
    ASSERT_EQ(order[i], i % kTurnCommands >= kControlShare) << i;
  }
  for (std::size_t i = 10 * kTurnCommands; i < order.size(); ++i) {
    ASSERT_EQ(order[i], i >= 10 * kTurnCommands + 128) << i;
  }
}

TEST_F(LanesTest, WhoWaitsAloneHasTheWholeTurn) {
  OpenWide();
  for (const SessionLane lane : {SessionLane::kControl, SessionLane::kBulk}) {
    Producer producer = NewOn(lane);
    Flood(producer, 1, true);
    LogReader reader = engine_->log().NewReader();
    while (reader.NextFrame(engine_->log().published()) != nullptr) {
    }
    while (engine_->Poll(kWholeTurns) != 0) {
    }
    int frames = 0;
    while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
      EXPECT_EQ(frame->commits, kTurnCommands);
      ++frames;
    }
    EXPECT_EQ(frames, 2048 / 256);
    Collect(producer, 2048);
  }
}

// A flood of bulk, from all sides and by single commands, is passed by what comes on control.
TEST_F(LanesTest, AControlCommandPassesAFloodOfBulk) {
  OpenWide();
  std::vector<Producer> bulk;
  for (int i = 0; i < 8; ++i) bulk.push_back(NewBulk());
  Producer control = NewOn(SessionLane::kControl);
  std::uint64_t worst = 0;
  for (int round = 0; round < 100; ++round) {
    for (std::size_t i = 0; i < bulk.size(); ++i) Flood(bulk[i], kBulkKeys + i, false);
    Position before;
    SendFault fault = SendFault::kUndurable;
    while (fault == SendFault::kUndurable) {  // the disk may be behind with the next segment
      engine_->Poll(std::chrono::nanoseconds(0));
      before = engine_->Stats().position;
      fault = control.Submit<Account>(Key(1), Deposit{1}, kQuick).fault();
    }
    ASSERT_EQ(fault, SendFault::kNone) << ToString(fault);
    worst = std::max(worst, Collect(control, 1)[0].receipt.position - before);
    for (Producer& each : bulk) Drop(each);
  }
  // What is left of a share that bulk had begun.
  EXPECT_LE(worst, kBulkShare + 3);  // and the records that bind new streams
  bulk.clear();
}

// Design §6, in each lane: between two turns of a producer every other one of its lane has had one.
// Of the other lane come the shares that it has meanwhile.
TEST_F(LanesTest, TheFairnessBoundHoldsInEachLane) {
  OpenWide();
  constexpr std::size_t kEach = 3;
  std::map<bool, std::vector<Producer>> producers;
  for (std::size_t i = 0; i < kEach; ++i) {
    producers[false].push_back(NewOn(SessionLane::kControl));
    producers[true].push_back(NewBulk());
  }
  for (int turn = 0; turn < 300; ++turn) {
    for (auto& [is_bulk, all] : producers) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        Flood(all[i], (is_bulk ? kBulkKeys : 1) + i, i % 2 == 0);
      }
    }
    engine_->Poll(std::chrono::nanoseconds(0));
    for (auto& [is_bulk, all] : producers) {
      for (Producer& each : all) Drop(each);
    }
  }
  constexpr std::uint64_t kOwnBound = 2 * kTurnCommands * kEach;
  const std::map<bool, std::vector<Gap>> gaps = Gaps(2 * kEach);
  for (const bool is_bulk : {false, true}) {
    SCOPED_TRACE(is_bulk ? "bulk" : "control");
    const std::uint64_t own_share = is_bulk ? kBulkShare : kControlShare;
    const std::uint64_t other_share = is_bulk ? kControlShare : kBulkShare;
    Gap worst;
    for (const Gap& gap : gaps.at(is_bulk)) {
      // A share of the other lane behind each one of its own that ends there.
      ASSERT_LE(gap.all, gap.own + other_share * (gap.own / own_share + 1));
      worst = {std::max(worst.own, gap.own), std::max(worst.all, gap.all)};
    }
    std::cout << "worst gap: " << worst.own << " commands of its lane, " << worst.all
              << " of both\n";
    EXPECT_GT(worst.own, 0U);
    EXPECT_LE(worst.own, kOwnBound);
    // 4 × and 192 for bulk, 4/3 × and 64 for control.
    EXPECT_LE(worst.all, kOwnBound * kTurnCommands / own_share + other_share);
  }
}

TEST_F(LanesTest, StopAnswersBothLanes) {
  OpenWide();
  Producer control = NewOn(SessionLane::kControl);
  Producer bulk = NewBulk();
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(control.Submit<Account>(Key(1), Deposit{1}, kQuick));
    ASSERT_TRUE(bulk.Submit<Account>(Key(1), Deposit{1}, kQuick));
  }
  ASSERT_TRUE(engine_->Stop().ok());
  for (Producer* producer : {&control, &bulk}) {
    std::uint64_t unavailable = 0;
    producer->Poll([&](const Completion& c) noexcept {
      unavailable += c.verdict.kind() == VerdictKind::kUnavailable;
    });
    EXPECT_EQ(unavailable, 300U);
  }
}

// Taken by the loop, which has no room for them.
TEST_F(LanesTest, StopAnswersBothLanesWhileTheyWaitForRoom) {
  GateStorage gate;
  EngineOptions options = directory_.Options(Threads::kHost);
  options.undurable_bytes_max = options.segment_bytes;
  options.commit_bytes_max = 1024;
  options.session_window = std::uint32_t{1} << 14;
  options.storage = &gate;
  Open(options);
  {
    const GateOpener opener(gate);
    Producer control = NewOn(SessionLane::kControl, "teller");
    Producer bulk = NewBulk("teller");
    gate.Shut();
    Flood(control, 1, true);
    Flood(bulk, kBulkKeys, true);
    engine_->Poll(kWholeTurns);
    const std::uint64_t accepted = engine_->Stats().outcome(VerdictKind::kAccepted);
    ASSERT_GT(accepted, 0U);
    ASSERT_LT(accepted, 2U * options.session_window);
    gate.Open();
    ASSERT_TRUE(engine_->Stop().ok());
    std::map<VerdictKind, std::uint64_t> ended;
    for (Producer* producer : {&control, &bulk}) {
      EXPECT_EQ(producer->Poll([&](const Completion& c) noexcept { ++ended[c.verdict.kind()]; }),
                options.session_window);
    }
    EXPECT_EQ(ended[VerdictKind::kAccepted], accepted);
    EXPECT_EQ(ended[VerdictKind::kUnavailable], 2 * options.session_window - accepted);
  }
  engine_.reset();  // before its storage
}

TEST_F(LanesTest, HandlesMovedAndDestroyedWithCommandsUnderWayOnBothLanesLeaveThemExecuted) {
  OpenWide();
  {
    Producer control = NewOn(SessionLane::kControl, "teller");
    Producer bulk = NewBulk("teller");
    Flood(control, 1, false);
    Flood(bulk, kBulkKeys, false);
    engine_->Poll(std::chrono::nanoseconds(0));  // some of them are decided
    const Producer moved_control = std::move(control);
    const Producer moved_bulk = std::move(bulk);
  }
  while (engine_->Poll(kWholeTurns) != 0) {
  }
  EXPECT_EQ(engine_->Stats().producers, 0U);
  EXPECT_EQ(OrderOfLanes().size(), 2 * 2048U);
  EXPECT_EQ(NewOn(SessionLane::kControl, "teller").last_sequence(), Sequence(2048));
  EXPECT_EQ(NewBulk("teller").last_sequence(), Sequence(2048));
}

TEST_F(LanesTest, BulkCommandsAreCounted) {
  Open();
  Producer control = NewProducer("teller");
  Producer bulk = NewBulk("teller");
  ASSERT_TRUE(control.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(bulk.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  ASSERT_FALSE(bulk.Execute<Account>(Key(1), Withdraw{100}, kQuick).ok());
  EXPECT_EQ(engine_->Stats().bulk_commands, 4U);
}

}  // namespace
}  // namespace pawl
