// A log whose every number was set to every limit by somebody who then made the checksums right: it
// is refused with a status, or every way of reading it tells the same. Nothing crashes, nothing
// goes round for ever.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "../core/bank_fixture.h"
#include "checksum_repair.h"
#include "log_files.h"
#include "log_judge.h"
#include "pawl/check.h"
#include "pawl/view.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kEventsMax = 100'000;  // a reader that hands out more goes round
constexpr std::uint64_t kAccounts = 7;
constexpr int kRoundsMax = 100'000;

struct Sum {
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr int kVersion = 1;
  std::int64_t cents = 0;
  void On(const Deposited& e, const Meta&) noexcept { cents += e.cents; }
  void On(const Withdrawn& e, const Meta&) noexcept { cents -= e.cents; }
};

// A place where a number stands.
struct Place {
  std::string name;
  std::size_t file = 0;
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

constexpr std::uint8_t kChecksums = kRepairBlocks | kRepairFrames;
constexpr std::uint8_t kChecksumsAndChain = kChecksums | kRepairChain;  // more of the log follows

// The case under way, for whoever aborts.
std::string g_case;
void TellCase(int) {
  const ssize_t n = ::write(STDERR_FILENO, g_case.data(), g_case.size());
  static_cast<void>(n);
  ::_exit(3);
}

EngineOptions OptionsOf(SimStorage& machine) {
  EngineOptions options;
  options.directory = kLogDirectory;
  options.hot_directory = kHotDirectory;
  options.segment_bytes = kSegmentBytes;
  options.undurable_bytes_max = 2 * kSegmentBytes;
  options.streams_max = 64;
  options.sessions_max = 4;
  options.session_window = 64;
  options.keys_max = 16;
  options.producers_max = 2;
  options.agents_max = 2;
  options.threads = Threads::kHostAll;
  options.storage = &machine;
  return options;
}

LogOptions LogOptionsOf(SimStorage& machine) {
  LogOptions options;
  options.directory = kLogDirectory;
  options.hot_directory = kHotDirectory;
  options.segment_bytes = kSegmentBytes;
  options.undurable_bytes_max = 2 * kSegmentBytes;
  options.storage = &machine;
  return options;
}

// A bank's log of two sealed segments and a third, after a clean stop.
LogFiles WriteBank() {
  SimStorage machine(MachineOptions(false));
  PutFiles(LogFiles{}, machine);
  auto engine = Engine::Open(OptionsOf(machine), Aggregates<Account>{});
  PAWL_CHECK(engine.ok());
  auto producer = (*engine)->NewProducer({.session = "teller"});
  PAWL_CHECK(producer.ok());
  for (std::uint64_t number = 0; (*engine)->log().published().value() < 5 * kSegmentBytes / 2;
       ++number) {
    const Key key(1 + number % kAccounts);
    const bool is_transfer = number % 3 == 0;
    PAWL_CHECK(is_transfer ? producer->Submit<Account>(key, Transfer{Key(1 + number % 5), 1})
                           : producer->Submit<Account>(key, Deposit{5}));
    for (int rounds = 0; producer->in_flight() > 0; ++rounds) {
      PAWL_CHECK(rounds < kRoundsMax);
      (*engine)->Poll();
      producer->Poll([](const Completion&) noexcept {});
    }
  }
  PAWL_CHECK((*engine)->Stop().ok());
  LogFiles files;
  for (std::size_t file = 0; file < kFirstSegment + 3; ++file) {
    files[file] = machine.Bytes(PathOf(file));
  }
  return files;
}

class HostileLogTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { base_ = new LogFiles(WriteBank()); }
  static void TearDownTestSuite() {
    delete base_;
    base_ = nullptr;
  }
  void SetUp() override { ::signal(SIGABRT, &TellCase); }
  void TearDown() override {
    ::signal(SIGABRT, SIG_DFL);
    std::cout << cases_ << " logs, " << opened_ << " opened, " << engines_
              << " replayed by an engine\n";
  }

