// P2: a refused command, and one that exceeds a limit, leaves no trace.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

// Host-driven with all agents, so that nothing writes unless asked: bytes can be compared.
class EngineRefusalsTest : public ::testing::Test {
 protected:
  void Open(const EngineOptions& options) {
    options_ = options;
    auto opened = Engine::Open(options, Aggregates<Probe>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    while (engine_->Poll(kWholeTurns) != 0) {
    }
  }
  void Open() { Open(directory_.Options(Threads::kHostAll)); }

  struct Trace {
    Address published;
    std::vector<SeenRecord> records;
    std::map<std::string, std::string> bytes;
    std::vector<std::uint64_t> states;  // versions and sums in order of keys
  };
  Trace Look() {
    while (engine_->Poll(kWholeTurns) != 0) {
    }
    Trace trace{engine_->log().published(), ReadLog(*engine_), SegmentBytes(options_), {}};
    std::map<Key, std::pair<Version, std::int64_t>> states;
    const absl::Status visited = engine_->VisitAggregates<Probe>(
        [&states](const Key& key, Version version, const Probe::State& state) {
          states[key] = {version, state.sum};
        });
    EXPECT_TRUE(visited.ok()) << visited;
    for (const auto& [key, state] : states) {
      trace.states.insert(trace.states.end(), {key.high, key.low, state.first.value(),
                                               static_cast<std::uint64_t>(state.second)});
    }
    return trace;
  }

  static void ExpectSame(const Trace& before, const Trace& after) {
    EXPECT_EQ(before.published, after.published);
    EXPECT_EQ(before.records, after.records);
    EXPECT_EQ(before.states, after.states);
    ASSERT_FALSE(before.bytes.empty());
    EXPECT_TRUE(before.bytes == after.bytes) << "bytes of a segment or an image changed";
  }

  // `command` to key 1 is not accepted and leaves nothing, whoever comes next.
  template <class C>
  absl::Status ExpectNoTrace(Producer& producer, std::uint64_t key, const C& command) {
    const Trace before = Look();
    const auto result = producer.Execute<Probe>(Key(key), command);
    EXPECT_FALSE(result.ok());
    ExpectSame(before, Look());
    return result.status();
  }

  // The next commands get the positions, versions and stream numbers as if nothing had been.
  void ExpectNextUnaffected(Producer& producer, std::uint64_t key) {
    const std::vector<SeenRecord> before = ReadLog(*engine_);
    std::uint32_t streams = 0;
    for (const SeenRecord& record : before) streams += record.kind == RecordKind::kStreamBound;
    const auto receipt = producer.Execute<Probe>(Key(key), EmitMany{1, 1, Key(key + 1)});
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    const std::vector<SeenRecord> after = ReadLog(*engine_);
    ASSERT_EQ(after.size(), before.size() + 4);  // two bindings, two events
    EXPECT_EQ(receipt->position.value(), before.size() + 4);
    EXPECT_EQ(receipt->version, Version(1));
    std::uint32_t bound = streams;
    for (std::size_t i = before.size(); i < after.size(); ++i) {
      EXPECT_EQ(after[i].position, i + 1);
      if (after[i].kind == RecordKind::kStreamBound) {
        EXPECT_EQ(after[i].stream, ++bound);
      } else {
        EXPECT_EQ(after[i].version, 1U);
      }
    }
  }

  const TestDirectory directory_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineRefusalsTest, ARefusalAfterTwoEmitsLeavesTheLogUnchangedByteForByte) {
  Open();
  Producer producer = *engine_->NewProducer();
  ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{2, 2, Key(2)}).ok());
  const absl::Status status = ExpectNoTrace(producer, 1, EmitThenRefuse{Key(2)});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(RefusalCode(status), Probe::kRefusal);
  const auto next = producer.Execute<Probe>(Key(1), EmitMany{1, 0, Key(2)});
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->version, Version(3));
}

TEST_F(EngineRefusalsTest, ALimitIsToldRatherThanTheRefusalBehindIt) {
  Open();
  Producer producer = *engine_->NewProducer();
  ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{1, 0, Key(9)}).ok());
  for (const std::uint64_t key : {1U, 2U}) {
    // No event goes to key 0.
    const absl::Status status = ExpectNoTrace(producer, key, EmitThenRefuse{Key(0)});
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(RefusalCode(status), 0) << status;
  }
  ExpectNextUnaffected(producer, 2);
}

