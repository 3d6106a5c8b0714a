#include "pawl/stats.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "pawl/hot_directory.h"
#include "stats_reading.h"

namespace pawl::inline v0 {

namespace {

// Limits of what a file may say of itself: those of EngineOptions, and then some.
constexpr std::uint32_t kLanesMax = 4096;
constexpr std::uint32_t kRowsMax = 65'536;

std::uint64_t ValueOf(const StatsWord& word) noexcept {
  // Relaxed: see stats_layout.h.
  return word.load(std::memory_order_relaxed);
}

// Up to the first zero; what does not print, as '?': it may come from anywhere.
std::string Printable(std::string_view text) {
  std::string name(text.substr(0, text.find('\0')));
  for (char& c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return name;
}

std::string NameOf(const std::array<StatsWord, 2>& words) {
  std::array<std::uint64_t, 2> copy{ValueOf(words[0]), ValueOf(words[1])};
  return Printable({reinterpret_cast<const char*>(copy.data()), sizeof copy});
}

//   counts    no longer than StageWords::kCounts
StageTimes TimesOf(std::vector<std::uint64_t> counts, std::uint64_t sum_ns, std::uint64_t least_ns,
                   std::uint64_t most_ns) {
  while (!counts.empty() && counts.back() == 0) counts.pop_back();
  StageTimes times;
  for (const std::uint64_t count : counts) times.count += count;
  if (times.count == 0) return {};
  times.least_ns = std::min(least_ns, most_ns);
  times.most_ns = most_ns;
  times.mean_ns = static_cast<double>(sum_ns) / static_cast<double>(times.count);
  times.sum_ns = sum_ns;
  times.counts = std::move(counts);
  times.p50_ns = times.Percentile(50);
  times.p99_ns = times.Percentile(99);
  times.p999_ns = times.Percentile(99.9);
  times.p9999_ns = times.Percentile(99.99);
  return times;
}

// Copied first: what is computed of the counts fits together.
StageTimes TimesOf(const StageWords& words) {
  std::vector<std::uint64_t> counts(StageWords::kCounts);
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = ValueOf(words.counts[i]);
  return TimesOf(std::move(counts), ValueOf(words.sum_ns), ~ValueOf(words.least_ns),
                 ValueOf(words.most_ns));
}

AgentStats StatsOf(const AgentWords& words) {
  const std::uint64_t pulse = ValueOf(words.pulse);
  return {.name = NameOf(words.name),
          .rounds = pulse / 2,
          .is_in_round = pulse % 2 != 0,
          .sleeps = ValueOf(words.sleeps),
          .is_stalled = ValueOf(words.is_stalled) != 0,
          .stalls = ValueOf(words.stalls),
          .position = Position(ValueOf(words.position)),
          .shows = ValueOf(words.shows),
          .last_age_ns = ValueOf(words.last_age_ns),
          .most_age_ns = ValueOf(words.most_age_ns)};
}

EngineHealth HealthOf(std::uint64_t word) noexcept {
  const auto worst = static_cast<std::uint64_t>(EngineHealth::kFailed);
  return static_cast<EngineHealth>(std::min(word, worst));
}

void ReadLoop(const LoopWords& loop, EngineStats& stats) {
  for (std::size_t i = 0; i < kOutcomesMax; ++i) stats.outcomes[i] = ValueOf(loop.outcomes[i]);
  stats.duplicates = ValueOf(loop.duplicates);
  stats.key_duplicates = ValueOf(loop.key_duplicates);
  stats.bulk_commands = ValueOf(loop.bulk_commands);
  stats.sessions_closed = ValueOf(loop.sessions_closed);
  stats.turns = ValueOf(loop.turns);
  stats.frames = ValueOf(loop.frames);
  stats.position = Position(ValueOf(loop.position));
  stats.sessions = static_cast<std::uint32_t>(ValueOf(loop.sessions));
  stats.producers = static_cast<std::uint32_t>(ValueOf(loop.producers));
  stats.slow_turns = ValueOf(loop.slow_turns);
  stats.slow_decides = ValueOf(loop.slow_decides);
  stats.slowest_decide_ns = ValueOf(loop.slowest_decide_ns);
}

TimerStats StatsOf(const TimerWords& timers) {
  return {.live = ValueOf(timers.live),
          .set = ValueOf(timers.set),
          .cancelled = ValueOf(timers.cancelled),
          .fired = ValueOf(timers.fired),
          .refused = ValueOf(timers.refused)};
}

}  // namespace

std::uint64_t StageTimes::Percentile(double percentile) const noexcept {
  if (count == 0) return 0;
  // As Histogram::ValueAtPercentile().
  const double share = std::nextafter(percentile, 0.0) / 100.0;
  const double rank = std::max(std::ceil(share * static_cast<double>(count)), 1.0);
  double seen = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    seen += static_cast<double>(counts[i]);
    if (seen >= rank) return std::min(StageWords::HighestAt(i), most_ns);
  }
  return most_ns;
}

StageTimes StageTimes::Since(const StageTimes& earlier) const {
  std::vector<std::uint64_t> between = counts;
  // No less than 0, whatever a file says.
  const auto less = [](std::uint64_t from, std::uint64_t taken) {
    return from - std::min(from, taken);
  };
  for (std::size_t i = 0; i < std::min(between.size(), earlier.counts.size()); ++i) {
    between[i] = less(between[i], earlier.counts[i]);
  }
  const auto is_some = [](std::uint64_t each) { return each != 0; };
  const auto first = std::find_if(between.begin(), between.end(), is_some);
  if (first == between.end()) return {};
  const auto lowest = static_cast<std::size_t>(first - between.begin());
  const auto behind = std::find_if(between.rbegin(), between.rend(), is_some).base();
  const auto highest = static_cast<std::size_t>(behind - between.begin()) - 1;
  const std::uint64_t lowest_ns = lowest == 0 ? 0 : StageWords::HighestAt(lowest - 1) + 1;
  return TimesOf(std::move(between), less(sum_ns, earlier.sum_ns), std::max(least_ns, lowest_ns),
                 std::min(most_ns, StageWords::HighestAt(highest)));
}

EngineStats ReadBlock(const StatsBlock& block, const StatsRows& rows) {
  EngineStats stats;
  stats.epoch = Epoch(rows.epoch);
  stats.pid = rows.pid;
  // Relaxed: the header's members are constant by now.
  stats.is_stopped = block.header.state.load(std::memory_order_relaxed) ==
                     static_cast<std::uint32_t>(StatsState::kStopped);
  stats.health = HealthOf(ValueOf(block.health.health));
  stats.health_changes = ValueOf(block.health.changes);
  ReadLoop(block.loop, stats);
  stats.published = Address(ValueOf(block.health.published));
  stats.durable = Address(ValueOf(block.health.durable));
  stats.poll_overruns = ValueOf(block.health.poll_overruns);
  stats.longest_overrun_ns = ValueOf(block.health.longest_overrun_ns);
  stats.timers = StatsOf(block.timers);
  for (std::size_t i = 0; i < kStages; ++i) stats.stages[i] = TimesOf(block.stages[i]);

  const auto* const agents = reinterpret_cast<const AgentWords*>(&block + 1);
  const auto* const stores = reinterpret_cast<const StoreWords*>(agents + rows.agents);
  const auto* const lanes = reinterpret_cast<const LaneWords*>(stores + rows.stores);
  for (std::uint32_t i = 0; i < rows.agents; ++i) {
    AgentStats agent = StatsOf(agents[i]);
    if (!agent.name.empty()) stats.agents.push_back(std::move(agent));
  }
  for (std::uint32_t i = 0; i < rows.stores; ++i) {
    stats.categories.push_back({Printable({stores[i].name.data(), stores[i].name.size()}),
                                ValueOf(stores[i].streams), ValueOf(stores[i].memory_bytes),
                                ValueOf(stores[i].closed), ValueOf(stores[i].places)});
  }
  for (std::uint32_t i = 0; i < rows.lanes; ++i) {
    stats.commands_sent += ValueOf(lanes[i].sent);
    for (std::size_t fault = 1; fault < kOutcomesMax; ++fault) {
      stats.refusals[fault] += ValueOf(lanes[i].refusals[fault - 1]);
    }
  }
  return stats;
}

namespace {

// Every number of the header is looked at once, here: the file may change under the look.
absl::StatusOr<StatsRows> CheckHeader(const Mapping& mapping, const std::string& path) {
  const auto refuse = [&path](const std::string& what) {
    return absl::DataLossError(path + " " + what + ": no engine's statistics");
  };
  if (mapping.size() < sizeof(StatsBlock)) {
    return refuse("has " + std::to_string(mapping.size()) + " bytes, at least " +
                  std::to_string(sizeof(StatsBlock)) + " are expected");
  }
  const auto& shared = *reinterpret_cast<const StatsHeader*>(mapping.data());
  // Acquire: the header is whole. Pairs with the release in StatsFile::Publish().
  const std::uint32_t state = shared.state.load(std::memory_order_acquire);
  std::array<std::uint64_t, offsetof(StatsHeader, state) / 8> words;
  std::memcpy(words.data(), mapping.data(), sizeof words);
  if (words[0] == 0 || state == static_cast<std::uint32_t>(StatsState::kNone)) {
    return absl::UnavailableError(path + " is being made, or was never finished: look again");
  }
  if (words[0] != kStatsMagic) return refuse("begins with other bytes");
  const auto half = [&words](std::size_t offset) noexcept {
    return static_cast<std::uint32_t>(words[offset / 8] >> (offset % 8 * 8));
  };
  if (const std::uint32_t version = half(offsetof(StatsHeader, version));
      version != kStatsVersion) {
    return absl::FailedPreconditionError(path + " has version " + std::to_string(version) +
                                         ", this program reads version " +
                                         std::to_string(kStatsVersion));
  }
  const StatsRows rows{.epoch = half(offsetof(StatsHeader, epoch)),
                       .pid = half(offsetof(StatsHeader, pid)),
                       .lanes = half(offsetof(StatsHeader, lanes)),
                       .stores = half(offsetof(StatsHeader, stores)),
                       .agents = half(offsetof(StatsHeader, agents))};
  const std::uint64_t bytes = words[offsetof(StatsHeader, bytes) / 8];
  if (rows.lanes > kLanesMax || rows.stores > kRowsMax || rows.agents > kRowsMax) {
    return refuse("names more rows than an engine can have");
  }
  if (bytes != StatsBlock::BytesFor(rows.agents, rows.stores, rows.lanes) ||
      bytes > mapping.size()) {
    return refuse("has " + std::to_string(mapping.size()) + " bytes, says " +
                  std::to_string(bytes) + ", and has rows for " +
                  std::to_string(StatsBlock::BytesFor(rows.agents, rows.stores, rows.lanes)));
  }
  return rows;
}

absl::StatusOr<EngineStats> Read(Storage& storage, const std::string& path) {
  absl::StatusOr<std::shared_ptr<Mapping>> mapping = storage.MapFile(path);
  if (!mapping.ok()) return mapping.status();
  const absl::StatusOr<StatsRows> rows = CheckHeader(**mapping, path);
  if (!rows.ok()) return rows.status();
  EngineStats stats = ReadBlock(*reinterpret_cast<const StatsBlock*>((*mapping)->data()), *rows);
  if ((*mapping)->is_damaged()) {
    return absl::DataLossError(path + " was cut short while it was read");
  }
  return stats;
}

// The file that `path` means.
//   named     written: what it is, looked at once, or why that cannot be told
absl::StatusOr<std::string> FileOf(Storage& files, const std::string& path,
                                   absl::StatusOr<FileIdentity>& named) {
  named = files.Identify(path);
  if (!named.ok()) return named.status();
  if (named->kind != FileIdentity::Kind::kDirectory) return path;
  std::string file = path + "/" + kStatsName;
  named = files.Identify(file);
  if (named.ok()) return file;
  absl::StatusOr<std::string> hot = DefaultHotDirectoryOf(files, path);
  if (absl::IsNotFound(hot.status())) return file;
  if (!hot.ok()) return hot;
  file = *std::move(hot) + "/" + kStatsName;
  named = files.Identify(file);
  return file;
}

}  // namespace

absl::StatusOr<EngineStats> ReadStats(const std::string& path, Storage* storage) {
  Storage& files = storage != nullptr ? *storage : PosixStorage();
  try {
    absl::StatusOr<FileIdentity> named = absl::UnknownError("not looked at");
    const absl::StatusOr<std::string> file = FileOf(files, path, named);
    if (!file.ok()) return file.status();
    if (absl::IsNotFound(named.status())) {
      return absl::NotFoundError(*file + " is not there: no engine runs on " + path +
                                 " with statistics, or its hot directory is another one");
    }
    if (!named.ok()) return named.status();
    if (named->kind != FileIdentity::Kind::kRegular) {
      return absl::FailedPreconditionError(*file + " is no regular file: no engine's statistics");
    }
    return Read(files, *file);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory to read " + path);
  }
}

}  // namespace pawl::inline v0
