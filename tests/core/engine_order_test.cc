// P1 and P2: positions, versions, several streams in one commit.

#include <cstdint>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

class EngineOrderTest : public ::testing::Test {
 protected:
  void Open() {
    auto opened = Engine::Open(directory_.Options(), Aggregates<Account, Probe>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
  }
  void SetUp() override { Open(); }

  template <class A, class C>
  Receipt Run(Producer& producer, std::uint64_t key, const C& command) {
    auto receipt = producer.Execute<A>(Key(key), command, {.ack = Ack::kPublished});
    EXPECT_TRUE(receipt.ok()) << receipt.status();
    return receipt.value_or(Receipt{});
  }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

// Positions have no hole; each stream's versions are 1, 2, 3… and its back-links name the
// position of the record before.
void ExpectDense(const std::vector<SeenRecord>& records) {
  struct Newest {
    std::uint64_t version = 0;
    std::uint64_t position = 0;
  };
  std::map<std::uint32_t, Newest> streams;
  std::uint64_t position = 0;
  for (const SeenRecord& record : records) {
    ASSERT_EQ(record.position, ++position);
    if (record.kind == RecordKind::kStreamBound) {
      ASSERT_EQ(record.stream, streams.size() + 1) << "stream numbers are dense";
      streams[record.stream] = {};
    }
    if (record.kind != RecordKind::kEvent) continue;
    ASSERT_TRUE(streams.contains(record.stream)) << "an event of a stream that was never bound";
    Newest& newest = streams[record.stream];
    ASSERT_EQ(record.version, newest.version + 1) << "stream " << record.stream;
    ASSERT_EQ(record.back_link, newest.position) << "stream " << record.stream;
    newest = {record.version, record.position};
  }
}

TEST_F(EngineOrderTest, PositionsAndVersionsAreDenseOverEpochs) {
  for (int epoch = 1; epoch <= 3; ++epoch) {
    auto made = engine_->NewProducer();
    ASSERT_TRUE(made.ok()) << made.status();
    for (std::uint64_t key = 1; key <= 7; ++key) Run<Account>(*made, key, Deposit{10});
    for (std::uint64_t i = 0; i < 500; ++i) {
      if (i % 5 == 0) Run<Account>(*made, 1 + i % 7, Transfer{Key(1 + (i + 1) % 7), 1});
      if (i % 50 == 0) Run<Probe>(*made, 100 + i, EmitInterleaved{Key(101 + i)});
    }
    ExpectDense(ReadLog(*engine_));
    { const Producer ends_before_its_engine = *std::move(made); }
    engine_.reset();
    ASSERT_NO_FATAL_FAILURE(Open());
    EXPECT_EQ(engine_->epoch().value(), static_cast<std::uint32_t>(epoch + 1));
  }
  ExpectDense(ReadLog(*engine_));
}

TEST_F(EngineOrderTest, AReceiptNamesTheCommitsLastRecordAndTheStreamsVersion) {
  Producer producer = *engine_->NewProducer();
  Run<Account>(producer, 1, Deposit{100});
  Run<Account>(producer, 2, Deposit{100});
  const Receipt receipt = Run<Account>(producer, 1, Transfer{Key(2), 30});
  const std::vector<SeenRecord> records = ReadLog(*engine_);
  EXPECT_EQ(receipt.position.value(), records.back().position);
  EXPECT_EQ(receipt.version, Version(2));
  EXPECT_EQ(receipt.epoch, engine_->epoch());
  EXPECT_EQ(receipt.level, Ack::kPublished);
  EXPECT_FALSE(receipt.is_duplicate);
}

TEST_F(EngineOrderTest, ATransferIsOneCommitOverTwoStreams) {
  Producer producer = *engine_->NewProducer();
  Run<Account>(producer, 1, Deposit{100});
  Run<Account>(producer, 2, Deposit{100});
  Run<Account>(producer, 1, Transfer{Key(2), 30});
  const std::vector<SeenRecord> events = EventsOf(ReadLog(*engine_));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[2].commit, events[3].commit);
  EXPECT_NE(events[1].commit, events[2].commit);
  EXPECT_NE(events[2].stream, events[3].stream);
  EXPECT_EQ(events[2].version, 2U);
  EXPECT_EQ(events[3].version, 2U);
}

TEST_F(EngineOrderTest, TheSameStreamNamedTwiceInOneCommandStaysDense) {
  Producer producer = *engine_->NewProducer();
  for (int round = 0; round < 3; ++round) {
    const Receipt receipt = Run<Probe>(producer, 1, EmitInterleaved{Key(2)});
    EXPECT_EQ(receipt.version, Version(4U * static_cast<std::uint64_t>(round + 1)));
    // The other stream is the command's own: all six are on it.
    const Receipt same = Run<Probe>(producer, 3, EmitInterleaved{Key(3)});
    EXPECT_EQ(same.version, Version(6U * static_cast<std::uint64_t>(round + 1)));
  }
  const std::vector<SeenRecord> records = ReadLog(*engine_);
  ExpectDense(records);
  const std::vector<SeenRecord> events = EventsOf(records);
  ASSERT_EQ(events.size(), 36U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(events[i].As<Probed>().value, static_cast<std::int64_t>(i + 1)) << "order of emits";
    EXPECT_EQ(events[i].commit, events[0].commit);
  }
}

TEST_F(EngineOrderTest, DecideAndOthersSeeTheStateBeforeTheCommand) {
  Producer producer = *engine_->NewProducer();
  // Neither stream exists before the first; both have what the first left before the second.
  Run<Probe>(producer, 1, AskOthers{Key(2)});
  std::vector<SeenRecord> events = EventsOf(ReadLog(*engine_));
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(events[2].As<Probed>().value, 0);
  EXPECT_EQ(events[3].As<Probed>().value, Probe::kNothing) << "the own stream is new";
  EXPECT_EQ(events[4].As<Probed>().value, Probe::kNothing) << "the other stream is new";

  Run<Probe>(producer, 1, AskOthers{Key(2)});
  events = EventsOf(ReadLog(*engine_));
  ASSERT_EQ(events.size(), 10U);
  const std::int64_t own = 100 + 0 + Probe::kNothing + Probe::kNothing;
  EXPECT_EQ(events[7].As<Probed>().value, own);
  EXPECT_EQ(events[8].As<Probed>().value, own);
  EXPECT_EQ(events[9].As<Probed>().value, 100);
}

TEST_F(EngineOrderTest, ACommandWithoutEventsWithoutSessionLeavesNothing) {
  Producer producer = *engine_->NewProducer();
  const std::vector<SeenRecord> before = ReadLog(*engine_);
  const Receipt receipt = Run<Account>(producer, 1, Look{});
  EXPECT_EQ(receipt.position, Position());
  EXPECT_EQ(receipt.version, Version());
  EXPECT_EQ(ReadLog(*engine_), before);
}

TEST_F(EngineOrderTest, AnEventWithoutFieldsIsARecord) {
  Producer producer = *engine_->NewProducer();
  EXPECT_EQ(Run<Probe>(producer, 1, EmitEmpty{}).version, Version(1));
  EXPECT_EQ(Run<Probe>(producer, 1, EmitEmpty{}).version, Version(2));
  EXPECT_TRUE(ReadLog(*engine_).back().payload.empty());
}

}  // namespace
}  // namespace pawl