// One turn, so that nothing but the refusal stands between the commands.
TEST_F(EngineRefusalsTest, CommandsBehindARefusalSeeOthersAsIfItHadNotBeen) {
  Open();
  Producer producer = *engine_->NewProducer();
  for (const std::uint64_t key : {1U, 2U, 3U}) {
    ASSERT_TRUE(producer.Execute<Probe>(Key(key), EmitMany{1, 0, Key(9)}).ok());
  }
  ASSERT_TRUE(producer.Submit<Probe>(Key(50), EmitThenRefuse{Key(51)}));
  ASSERT_TRUE(producer.Submit<Probe>(Key(1), AskOthers{Key(3)}));
  ASSERT_TRUE(producer.Submit<Probe>(Key(1), EmitNewStreams{60, 2}));
  ASSERT_TRUE(producer.Submit<Probe>(Key(2), AskOthers{Key(61)}));
  std::uint32_t accepted = 0;
  while (producer.in_flight() != 0) {
    engine_->Poll(kWholeTurns);
    producer.Poll([&](const Completion& c) noexcept { accepted += c.verdict.is_accepted(); });
  }
  EXPECT_EQ(accepted, 3U);
  // What AskOthers recorded last is what it saw of the other one, which was there before it.
  std::map<std::uint32_t, std::int64_t> newest;
  for (const SeenRecord& event : EventsOf(ReadLog(*engine_))) {
    newest[event.stream] = event.As<Probed>().value;
  }
  EXPECT_NE(newest[1], Probe::kNothing);
  EXPECT_NE(newest[2], Probe::kNothing);
}

TEST_F(EngineRefusalsTest, ARefusalThatMadeNewStreamsLeavesNone) {
  Open();
  Producer producer = *engine_->NewProducer();
  ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{1, 0, Key(9)}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(
      ExpectNoTrace(producer, 1, EmitThenRefuse{Key(50)})));  // other new
  EXPECT_TRUE(
      absl::IsFailedPrecondition(ExpectNoTrace(producer, 51, EmitThenRefuse{Key(1)})));  // own new
  EXPECT_TRUE(absl::IsFailedPrecondition(
      ExpectNoTrace(producer, 52, EmitThenRefuse{Key(53)})));  // both new
  ExpectNextUnaffected(producer, 52);
}

TEST_F(EngineRefusalsTest, ARefusalAfterTheOneEventOfACommonCommandLeavesNoTrace) {
  Open();
  Producer producer = *engine_->NewProducer();
  ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{1, 0, Key(9)}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ExpectNoTrace(producer, 1, EmitOneThenRefuse{})));
  EXPECT_TRUE(absl::IsFailedPrecondition(ExpectNoTrace(producer, 2, EmitOneThenRefuse{})));
  ExpectNextUnaffected(producer, 2);
}

TEST_F(EngineRefusalsTest, ASessionsRefusalLeavesNoRecordEither) {
  Open();
  Producer producer = *engine_->NewProducer({.session = "probe"});
  ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{1, 0, Key(9)}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ExpectNoTrace(producer, 1, EmitThenRefuse{Key(50)})));
  ExpectNextUnaffected(producer, 60);
}

TEST_F(EngineRefusalsTest, RefusalsBetweenAcceptedCommandsOfOneTurnLeaveNothing) {
  Open();
  Producer producer = *engine_->NewProducer();
  for (std::uint64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(producer.Submit<Probe>(Key(1), EmitMany{1, 1, Key(2)}));
    ASSERT_TRUE(producer.Submit<Probe>(Key(100 + i), EmitThenRefuse{Key(200 + i)}));
    ASSERT_TRUE(producer.Submit<Probe>(Key(1), EmitThenRefuse{Key(2)}));
  }
  ASSERT_TRUE(Await([&] {
    engine_->Poll(kWholeTurns);
    producer.Poll([](const Completion&) noexcept {});
    return producer.in_flight() == 0;
  }));
  const std::vector<SeenRecord> events = EventsOf(ReadLog(*engine_));
  ASSERT_EQ(events.size(), 100U);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].version, i / 2 + 1);
  ExpectNextUnaffected(producer, 100);
}

// --- limits, each at its edge ---

