// What an engine in another process does and how it is: once, or every few seconds with --every,
// until it stops. The engine is not asked and not slowed.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "../console/arguments.h"
#include "../console/text.h"
#include "pawl/stats.h"

namespace {

std::string Count(std::uint64_t number, std::string_view of) {
  return console::WithCommas(number) + " " + std::string(of);
}

std::string Time(std::uint64_t ns) { return console::Duration(static_cast<std::int64_t>(ns)); }

// What is not 0 of the counts, by name: "12 window full, 3 disk low".
template <class Code>
std::string Named(const std::array<std::uint64_t, pawl::kOutcomesMax>& counts, std::size_t last) {
  std::string text;
  for (std::size_t i = 0; i <= last; ++i) {
    if (counts[i] == 0) continue;
    if (!text.empty()) text += ", ";
    text += Count(counts[i], ToString(static_cast<Code>(i)));
  }
  return text.empty() ? "none" : text;
}

std::string Line(const pawl::StageTimes& times) {
  if (times.count == 0) return "nothing was timed";
  return "p50 " + Time(times.p50_ns) + ", p99 " + Time(times.p99_ns) + ", p99.9 " +
         Time(times.p999_ns) + ", most " + Time(times.most_ns) + " (" +
         Count(times.count, "timed)");
}

std::string Line(const pawl::AgentStats& agent) {
  std::string text = Count(agent.rounds, "rounds, ") + Count(agent.sleeps, "sleeps");
  if (agent.shows != 0) {
    text += ", shows position " + console::WithCommas(agent.position.value()) +
            ", its oldest frame " + Time(agent.last_age_ns) + " late";
  }
  if (agent.is_stalled) text += ", HANGS in one round";
  return text;
}

// What a person wants to see. The times are those since `before`, if that is of the same engine.
std::string TableOf(const pawl::EngineStats& stats, const pawl::EngineStats& before) {
  using pawl::SendFault;
  using pawl::VerdictKind;
  console::Table table;
  table.Row("engine",
            (stats.is_stopped ? "stopped" : std::string(ToString(stats.health))) + ", process " +
                std::to_string(stats.pid) + ", epoch " + std::to_string(stats.epoch.value()) +
                ", " + Count(stats.sessions, "sessions, ") + Count(stats.producers, "producers"));
  table.Row("commands", Named<VerdictKind>(stats.outcomes, pawl::kOutcomesMax - 1) + ", " +
                            Count(stats.duplicates, "sent again"));
  table.Row("refused to be sent", Named<SendFault>(stats.refusals, pawl::kOutcomesMax - 1));
  table.Row("log", "position " + console::WithCommas(stats.position.value()) + ", " +
                       Count(stats.frames, "frames, ") + console::Bytes(stats.undurable_bytes()) +
                       " not yet durable");
  if (stats.timers.set != 0 || stats.timers.live != 0) {
    table.Row("timers", Count(stats.timers.live, "set, ") + Count(stats.timers.fired, "fired, ") +
                            Count(stats.timers.refused, "of them refused, ") +
                            Count(stats.timers.cancelled, "cancelled"));
  }
  table.Gap();
  for (std::size_t i = 0; i < pawl::kStages; ++i) {
    const auto stage = static_cast<pawl::Stage>(i);
    const pawl::StageTimes& times = stats.stage(stage);
    table.Row(std::string(ToString(stage)),
              Line(before.epoch == stats.epoch ? times.Since(before.stage(stage)) : times));
  }
  table.Gap();
  for (const pawl::AgentStats& agent : stats.agents) table.Row(agent.name, Line(agent));
  table.Gap();
  for (const pawl::CategoryStats& category : stats.categories) {
    table.Row(category.name,
              Count(category.streams, "streams, ") + console::Bytes(category.memory_bytes));
  }
  return table.Text();
}

// clang-format off
// [readme]
// Shows the engine of a log every so often, until it stops.
absl::Status Follow(const std::string& log, std::chrono::seconds every) {
  pawl::EngineStats before;
  for (;;) {
    auto stats = pawl::ReadStats(log);                      // from inside: engine->Stats()
    if (!stats.ok()) return stats.status();                 // NOT_FOUND: no engine runs on it
    std::printf("%s\n", TableOf(*stats, before).c_str());  // its times are those since `before`
    if (stats->health == pawl::EngineHealth::kStalled) std::printf("It hangs: see its agents.\n\n");
    if (every == std::chrono::seconds(0)) return absl::OkStatus();
    std::fflush(stdout);
    before = *std::move(stats);
    std::this_thread::sleep_for(every);
  }
}
// [/readme]
// clang-format on

absl::Status Run(console::Arguments arguments) {
  const std::string log = arguments.Text("--directory", "");
  const std::chrono::seconds every(arguments.Number("--every", 0, 1, 86'400));
  if (const absl::Status good = arguments.Finish(); !good.ok()) return good;
  if (log.empty()) {
    return absl::InvalidArgumentError(
        "--directory LOG names the log of a running engine, or its hot directory if that is not "
        "the "
        "default; --every SECONDS repeats");
  }
  return Follow(log, every);
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status ended = Run(console::Arguments(argc, argv));
  if (ended.ok()) return 0;
  std::fprintf(stderr, "stats: %s\n", std::string(ended.message()).c_str());
  return absl::IsInvalidArgument(ended) ? 2 : 1;
}