  static std::set<std::uint64_t> Values(std::uint64_t now, std::size_t bytes) {
    const std::uint64_t most = bytes == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << 8 * bytes) - 1;
    std::set<std::uint64_t> values;
    for (const std::uint64_t limit :
         {std::uint64_t{0}, now, most, std::uint64_t{kFrameCommitsMax},
          std::uint64_t{kSegmentBytes}, std::uint64_t{0xFFFFFFFF}, kVersionMax}) {
      for (const std::uint64_t value : {limit - 1, limit, limit + 1}) {
        if (value <= most && value != now) values.insert(value);
      }
    }
    return values;
  }

  static std::uint64_t LoadNumber(const Bytes& bytes, const Place& place) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + place.offset, place.bytes);
    return value;
  }

  void TryAll(const Place& place) {
    const std::uint64_t now = LoadNumber(*(*base_)[place.file], place);
    for (const std::uint64_t value : Values(now, place.bytes)) {
      for (const std::uint8_t repairs : {kChecksums, kChecksumsAndChain}) {
        g_case = place.name + " = " + std::to_string(value) + ", repairs " +
                 std::to_string(repairs) + "\n";
        LogFiles files = *base_;
        std::memcpy(files[place.file]->data() + place.offset, &value, place.bytes);
        RepairLog(files, repairs);
        ++cases_;
        ReadAsLog(files);
        ReadAsEngine(files);
        ASSERT_FALSE(HasFailure()) << g_case;
      }
    }
  }

  static void ExpectRefusal(const absl::Status& status) {
    EXPECT_TRUE(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status) ||
                absl::IsResourceExhausted(status))
        << status;
    EXPECT_FALSE(status.message().empty());
  }

  // Every reading interface, before and behind the making of indexes, and in the next life.
  void ReadAsLog(const LogFiles& files) {
    SimStorage machine(MachineOptions(false));
    PutFiles(files, machine);
    auto log = Log::Open(LogOptionsOf(machine));
    if (!log.ok()) return ExpectRefusal(log.status());
    ++opened_;
    CheckRecovered(files, **log);
    ReadEverything(**log);
    for (int rounds = 0; (*log)->SyncWork() + (*log)->PrepareWork() > 0; ++rounds) {
      ASSERT_LT(rounds, kRoundsMax);
    }
    ReadEverything(**log);
    ASSERT_TRUE((*log)->Close().ok());
    log = absl::UnknownError("closed");
    log = Log::Open(LogOptionsOf(machine));
    if (!log.ok()) return ExpectRefusal(log.status());
    ReadEverything(**log);
  }

  void ReadEverything(const Log& log) {
    const std::vector<FrameWalk::Frame> frames = ReadFrames(log);
    ReadBackward(log, frames);
    Seek(log);
    ReadStreams(log);
  }

  static void ReadBackward(const Log& log, const std::vector<FrameWalk::Frame>& frames) {
    LogReader reader = log.NewReader();
    EXPECT_TRUE(reader.SeekEnd(log.published()).ok());
    for (auto at = frames.rbegin(); at != frames.rend(); ++at) {
      const FrameHeader* const frame = reader.PreviousFrame();
      ASSERT_NE(frame, nullptr) << reader.status();
      ASSERT_EQ(frame->address, at->address);
    }
    EXPECT_EQ(reader.PreviousFrame(), nullptr);
    EXPECT_TRUE(reader.status().ok()) << reader.status();
  }

  static void Seek(const Log& log) {
    const std::uint64_t last = log.recovery().last_position.value();
    const std::uint64_t time = log.recovery().time_ns;
    const std::uint64_t most = ~std::uint64_t{0};
    for (const std::uint64_t to : {std::uint64_t{0}, std::uint64_t{1}, last / 2, last, last + 1,
                                   last + 2, std::uint64_t{0xFFFFFFFF}, most / 2, most}) {
      LogReader reader = log.NewReader();
      const absl::Status sought = reader.Seek(Position(to), log.published());
      EXPECT_TRUE(sought.ok() || absl::IsOutOfRange(sought) ||
                  (to == 0 && absl::IsInvalidArgument(sought)))
          << sought;
      const FrameHeader* const frame = reader.NextFrame(log.published());
      if (to >= 1 && to <= last) {
        ASSERT_NE(frame, nullptr);
        EXPECT_TRUE(frame->first_position <= to && to < frame->first_position + frame->records);
      }
    }
    for (const std::uint64_t to :
         {std::uint64_t{0}, std::uint64_t{1}, time - 1, time, time + 1, most / 2, most - 1, most}) {
      LogReader reader = log.NewReader();
      EXPECT_TRUE(reader.SeekTime(to, log.published()).ok());
      static_cast<void>(reader.PreviousFrame());
      static_cast<void>(reader.NextFrame(log.published()));
    }
  }

  // Each stream's events forward and backward, against those of a walk over all records.
  static void ReadStreams(const Log& log) {
    std::map<std::uint32_t, std::vector<std::uint64_t>> events;
    LogReader reader = log.NewReader();
    while (const FrameHeader* const frame = reader.NextFrame(log.published())) {
      ForEachRecord(*frame, [&](const RecordView& record) {
        if (record.header.kind != RecordKind::kEvent || record.header.stream == 0) return;
        events[record.header.stream].push_back(record.position.value());
      });
    }
    events[0xFFFFFFFF];
    for (const auto& [stream, positions] : events) {
      StreamReader of_stream = log.NewStreamReader(stream);
      std::vector<std::uint64_t> seen;
      while (const RecordView* const event = of_stream.NextEvent(log.published())) {
        EXPECT_EQ(event->header.stream, stream);
        seen.push_back(event->position.value());
        ASSERT_LT(seen.size(), kEventsMax);
      }
      EXPECT_TRUE(of_stream.status().ok()) << of_stream.status();
      EXPECT_EQ(seen, positions) << "forward, stream " << stream;
      seen.clear();
      while (const RecordView* const event = of_stream.PreviousEvent()) {
        seen.insert(seen.begin(), event->position.value());
        ASSERT_LT(seen.size(), kEventsMax);
      }
      EXPECT_TRUE(!of_stream.status().ok() || seen == positions) << "backward, stream " << stream;
    }
  }

  void ReadAsEngine(const LogFiles& files) {
    SimStorage machine(MachineOptions(false));
    PutFiles(files, machine);
    auto engine = Engine::Open(OptionsOf(machine), Aggregates<Account>{});
    if (!engine.ok()) return ExpectRefusal(engine.status());
    ++engines_;
    auto view = Project<Sum>(**engine);
    if (!view.ok()) return ExpectRefusal(view.status());
    // The epoch record is the last one.
    const Position last((*engine)->log().recovery().last_position.value() + 1);
    for (int rounds = 0; view->position() < last && view->status().ok(); ++rounds) {
      ASSERT_LT(rounds, kRoundsMax);
      (*engine)->Poll();
    }
    if (!view->status().ok()) return;
    std::int64_t cents = 0;
    std::uint64_t accounts = 0;
    const absl::Status visited =
        (*engine)->VisitAggregates<Account>([&](const Key&, Version, const auto& state) {
          cents += state.cents;
          ++accounts;
        });
    EXPECT_TRUE(visited.ok()) << visited;
    // A category with another name is another aggregate's, of which a view sees the events too.
    if (accounts < kAccounts) return;
    EXPECT_EQ(view->Read([](const Sum& sum) { return sum.cents; }), cents);
  }

  void TryFields(const std::string& name, std::size_t file, std::size_t at,
                 const std::vector<std::pair<std::size_t, std::size_t>>& fields) {
    for (const auto& [offset, bytes] : fields) {
      ASSERT_NO_FATAL_FAILURE(
          TryAll({name + " +" + std::to_string(offset), file, at + offset, bytes}));
    }
  }

  static std::size_t Frame(std::size_t segment, std::size_t number) {
    return FrameByLengths(*(*base_)[kFirstSegment + segment], number);
  }
  // The seal, if the segment has one.
  static std::size_t LastFrame(std::size_t segment) {
    const Bytes& bytes = *(*base_)[kFirstSegment + segment];
    std::size_t number = 0;
    while (FrameByLengths(bytes, number + 1) != FrameByLengths(bytes, number)) ++number;
    return FrameByLengths(bytes, number - 1);
  }

  static inline LogFiles* base_ = nullptr;
  std::uint64_t cases_ = 0;
  std::uint64_t opened_ = 0;
  std::uint64_t engines_ = 0;
};