TEST_F(EngineRefusalsTest, ACommandEmitsAtMostCommitEventsMax) {
  Open();
  Producer producer = *engine_->NewProducer();
  ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{kCommitEventsMax - 1, 0, Key(2)}).ok());
  ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{kCommitEventsMax, 0, Key(2)}).ok());
  EXPECT_EQ(ExpectNoTrace(producer, 1, EmitMany{kCommitEventsMax + 1, 0, Key(2)}).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      ExpectNoTrace(producer, 1, EmitMany{kCommitEventsMax, 1, Key(2)})));
  ExpectNextUnaffected(producer, 10);
}

TEST_F(EngineRefusalsTest, ACommitHasAtMostCommitBytesMax) {
  // The commit's header, the stream's binding and 100 records of 8 bytes.
  constexpr std::uint32_t kBytes = sizeof(CommitHeader) + sizeof(RecordHeader) +
                                   sizeof(StreamBound) + 100 * (sizeof(RecordHeader) + 8);
  for (const int over : {-1, 0, 1}) {
    SCOPED_TRACE(over);
    const TestDirectory directory;
    EngineOptions options = directory.Options(Threads::kHostAll);
    options.commit_bytes_max = kBytes + static_cast<std::uint32_t>(over);
    Open(options);
    Producer producer = *engine_->NewProducer();
    if (over >= 0) {
      EXPECT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{100, 0, Key(2)}).ok());
    } else {
      const absl::Status status = ExpectNoTrace(producer, 1, EmitMany{100, 0, Key(2)});
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_EQ(RefusalCode(status), 0);
    }
    EXPECT_TRUE(absl::IsFailedPrecondition(ExpectNoTrace(producer, 5, EmitMany{101, 0, Key(2)})));
    ExpectNextUnaffected(producer, 10);
    { const Producer ends_before_its_engine = std::move(producer); }
    engine_.reset();
  }
}

TEST_F(EngineRefusalsTest, ARecordHasAtMost256KiB) {
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.segment_bytes = std::uint64_t{4} << 20;
  options.undurable_bytes_max = std::uint64_t{16} << 20;
  Open(options);
  Producer producer = *engine_->NewProducer();
  EXPECT_TRUE(producer.Execute<Probe>(Key(1), FillMax{}).ok());
  EXPECT_EQ(ReadLog(*engine_).back().payload.size(), kFilledMax);
  EXPECT_EQ(ExpectNoTrace(producer, 1, FillOver{}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::IsFailedPrecondition(ExpectNoTrace(producer, 77, FillOver{})));
  ExpectNextUnaffected(producer, 10);
}

TEST_F(EngineRefusalsTest, AStoreHasAtMostStreamsMax) {
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.streams_max = 8;
  Open(options);
  Producer producer = *engine_->NewProducer();
  ASSERT_TRUE(producer.Execute<Probe>(Key(1000), EmitNewStreams{1, 7}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ExpectNoTrace(producer, 1000, EmitNewStreams{10, 2})));
  ASSERT_TRUE(producer.Execute<Probe>(Key(1000), EmitNewStreams{8, 1}).ok());
  EXPECT_EQ(ExpectNoTrace(producer, 9, EmitMany{1, 0, Key(1)}).code(),
            absl::StatusCode::kFailedPrecondition);
  // The streams that exist go on, and the log opens again at its limit.
  EXPECT_EQ(producer.Execute<Probe>(Key(8), EmitMany{1, 1, Key(1)})->version, Version(2));
  const std::vector<std::uint64_t> states = Look().states;
  { const Producer ends_before_its_engine = std::move(producer); }
  engine_.reset();
  Open(options);
  EXPECT_EQ(Look().states, states);
}

TEST_F(EngineRefusalsTest, EmitOnKeyZeroOrOnAnAggregateNotOpenedRefusesTheCommand) {
  Open();
  Producer producer = *engine_->NewProducer();
  EXPECT_EQ(ExpectNoTrace(producer, 1, EmitMany{1, 1, Key(0)}).code(),
            absl::StatusCode::kFailedPrecondition);
  ExpectNextUnaffected(producer, 10);
  const Sent sent = producer.Submit<Account>(Key(1), Deposit{1});
  EXPECT_EQ(sent.fault(), SendFault::kNotInEngine);
  EXPECT_EQ(sent.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(producer.Submit<Probe>(Key(0), EmitEmpty{}).fault(), SendFault::kNotInEngine);
  EXPECT_EQ(ToString(SendFault::kNotInEngine), "not in the engine, or key 0");
  EXPECT_EQ(producer.in_flight(), 0U);
}

}  // namespace
}  // namespace pawl
