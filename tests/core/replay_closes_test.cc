// What Open says of closings in a log that contradict it.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "ending_aggregates.h"

namespace pawl {
namespace {

class ReplayClosesTest : public ::testing::Test {
 protected:
  // Sheet 1 with two events (stream 1), heap 1 (stream 2), and a stream of a category that the
  // engine is opened without (stream 3).
  void SetUp() override {
    auto engine = Engine::Open(options_, Aggregates<Sheet, Heap, Account>{});
    ASSERT_TRUE(engine.ok()) << engine.status();
    auto producer = (*engine)->NewProducer();
    ASSERT_TRUE(producer.ok());
    ASSERT_TRUE(producer->Execute<Sheet>(Key(1), Scribble{1}).ok());
    const auto second = producer->Execute<Sheet>(Key(1), Scribble{2});
    ASSERT_TRUE(second.ok());
    ASSERT_TRUE(producer->Execute<Heap>(Key(1), Pile{2}).ok());
    ASSERT_TRUE(producer->Execute<Account>(Key(1), Deposit{2}).ok());
    good_ = {.kind = RecordKind::kStreamClosed,
             .type = 1,
             .stream = 1,
             .version = Version(2),
             .back_link = second->position};
  }

  // Appends records as one commit, which no engine would.
  void Append(std::initializer_list<RecordFields> records, std::uint32_t payload_bytes = 0) {
    auto log = Log::Open({.directory = options_.directory,
                          .hot_directory = options_.hot_directory,
                          .segment_bytes = options_.segment_bytes});
    ASSERT_TRUE(log.ok()) << log.status();
    LogWriter& writer = (*log)->writer();
    writer.BeginCommit();
    for (const RecordFields& each : records) {
      std::byte* const room = writer.AppendRecord(each, payload_bytes);
      ASSERT_NE(room, nullptr);
      std::memset(room, 0, payload_bytes);
    }
    static_cast<void>(writer.EndCommit({}));
    writer.Publish();
    ASSERT_TRUE((*log)->Close().ok());
  }
  absl::Status Open() {
    auto engine = Engine::Open(options_, Aggregates<Sheet, Heap>{});
    if (!engine.ok()) return engine.status();
    std::size_t sheets = 0;
    const absl::Status visited = (*engine)->VisitAggregates<Sheet>(
        [&sheets](const Key&, Version, const Sheet::State&) { ++sheets; });
    EXPECT_TRUE(visited.ok());
    live_sheets_ = sheets;
    return absl::OkStatus();
  }
  void ExpectDamage(const std::string& what) {
    const absl::Status status = Open();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_NE(std::string(status.message()).find(what), std::string::npos) << status;
    EXPECT_NE(std::string(status.message()).find("position "), std::string::npos) << status;
  }

  const TestDirectory directory_;
  const EngineOptions options_ = directory_.Options(Threads::kHostAll);
  RecordFields good_;
  std::size_t live_sheets_ = 0;
};

TEST_F(ReplayClosesTest, AGoodOneIsTakenIn) {
  Append({good_});
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(live_sheets_, 0U);
}

TEST_F(ReplayClosesTest, OfAStreamThatWasNeverBound) {
  good_.stream = 4;
  Append({good_});
  ExpectDamage("closing of an unbound stream");
}

TEST_F(ReplayClosesTest, OfStream0) {
  good_.stream = 0;
  Append({good_});
  ExpectDamage("closing of an unbound stream");
}

TEST_F(ReplayClosesTest, OfAStreamThatIsClosed) {
  Append({good_, good_});
  ExpectDamage("closing of a closed stream");
}

TEST_F(ReplayClosesTest, OfAStreamOfAnotherCategory) {
  good_.type = 2;
  Append({good_});
  ExpectDamage("closing of a stream of another category");
}

TEST_F(ReplayClosesTest, WithAPayload) {
  Append({good_}, 8);
  ExpectDamage("closing of a wrong size");
}

TEST_F(ReplayClosesTest, AtAnotherVersion) {
  good_.version = Version(3);
  Append({good_});
  ExpectDamage("whose last event is another one");
}

TEST_F(ReplayClosesTest, WithAnotherBackLink) {
  good_.back_link = Position(good_.back_link.value() - 1);
  Append({good_});
  ExpectDamage("whose last event is another one");
}

// Keys are never 0: such a slot is free to a store, and could not be closed.
TEST_F(ReplayClosesTest, OfAStreamThatWasBoundToKey0) {
  Append({{.kind = RecordKind::kStreamBound, .type = 1, .stream = 4}}, sizeof(StreamBound));
  Append({{.kind = RecordKind::kStreamClosed, .type = 1, .stream = 4}});
  ExpectDamage("stream bound to key 0");
}

TEST_F(ReplayClosesTest, AnEventOnAClosedStream) {
  Append({good_,
          {.kind = RecordKind::kEvent,
           .type = 1,
           .stream = 1,
           .version = Version(3),
           .back_link = good_.back_link}});
  ExpectDamage("event on a closed stream");
}

// The engine is opened without its category: as much as can be known is checked, and it is left
// alone.
TEST_F(ReplayClosesTest, OfAnAggregateThatTheEngineDoesNotKnow) {
  const RecordFields unknown{
      .kind = RecordKind::kStreamClosed, .type = 3, .stream = 3, .version = Version(1)};
  Append({unknown});
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(live_sheets_, 1U);
  Append({unknown});
  ExpectDamage("closing of a closed stream");
}

}  // namespace
}  // namespace pawl