TEST_F(HostileLogTest, EveryNumberOfManifestEvidenceAndSegmentHeader) {
  TryFields("manifest", kManifestFile, 0, {{0, 8}, {8, 4}, {12, 4}, {16, 8}, {40, 8}});
  // Sizes up to which memory is taken.
  for (const std::size_t slot : {std::size_t{0}, std::size_t{kBlockBytes}}) {
    TryFields("evidence", kEvidenceFile, slot,
              {{0, 8}, {8, 8}, {24, 8}, {32, 8}, {40, 4}, {44, 4}, {48, 8}});
  }
  for (const std::size_t segment : {0U, 2U}) {
    TryFields("segment header", kFirstSegment + segment, 0,
              {{0, 8}, {8, 4}, {12, 4}, {16, 8}, {32, 8}, {40, 8}, {48, 4}, {52, 4}});
  }
}

TEST_F(HostileLogTest, EveryNumberOfAFrameHeader) {
  for (const std::size_t segment : {0U, 1U, 2U}) {
    for (const std::size_t at : {Frame(segment, segment), LastFrame(segment)}) {
      TryFields("frame of segment " + std::to_string(segment) + " at " + std::to_string(at),
                kFirstSegment + segment, at,
                {{0, 4},
                 {8, 8},
                 {16, 4},
                 {20, 4},
                 {24, 8},
                 {32, 8},
                 {40, 8},
                 {48, 4},
                 {52, 2},
                 {54, 1},
                 {55, 1},
                 {56, 4},
                 {60, 4}});
    }
  }
}

