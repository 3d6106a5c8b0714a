// The file `stats` in the hot directory: what another process reads, and what becomes of what is
// no such file.

#include "stats_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "../memlog/forwarding_storage.h"
#include "bank_fixture.h"
#include "pawl/histogram.h"
#include "pawl/stats.h"
#include "program_output.h"
#include "stats_reading.h"
#include "test_seed.h"

namespace pawl {
namespace {

namespace fs = std::filesystem;

using Bytes = std::vector<char>;

Bytes ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void WriteWhole(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good());
}

// The words `name=number` of a program's output.
std::map<std::string, std::string> WordsOf(const std::string& output) {
  std::map<std::string, std::string> words;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t sign = line.find('=');
    if (sign != std::string::npos) words[line.substr(0, sign)] = line.substr(sign + 1);
  }
  return words;
}

class StatsFileTest : public BankTest {
 protected:
  std::string File() const { return directory_.hot() + "/stats"; }
  // Runs an engine that counts a little, and gives what stood in its file while it ran.
  Bytes MakeBytes() {
    Open(Threads::kHostAll);
    Producer producer = NewProducer("teller");
    EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
    Bytes bytes = ReadWhole(File());
    engine_->Poll();
    return bytes;
  }
  absl::StatusCode CodeOf(const Bytes& bytes) {
    const std::string path = directory_.root() + "/copy";
    WriteWhole(path, bytes);
    return ReadStats(path).status().code();
  }
};

TEST_F(StatsFileTest, AReaderSeesWhatTheEngineSays) {
  Open(Threads::kHostAll);
  Producer producer = NewProducer("teller");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  engine_->Poll();
  const EngineStats own = engine_->Stats();
  for (const std::string& path : {directory_.hot(), File()}) {
    const absl::StatusOr<EngineStats> read = ReadStats(path);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(read->epoch, engine_->epoch());
    EXPECT_FALSE(read->is_stopped);
    EXPECT_EQ(read->outcomes, own.outcomes);
    EXPECT_EQ(read->outcome(VerdictKind::kAccepted), 100U);
    EXPECT_EQ(read->commands_sent, own.commands_sent);
    EXPECT_EQ(read->turns, own.turns);
    EXPECT_EQ(read->frames, own.frames);
    EXPECT_EQ(read->position, own.position);
    EXPECT_EQ(read->published, own.published);
    EXPECT_EQ(read->durable, own.durable);
    EXPECT_EQ(read->categories.at(0).name, "account");
    EXPECT_EQ(read->categories.at(0).streams, 1U);
    EXPECT_EQ(read->agents.size(), own.agents.size());
    for (const Stage stage :
         {Stage::kQueueWait, Stage::kDecide, Stage::kPublish, Stage::kDurable}) {
      EXPECT_GT(read->stage(stage).count, 0U) << ToString(stage);
      EXPECT_EQ(read->stage(stage).count, own.stage(stage).count) << ToString(stage);
      EXPECT_EQ(read->stage(stage).p99_ns, own.stage(stage).p99_ns) << ToString(stage);
    }
  }
}

TEST_F(StatsFileTest, TheLogsDirectoryIsEnough) {
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.hot_directory.clear();
  Open(options);
  const std::string hot = engine_->log().hot_directory();
  const absl::StatusOr<EngineStats> read = ReadStats(options.directory);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->epoch, engine_->epoch());
  ASSERT_TRUE(engine_->Stop().ok());
  const absl::Status gone = ReadStats(options.directory).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(gone.message().find(hot + "/stats"), std::string::npos) << gone;
  fs::remove_all(hot);
}

// Between two looks it may become another file.
TEST_F(StatsFileTest, WhatIsReadIsLookedAtOnce) {
  struct Counting final : ForwardingStorage {
    std::map<std::string, int> looks;
    absl::StatusOr<FileIdentity> Identify(const std::string& path) override {
      ++looks[path];
      return ForwardingStorage::Identify(path);
    }
  };
  Open(Threads::kHostAll);
  const std::string file = directory_.hot() + "/stats";
  for (const std::string& path : {file, directory_.hot()}) {
    Counting storage;
    ASSERT_TRUE(ReadStats(path, &storage).ok());
    EXPECT_EQ(storage.looks[file], 1) << path;
  }
}

