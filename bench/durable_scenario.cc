#include "durable_scenario.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "durable_floor.h"
#include "durable_pawl.h"
#include "durable_store.h"
#include "durable_subject.h"
#include "histogram_json.h"
#include "machine_facts.h"
#include "spread_json.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::string_view kUsage =
    "usage: pawl_bench durable [--runs N] [--json] [--commands N] [--window N] [--segment-bytes "
    "N]\n"
    "                          [--synced-mib N] [--slices N] [--samples N] [--gap-us-min N] "
    "[--gap-us-max N]\n"
    "                          [--rate N] [--paced-commands N] [--frames N] [--seed N]\n"
    "                          [--producer-core N] [--loop-core N] [--directory D]\n";

// What the contract asks for.
constexpr double kThroughputRatioMin = 0.7;
constexpr double kP50RatioMax = 1.3;
constexpr double kStoreP999MaxNs = 10'000;
constexpr double kStoreRatioMin = 20;

struct Plan {
  DurableOptions options;
  std::uint64_t runs = 0;
  bool is_json = false;
};

// Something timed, in every run.
struct Row {
  std::vector<TimedResult> runs;

  [[nodiscard]] Histogram Together() const {
    Histogram all;
    for (const TimedResult& run : runs) all.Merge(run.times);
    return all;
  }
  [[nodiscard]] std::vector<double> At(double percentile) const {
    std::vector<double> values;
    for (const TimedResult& run : runs) {
      values.push_back(static_cast<double>(run.times.ValueAtPercentile(percentile)));
    }
    return values;
  }
  [[nodiscard]] bool is_verified() const {
    return std::all_of(runs.begin(), runs.end(), [](const auto& run) { return run.is_verified; });
  }
};

struct Findings {
  std::vector<LoadResult> loads;
  Row isolated;     // Threads of its own.
  Row host_driven;  // The sender's thread is the loop.
  Row bare;
  Row hand_offs;
  Row store;
  Row pwrite;
  Row paced;

  [[nodiscard]] Spread OfLoads(double LoadResult::*value) const {
    std::vector<double> values;
    for (const LoadResult& load : loads) values.push_back(load.*value);
    return SpreadOf(std::move(values));
  }
  [[nodiscard]] Spread ThroughputRatio() const {
    std::vector<double> ratios;
    for (const LoadResult& load : loads) {
      ratios.push_back(load.durable_bytes_per_second / load.limit_bytes_per_second());
    }
    return SpreadOf(std::move(ratios));
  }
  [[nodiscard]] Spread P50Ratio(const Row& row) const {
    std::vector<double> ratios = row.At(50);
    for (std::size_t i = 0; i < ratios.size(); ++i) {
      ratios[i] /= bare.At(50)[i] + hand_offs.At(50)[i];
    }
    return SpreadOf(std::move(ratios));
  }
  [[nodiscard]] Spread StoreRatio() const {
    std::vector<double> ratios = pwrite.At(99.9);
    for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] /= store.At(99.9)[i];
    return SpreadOf(std::move(ratios));
  }
  [[nodiscard]] bool is_direct() const {
    return std::all_of(loads.begin(), loads.end(), [](const auto& l) { return l.is_direct; });
  }
  [[nodiscard]] bool is_verified() const {
    const Row* const rows[] = {&isolated, &host_driven, &bare, &hand_offs, &store, &pwrite, &paced};
    return std::all_of(std::begin(rows), std::end(rows),
                       [](auto* r) { return r->is_verified(); }) &&
           std::all_of(loads.begin(), loads.end(), [](const auto& l) { return l.is_verified; });
  }
};

std::uint64_t CountOption(Arguments& arguments, std::string_view name, std::uint64_t otherwise,
                          std::int64_t min, std::int64_t max) {
  const auto value = static_cast<std::int64_t>(otherwise);
  return static_cast<std::uint64_t>(arguments.Number(name, value, min, max));
}

int CoreOption(Arguments& arguments, std::string_view name, int otherwise) {
  return static_cast<int>(arguments.Number(name, otherwise, kAnyCore, 1023));
}