TEST_F(HostileLogTest, EveryNumberOfCommitsAndRecordsAndWhatTheySay) {
  const Bytes& segment = *(*base_)[kFirstSegment];
  // Epoch, bindings, session, and the first events.
  for (std::size_t number = 0; number < 4; ++number) {
    const std::size_t frame = Frame(0, number);
    const auto header = LoadAt<FrameHeader>(segment, frame);
    const std::string name = "frame " + std::to_string(number);
    std::size_t at = frame + sizeof header;
    for (std::size_t commit = 0; commit < std::min<std::size_t>(header.commits, 2); ++commit) {
      const auto commit_header = LoadAt<CommitHeader>(segment, at);
      const std::size_t end = at + commit_header.bytes;
      TryFields(name + " commit", kFirstSegment, at,
                {{0, 4}, {4, 2}, {6, 1}, {7, 1}, {8, 4}, {12, 4}});
      for (at += sizeof commit_header; at < end;) {
        const auto record = LoadAt<RecordHeader>(segment, at);
        const std::string kind = name + " record of kind " +
                                 std::to_string(static_cast<int>(record.kind)) + " at " +
                                 std::to_string(at);
        TryFields(kind, kFirstSegment, at,
                  {{0, 2}, {2, 1}, {3, 1}, {4, 4}, {8, 4}, {12, 2}, {14, 2}, {16, 8}});
        const std::size_t payload = std::min<std::size_t>(record.payload_bytes(), 24);
        for (std::size_t word = 0; word + 4 <= payload; word += 4) {
          TryFields(kind + " payload", kFirstSegment, at + sizeof record, {{word, 4}});
        }
        at += record.units * std::size_t{kRecordAlignBytes};
      }
      at = end;
    }
  }
}

}  // namespace
}  // namespace pawl::inline v0