TEST_F(StatsFileTest, OfAHotDirectoryThatIsNotTheDefaultTheLogDoesNotKnow) {
  Open(Threads::kHostAll);
  const absl::Status unknown = ReadStats(directory_.log()).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(unknown.message().find("its hot directory is another one"), std::string::npos);
}

TEST_F(StatsFileTest, AnotherProcessReadsALiveEngine) {
  Open();
  Producer producer = NewProducer("teller");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  EXPECT_FALSE(producer.Execute<Account>(Key(1), Withdraw{1000}).ok());
  auto words = WordsOf(OutputOf(PAWL_STATS_READER " read " + directory_.hot()));
  EXPECT_EQ(words["pid"], std::to_string(::getpid()));
  EXPECT_EQ(words["accepted"], "50");
  EXPECT_EQ(words["refused"], "1");
  EXPECT_EQ(words["sent"], "51");
  EXPECT_EQ(words["health"], "open");
  EXPECT_EQ(words["stopped"], "0");
  EXPECT_NE(words["durable"], "0");
  // It is the engine's memory, not a copy of a moment.
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  words = WordsOf(OutputOf(PAWL_STATS_READER " read " + directory_.hot()));
  EXPECT_EQ(words["accepted"], "51");
}

TEST_F(StatsFileTest, WhatAKilledEngineLeftIsReadAndThenReplaced) {
  const std::string killed = PAWL_STATS_READER " die " + directory_.log() + " " + directory_.hot();
  ASSERT_NE(std::system((killed + " 2>/dev/null").c_str()), 0) << "it kills itself";
  const absl::StatusOr<EngineStats> left = ReadStats(directory_.hot());
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_FALSE(left->is_stopped) << "who was killed could not say so";
  EXPECT_NE(left->pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(left->outcome(VerdictKind::kAccepted), 3U);

  Open();
  const absl::StatusOr<EngineStats> now = ReadStats(directory_.hot());
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_GT(now->epoch, left->epoch);
  EXPECT_EQ(now->outcome(VerdictKind::kAccepted), 0U);
  EXPECT_EQ(now->categories.at(0).streams, 1U);
}

TEST_F(StatsFileTest, WhatAKilledEngineLeftIsTakenAwayByOneWithoutStatistics) {
  const std::string killed = PAWL_STATS_READER " die " + directory_.log() + " " + directory_.hot();
  ASSERT_NE(std::system((killed + " 2>/dev/null").c_str()), 0);
  ASSERT_TRUE(fs::exists(File()));
  EngineOptions options = directory_.Options();
  options.stats = false;
  Open(options);
  EXPECT_FALSE(fs::exists(File()));
}

TEST_F(StatsFileTest, ACleanStopLeavesNothing) {
  Open();
  struct stat facts {};
  ASSERT_EQ(::stat(File().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  ASSERT_TRUE(engine_->Stop().ok());
  EXPECT_FALSE(fs::exists(directory_.hot()));
  EXPECT_EQ(ReadStats(directory_.hot()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(engine_->Stats().is_stopped) << "who holds the engine still reads it";
}

TEST_F(StatsFileTest, GarbageUnderItsNameIsReplaced) {
  fs::create_directories(directory_.hot());
  fs::permissions(directory_.hot(), fs::perms::owner_all);
  std::mt19937_64 random(SeedOfTest());
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, sizeof(StatsBlock) + 4096}) {
    Bytes garbage(bytes);
    for (char& c : garbage) c = static_cast<char>(random());
    WriteWhole(File(), garbage);
    Open();
    EXPECT_TRUE(ReadStats(File()).ok());
    // The hot directory goes with the engine.
    engine_.reset();
    fs::create_directories(directory_.hot());
  }
}

TEST_F(StatsFileTest, WhatIsNoFileOfOursUnderItsNameIsRefusedByName) {
  fs::create_directories(File());
  const absl::Status refused = Engine::Open(directory_.Options(), Aggregates<Account>{}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find(File()), std::string::npos) << refused;
  EXPECT_TRUE(fs::is_directory(File()));
}

// A storage that has no room for it.
class NoStatsStorage final : public ForwardingStorage {
 public:
  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override {
    if (path.ends_with("/stats")) return absl::ResourceExhaustedError(path + ": no room");
    return below_.MapImage(path, bytes);
  }
};

TEST_F(StatsFileTest, WithoutTheFileTheEngineOpensAndCountsForItself) {
  NoStatsStorage storage;
  std::string notices;
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.storage = &storage;
  options.on_notice = [&notices](std::string_view text) { notices += text; };
  Open(options);
  EXPECT_NE(notices.find("no room"), std::string::npos) << notices;
  {
    Producer producer = NewProducer();
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  }
  EXPECT_EQ(engine_->Stats().outcome(VerdictKind::kAccepted), 1U);
  EXPECT_EQ(ReadStats(directory_.hot()).status().code(), absl::StatusCode::kNotFound);
  engine_.reset();
}

TEST_F(StatsFileTest, AFileCutAnywhereIsRefused) {
  const Bytes whole = MakeBytes();
  ASSERT_EQ(CodeOf(whole), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOf({}), absl::StatusCode::kNotFound);
  for (const std::size_t bytes : {std::size_t{1}, sizeof(StatsHeader) - 1, sizeof(StatsHeader),
                                  sizeof(StatsBlock) - 1, sizeof(StatsBlock), whole.size() - 1}) {
    const auto end = whole.begin() + static_cast<std::ptrdiff_t>(bytes);
    EXPECT_EQ(CodeOf(Bytes(whole.begin(), end)), absl::StatusCode::kDataLoss) << bytes;
  }
}

TEST_F(StatsFileTest, AHeaderThatLiesIsRefused) {
  const Bytes whole = MakeBytes();
  const auto with = [&whole](std::size_t offset, std::uint64_t value, std::size_t bytes) {
    Bytes changed = whole;
    for (std::size_t i = 0; i < bytes; ++i) {
      changed[offset + i] = static_cast<char>(value >> (8 * i));
    }
    return changed;
  };
  EXPECT_EQ(CodeOf(with(offsetof(StatsHeader, magic), 1, 8)), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(with(offsetof(StatsHeader, magic), 0, 8)), absl::StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(with(offsetof(StatsHeader, state), 0, 4)), absl::StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(with(offsetof(StatsHeader, version), kStatsVersion + 1, 4)),
            absl::StatusCode::kFailedPrecondition);
  for (const std::size_t rows : {offsetof(StatsHeader, lanes), offsetof(StatsHeader, stores),
                                 offsetof(StatsHeader, agents)}) {
    for (const std::uint64_t count : {0xFFFF'FFFFU, 0x0200'0000U, 65'537U, 4096U, 0U}) {
      EXPECT_EQ(CodeOf(with(rows, count, 4)), absl::StatusCode::kDataLoss) << rows << " " << count;
    }
  }
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{whole.size() + 1}, ~std::uint64_t{0}}) {
    EXPECT_EQ(CodeOf(with(offsetof(StatsHeader, bytes), bytes, 8)), absl::StatusCode::kDataLoss);
  }
  // Rows that fit the bytes it says it has, and not those that it has.
  Bytes longer = with(offsetof(StatsHeader, lanes), 9, 4);
  const std::uint64_t bytes = whole.size() + sizeof(LaneWords);
  for (std::size_t i = 0; i < 8; ++i) {
    longer[offsetof(StatsHeader, bytes) + i] = static_cast<char>(bytes >> (8 * i));
  }
  EXPECT_EQ(CodeOf(longer), absl::StatusCode::kDataLoss);
  longer.resize(bytes);
  EXPECT_EQ(CodeOf(longer), absl::StatusCode::kOk) << "else this test shows nothing";
}

// Whatever else stands there is shown as it stands: wrong numbers, and names that can be printed.
TEST_F(StatsFileTest, ArbitraryBytesBehindTheHeaderHarmNobody) {
  const Bytes whole = MakeBytes();
  std::mt19937_64 random(SeedOfTest());
  for (int round = 0; round < 50; ++round) {
    Bytes changed = whole;
    for (std::size_t at = sizeof(StatsHeader); at < changed.size(); ++at) {
      if (round % 2 == 0 || random() % 64 == 0) changed[at] = static_cast<char>(random());
    }
    const std::string path = directory_.root() + "/copy";
    WriteWhole(path, changed);
    const absl::StatusOr<EngineStats> read = ReadStats(path);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_LE(read->health, EngineHealth::kFailed);
    for (const AgentStats& agent : read->agents) {
      EXPECT_LE(agent.name.size(), 16U);
      EXPECT_TRUE(std::none_of(agent.name.begin(), agent.name.end(),
                               [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
    }
    for (const CategoryStats& category : read->categories) EXPECT_LE(category.name.size(), 64U);
    for (const StageTimes& stage : read->stages) {
      EXPECT_LE(stage.least_ns, stage.most_ns);
      const StageTimes since = stage.Since(read->stages[0]);
      EXPECT_LE(since.least_ns, since.most_ns);
    }
  }
}

TEST_F(StatsFileTest, WhatIsNoFileIsRefused) {
  const std::string place = directory_.root() + "/place";
  EXPECT_EQ(ReadStats(place).status().code(), absl::StatusCode::kNotFound);
  fs::create_directories(place);
  EXPECT_EQ(ReadStats(place).status().code(), absl::StatusCode::kNotFound);
  fs::create_directories(place + "/stats");
  EXPECT_EQ(ReadStats(place).status().code(), absl::StatusCode::kFailedPrecondition);
  fs::remove(place + "/stats");
  ASSERT_EQ(::mkfifo((place + "/stats").c_str(), 0600), 0);
  EXPECT_EQ(ReadStats(place).status().code(), absl::StatusCode::kFailedPrecondition);
  fs::remove(place + "/stats");
  fs::create_symlink("/dev/zero", place + "/stats");
  EXPECT_EQ(ReadStats(place).status().code(), absl::StatusCode::kFailedPrecondition);
}

// A file in memory alone, without stores, lanes and agents.
StatsFile::Setup Unshown() {
  return {.storage = &PosixStorage(),
          .directory = "/nowhere",
          .is_shown = false,
          .on_notice = {},
          .log_id = {},
          .epoch = 1,
          .opened_ns = 0,
          .stall_after_ns = 0,
          .stores = {},
          .lanes = 0,
          .agents = 0};
}
StageTimes ReadStage(const StatsFile& file, Stage stage) {
  return ReadBlock(file.block(), {.epoch = 1, .pid = 1, .lanes = 0, .stores = 0, .agents = 0})
      .stage(stage);
}

// The percentiles of the file against the exact ones of the values.
TEST(StageTimesTest, PercentilesAreExactToTwoDigitsAndExtremesToTheNanosecond) {
  std::mt19937_64 random(SeedOfTest());
  for (const bool is_shared : {false, true}) {
    for (const std::size_t count : {1U, 2U, 99U, 100U, 20'000U}) {
      StatsFile file(Unshown());
      StageWords& words = file.block().stages[2];
      std::vector<std::uint64_t> values(count);
      std::uint64_t sum = 0;
      for (std::uint64_t& value : values) {
        value = random() >> (23 + random() % 40);  // up to 36 minutes
        sum += value;
        is_shared ? words.RecordShared(value) : words.Record(value);
      }
      std::sort(values.begin(), values.end());
      const StageTimes times = ReadStage(file, Stage::kPublish);
      EXPECT_EQ(times.count, count);
      EXPECT_EQ(times.least_ns, values.front());
      EXPECT_EQ(times.most_ns, values.back());
      EXPECT_DOUBLE_EQ(times.mean_ns, static_cast<double>(sum) / static_cast<double>(count));
      const auto check = [&](std::uint64_t got, std::uint64_t parts_of_10000) {
        const std::uint64_t rank = (count * parts_of_10000 + 9999) / 10000;
        const std::uint64_t exact = values[rank - 1];
        EXPECT_GE(got, exact);
        EXPECT_LE(got, exact + exact / 128) << count << " values, " << parts_of_10000;
      };
      check(times.p50_ns, 5000);
      check(times.p99_ns, 9900);
      check(times.p999_ns, 9990);
      check(times.p9999_ns, 9999);
    }
  }
}

// Two readings, and between them other times than before.
TEST(StageTimesTest, SinceIsOfWhatCameBetween) {
  std::mt19937_64 random(SeedOfTest());
  StatsFile file(Unshown());
  const auto read = [&file] { return ReadStage(file, Stage::kDurable); };
  StageWords& words = file.block().stages[3];
  for (int i = 0; i < 10'000; ++i) words.Record(random() >> (23 + random() % 40));
  const StageTimes before = read();
  std::vector<std::uint64_t> values(1'000);
  std::uint64_t sum = 0;
  for (std::uint64_t& value : values) {
    value = 1'000 + (random() >> (44 + random() % 10));  // 1 to 1,050 µs
    sum += value;
    words.Record(value);
  }
  std::sort(values.begin(), values.end());
  const StageTimes after = read();
  const StageTimes between = after.Since(before);
  EXPECT_EQ(between.count, values.size());
  EXPECT_EQ(between.sum_ns, sum);
  EXPECT_DOUBLE_EQ(between.mean_ns, static_cast<double>(sum) / 1'000);
  EXPECT_LE(between.least_ns, values.front());
  EXPECT_GE(between.least_ns, values.front() - values.front() / 128);
  EXPECT_GE(between.most_ns, values.back());
  EXPECT_LE(between.most_ns, values.back() + values.back() / 128);
  for (const std::size_t percent : {1U, 10U, 50U, 75U, 90U, 99U, 100U}) {
    const std::uint64_t exact = values[percent * 10 - 1];
    const std::uint64_t got = between.Percentile(static_cast<double>(percent));
    EXPECT_GE(got, exact) << percent;
    EXPECT_LE(got, exact + exact / 128) << percent;
  }
  EXPECT_EQ(between.p99_ns, between.Percentile(99));
  EXPECT_EQ(after.Percentile(99.99), after.p9999_ns);

  const StageTimes nothing = after.Since(after);
  EXPECT_EQ(nothing.count, 0U);
  EXPECT_EQ(nothing.most_ns, 0U);
  EXPECT_EQ(nothing.Percentile(50), 0U);
  const StageTimes all = after.Since(StageTimes());
  EXPECT_EQ(all.count, 11'000U);
  EXPECT_EQ(all.p50_ns, after.p50_ns);
  EXPECT_EQ(before.Since(after).count, 0U) << "the wrong way round nothing goes below 0";
}

TEST(StageTimesTest, BordersAreCountedWhereTheyBelong) {
  EXPECT_EQ(StageWords::IndexOf(0), 0U);
  EXPECT_EQ(StageWords::IndexOf(255), 255U);
  EXPECT_EQ(StageWords::IndexOf(256), 256U);
  EXPECT_EQ(StageWords::IndexOf(257), 256U);
  for (std::size_t i = 0; i <= StageWords::IndexOf(StageWords::kHighestNs); ++i) {
    EXPECT_EQ(StageWords::IndexOf(StageWords::HighestAt(i)), i);
    EXPECT_EQ(StageWords::IndexOf(StageWords::HighestAt(i) + 1), i + 1);
  }
}

}  // namespace
}  // namespace pawl