Plan ReadPlan(Arguments& arguments) {
  Plan plan;
  DurableOptions& options = plan.options;
  plan.runs = CountOption(arguments, "--runs", 5, 1, 1000);
  plan.is_json = arguments.Flag("--json");
  options.commands = CountOption(arguments, "--commands", options.commands, 1'000, 1'000'000'000);
  options.window = CountOption(arguments, "--window", options.window, 256, 65'536);
  options.segment_bytes = CountOption(arguments, "--segment-bytes", 0, 0, kSegmentBytesMax);
  options.synced_mib = CountOption(arguments, "--synced-mib", options.synced_mib, 1, 1 << 20);
  options.slices = CountOption(arguments, "--slices", options.slices, 1, 1000);
  options.samples = CountOption(arguments, "--samples", options.samples, 2, 1'000'000);
  options.gaps.min_ns = 1000 * arguments.Number("--gap-us-min", 2'000, 1'000, 10'000'000);
  options.gaps.max_ns = 1000 * arguments.Number("--gap-us-max", 5'000, 1'000, 10'000'000);
  options.gaps.max_ns = std::max(options.gaps.min_ns, options.gaps.max_ns);
  options.rate = CountOption(arguments, "--rate", options.rate, 1, 10'000'000);
  options.paced_commands =
      CountOption(arguments, "--paced-commands", options.paced_commands, 2, 100'000'000);
  options.frames = CountOption(arguments, "--frames", options.frames, 2, 900'000);
  options.seed = CountOption(arguments, "--seed", options.seed, 0, INT64_MAX);
  const bool has_two = CoresOnline() >= 2;
  options.placement.producer_core =
      CoreOption(arguments, "--producer-core", has_two ? 1 : kAnyCore);
  options.placement.loop_core = CoreOption(arguments, "--loop-core", has_two ? 0 : kAnyCore);
  options.directory = arguments.Text("--directory", ".");
  arguments.RefuseTheRest(kUsage);
  return plan;
}

void SayRun(const Findings& findings, std::uint64_t run, std::uint64_t runs) {
  const LoadResult& load = findings.loads.back();
  const auto at = [](const Row& row, double percentile) {
    return static_cast<double>(row.runs.back().times.ValueAtPercentile(percentile)) / 1e3;
  };
  std::fprintf(stderr,
               "run %lu of %lu: MB/s durable %.0f, published %.0f, synced %.0f; p50 µs isolated "
               "%.0f, host-driven %.0f, bare %.0f, two hand-offs %.1f; p99.9 µs store %.2f, pwrite "
               "%.1f; paced p50 %.0f µs\n",
               static_cast<unsigned long>(run), static_cast<unsigned long>(runs),
               load.durable_bytes_per_second / 1e6, load.published_bytes_per_second / 1e6,
               load.synced_bytes_per_second / 1e6, at(findings.isolated, 50),
               at(findings.host_driven, 50), at(findings.bare, 50), at(findings.hand_offs, 50),
               at(findings.store, 99.9), at(findings.pwrite, 99.9), at(findings.paced, 50));
}

// One run of everything. What is compared runs one behind the other, every other run the other way
// round.
void RunOnce(const DurableOptions& options, bool is_turned, Findings& findings) {
  const auto in_turn = [is_turned](auto&& first, auto&& second) {
    if (is_turned) {
      second();
      first();
    } else {
      first();
      second();
    }
  };
  findings.loads.push_back(RunLoad(options, is_turned));
  in_turn(
      [&] {
        findings.isolated.runs.push_back(RunIsolated(options, Threads::kOwn));
        findings.host_driven.runs.push_back(RunIsolated(options, Threads::kHost));
      },
      [&] {
        findings.bare.runs.push_back(RunBareAppends(options));
        findings.hand_offs.runs.push_back(RunTwoHandOffs(options));
      });
  in_turn([&] { findings.store.runs.push_back(RunLogStore(options)); },
          [&] { findings.pwrite.runs.push_back(RunPwriteStore(options)); });
  findings.paced.runs.push_back(RunPaced(options));
}

constexpr std::pair<const char*, double LoadResult::*> kLoadFigures[] = {
    {"durable_bytes_per_second", &LoadResult::durable_bytes_per_second},
    {"published_bytes_per_second", &LoadResult::published_bytes_per_second},
    {"synced_1mib_bytes_per_second", &LoadResult::synced_bytes_per_second},
    {"durable_commands_per_second", &LoadResult::durable_commands_per_second},
    {"published_commands_per_second", &LoadResult::published_commands_per_second},
    {"log_bytes_per_command", &LoadResult::log_bytes_per_command}};

void WriteLoad(JsonWriter& json, const Findings& findings) {
  json.BeginObject("load");
  for (const auto& [name, value] : kLoadFigures) WriteSpread(json, name, findings.OfLoads(value));
  json.EndObject();
}

void WriteRow(JsonWriter& json, std::string_view key, const Row& row, double percentile) {
  json.BeginObject(key);
  WriteTimes(json, "ns", row.Together());
  WriteSpread(json, percentile == 50 ? "p50_ns_of_runs" : "p999_ns_of_runs",
              SpreadOf(row.At(percentile)));
  json.EndObject();
}

void WriteOptions(JsonWriter& json, const Plan& plan) {
  const DurableOptions& options = plan.options;
  json.BeginObject("options");
  json.Integer("runs", plan.runs);
  json.Integer("commands", options.commands);
  json.Integer("window", options.window);
  json.Integer("segment_bytes", options.segment_bytes);
  json.Integer("synced_mib", options.synced_mib);
  json.Integer("slices", options.slices);
  json.Integer("samples_per_run", options.samples);
  json.Integer("gap_us_min", static_cast<std::uint64_t>(options.gaps.min_ns / 1000));
  json.Integer("gap_us_max", static_cast<std::uint64_t>(options.gaps.max_ns / 1000));
  json.Integer("paced_commands_per_second", options.rate);
  json.Integer("frames", options.frames);
  json.Integer("seed", options.seed);
  json.Text("directory", options.directory);
  json.EndObject();
  json.Text("threads", "loop on its core; producer, sync agent and preparer share the producer's");
}

void PrintJson(const Plan& plan, const Findings& findings) {
  JsonWriter json;
  json.BeginObject();
  json.Text("scenario", "durable");
  json.Text("ack", "durable");
  WriteLoad(json, findings);
  WriteSpread(json, "throughput_ratio_to_limit", findings.ThroughputRatio());
  json.BeginObject("isolated");
  WriteRow(json, "pawl", findings.isolated, 50);
  WriteRow(json, "pawl_host_driven", findings.host_driven, 50);
  WriteRow(json, "bare_append", findings.bare, 50);
  WriteRow(json, "two_hand_offs", findings.hand_offs, 50);
  json.EndObject();
  WriteSpread(json, "p50_ratio_to_path", findings.P50Ratio(findings.isolated));
  WriteSpread(json, "p50_ratio_to_path_host_driven", findings.P50Ratio(findings.host_driven));
  json.BeginObject("store");
  WriteRow(json, "pawl", findings.store, 99.9);
  WriteRow(json, "pwrite", findings.pwrite, 99.9);
  json.EndObject();
  WriteSpread(json, "store_p999_ratio_to_pwrite", findings.StoreRatio());
  WriteRow(json, "paced", findings.paced, 50);
  json.BeginObject("within");
  json.Boolean("throughput_at_least_0.7_of_limit",
               findings.ThroughputRatio().median >= kThroughputRatioMin);
  json.Boolean("p50_at_most_1.3_of_path",
               findings.P50Ratio(findings.isolated).median <= kP50RatioMax);
  json.Boolean("store_p999_at_most_10us",
               SpreadOf(findings.store.At(99.9)).median <= kStoreP999MaxNs);
  json.Boolean("store_p999_20x_better_than_pwrite", findings.StoreRatio().median >= kStoreRatioMin);
  json.EndObject();
  json.Boolean("direct_io", findings.is_direct());
  json.Boolean("verified", findings.is_verified());
  WriteOptions(json, plan);
  WriteMachineFacts(json, plan.options.placement);
  json.EndObject();
  std::printf("%s\n", json.text().c_str());
}

void PrintSpread(const char* what, const Spread& spread) {
  std::printf("%-42s %14.6g (%.6g-%.6g)\n", what, spread.median, spread.min, spread.max);
}

void PrintTimes(const char* what, const Histogram& times) {
  const auto at = [&times](double percentile) {
    return static_cast<double>(times.ValueAtPercentile(percentile)) / 1e3;
  };
  std::printf("%-26s %9.2f %9.2f %9.2f %9.2f %10.2f %8lu\n", what, at(50), at(99), at(99.9),
              at(99.99), static_cast<double>(times.max()) / 1e3,
              static_cast<unsigned long>(times.count()));
}

void PrintTable(const Plan& plan, const Findings& findings) {
  std::printf("medians (min-max) of %lu runs; loop on core %d, everything else on core %d%s\n",
              static_cast<unsigned long>(plan.runs), plan.options.placement.loop_core,
              plan.options.placement.producer_core,
              findings.is_direct() ? "" : "; O_DIRECT was refused: buffered writes and fdatasync");
  for (const auto& [name, value] : kLoadFigures) {
    PrintSpread(name, findings.OfLoads(value));
  }
  PrintSpread("throughput ratio to limit, wanted >= 0.7", findings.ThroughputRatio());
  PrintSpread("p50 ratio to path, wanted <= 1.3", findings.P50Ratio(findings.isolated));
  PrintSpread("... host-driven", findings.P50Ratio(findings.host_driven));
  PrintSpread("store p99.9 ratio to pwrite, wanted >= 20", findings.StoreRatio());
  std::printf("%-26s %9s %9s %9s %9s %10s %8s  µs, all runs\n", "", "p50", "p99", "p99.9", "p99.99",
              "max", "samples");
  PrintTimes("isolated durable command", findings.isolated.Together());
  PrintTimes("... host-driven", findings.host_driven.Together());
  PrintTimes("bare append", findings.bare.Together());
  PrintTimes("two hand-offs", findings.hand_offs.Together());
  PrintTimes("loop store, 128 B", findings.store.Together());
  PrintTimes("pwrite, 128 B", findings.pwrite.Together());
  PrintTimes(("durable at " + std::to_string(plan.options.rate) + "/s").c_str(),
             findings.paced.Together());
}

}  // namespace

int RunDurableScenario(Arguments& arguments) {
  const Plan plan = ReadPlan(arguments);
  Findings findings;
  for (std::uint64_t run = 1; run <= plan.runs; ++run) {
    RunOnce(plan.options, run % 2 == 0, findings);
    SayRun(findings, run, plan.runs);
  }
  if (plan.is_json) {
    PrintJson(plan, findings);
  } else {
    PrintTable(plan, findings);
  }
  if (!findings.is_verified()) std::fprintf(stderr, "pawl_bench: NOT VERIFIED\n");
  return findings.is_verified() ? 0 : 1;
}

}  // namespace pawl::inline v0::bench
