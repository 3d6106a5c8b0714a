#include "wake_scenario.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "histogram_json.h"
#include "json_writer.h"
#include "machine_facts.h"
#include "spread_json.h"
#include "wake_chain.h"
#include "wake_pawl.h"
#include "wake_subject.h"

namespace pawl::inline v0::bench {
namespace {

constexpr const char* kUsage =
    "pawl_bench wake [--rivals chain] [--runs N] [--json] [--samples N] [--seed N] "
    "[--gap-us-min N] [--gap-us-max N] [--idle-ms N] [--asleep-percent-min N] [--producer-core N] "
    "[--loop-core N] [--projector-core N] [--reader-core N] [--directory D]";

// What the contract asks of `visible`.
constexpr std::int64_t kVisibleP50MaxNs = 100'000;
constexpr std::int64_t kVisibleP99MaxNs = 1'000'000;

struct Plan {
  WakeOptions options;
  std::uint64_t runs = 0;
  std::uint64_t idle_ms = 0;
  std::uint64_t asleep_percent_min = 0;
  bool has_chain = false;
  bool is_json = false;
};

// All runs of a subject.
struct Row {
  std::vector<WakeTimes> runs;
  bool is_verified = true;

  [[nodiscard]] WakeTimes Together() const {
    WakeTimes all;
    for (const WakeTimes& run : runs) all.Merge(run);
    return all;
  }
  [[nodiscard]] Spread VisibleAt(double percentile) const {
    std::vector<double> values;
    for (const WakeTimes& run : runs) {
      values.push_back(static_cast<double>(run.visible.ValueAtPercentile(percentile)));
    }
    return SpreadOf(std::move(values));
  }
};

struct Findings {
  Row pawl;
  Row chain;
  std::vector<AgentRest> agents;
  double idle_cpu_share = 0;
  bool did_sleep = true;
};

std::uint64_t CountOption(Arguments& arguments, std::string_view name, std::uint64_t otherwise,
                          std::int64_t min, std::int64_t max) {
  const auto value = static_cast<std::int64_t>(otherwise);
  return static_cast<std::uint64_t>(arguments.Number(name, value, min, max));
}

int CoreOption(Arguments& arguments, std::string_view name) {
  return static_cast<int>(arguments.Number(name, kAnyCore, kAnyCore, 1023));
}

Plan ReadPlan(Arguments& arguments) {
  Plan plan;
  WakeOptions& options = plan.options;
  const std::string rivals = arguments.Text("--rivals", "chain");
  plan.has_chain = rivals == "chain";
  if (!rivals.empty() && !plan.has_chain) {
    std::fprintf(stderr, "pawl_bench: no rival '%s'\nusage: %s\n", rivals.c_str(), kUsage);
    std::exit(2);
  }
  plan.runs = CountOption(arguments, "--runs", 5, 1, 1000);
  plan.is_json = arguments.Flag("--json");
  options.samples = CountOption(arguments, "--samples", options.samples, 2, 1'000'000);
  options.seed = CountOption(arguments, "--seed", options.seed, 0, INT64_MAX);
  options.gaps.min_ns = 1000 * arguments.Number("--gap-us-min", 5'000, 1'000, 10'000'000);
  options.gaps.max_ns = 1000 * arguments.Number("--gap-us-max", 20'000, 1'000, 10'000'000);
  options.gaps.max_ns = std::max(options.gaps.min_ns, options.gaps.max_ns);
  plan.idle_ms = CountOption(arguments, "--idle-ms", 3'000, 1, 600'000);
  plan.asleep_percent_min = CountOption(arguments, "--asleep-percent-min", 95, 0, 100);
  options.placement = {.producer_core = CoreOption(arguments, "--producer-core"),
                       .loop_core = CoreOption(arguments, "--loop-core"),
                       .projector_core = CoreOption(arguments, "--projector-core")};
  options.reader_core = CoreOption(arguments, "--reader-core");
  options.directory = arguments.Text("--directory", ".");
  arguments.RefuseTheRest(kUsage);
  return plan;
}

void SayRun(const char* subject, std::uint64_t run, const Plan& plan, const WakeTimes& times) {
  std::fprintf(stderr, "run %lu of %lu: %-6s visible p50 %7.1f µs, p99 %7.1f µs\n",
               static_cast<unsigned long>(run + 1), static_cast<unsigned long>(plan.runs), subject,
               static_cast<double>(times.visible.ValueAtPercentile(50)) / 1e3,
               static_cast<double>(times.visible.ValueAtPercentile(99)) / 1e3);
}

Findings RunAll(const Plan& plan) {
  PinThisThread(plan.options.placement.producer_core);
  Findings findings;
  WakeSchedule schedule(plan.options.seed, plan.options.gaps);
  WakePawl pawl(plan.options);
  {
    WakeChain chain(plan.options);
    for (std::uint64_t run = 0; run < plan.runs; ++run) {
      findings.pawl.runs.push_back(pawl.Run(schedule));
      SayRun("pawl", run, plan, findings.pawl.runs.back());
      if (!plan.has_chain) continue;
      findings.chain.runs.push_back(chain.Run(schedule));
      SayRun("chain", run, plan, findings.chain.runs.back());
    }
    findings.chain.is_verified = chain.is_verified();
  }
  findings.pawl.is_verified = pawl.is_verified();
  findings.idle_cpu_share = pawl.MeasureIdle(plan.idle_ms);
  findings.agents = pawl.Rest();
  for (const AgentRest& agent : findings.agents) {
    const bool has_slept = agent.asleep_share * 100 >= static_cast<double>(plan.asleep_percent_min);
    findings.did_sleep = findings.did_sleep && has_slept;
  }
  return findings;
}

void WriteRow(JsonWriter& json, const Row& row) {
  const WakeTimes all = row.Together();
  WriteTimes(json, "visible_ns", all.visible);
  WriteTimes(json, "published_ns", all.published);
  WriteTimes(json, "durable_ns", all.durable);
  WriteSpread(json, "visible_p50_ns_of_runs", row.VisibleAt(50));
  WriteSpread(json, "visible_p99_ns_of_runs", row.VisibleAt(99));
  json.Integer("samples", all.visible.count());
  json.Boolean("verified", row.is_verified);
}

void WriteAgents(JsonWriter& json, const Findings& findings) {
  json.Boolean("engine_slept", findings.did_sleep);
  json.BeginObject("agents");
  for (const AgentRest& agent : findings.agents) {
    json.BeginObject(agent.name);
    json.Number("asleep_when_sent_percent", agent.asleep_share * 100);
    json.Number("voluntary_switches_per_command", agent.switches_per_command);
    json.EndObject();
  }
  json.EndObject();
  json.BeginObject("idle");
  json.Number("cpu_percent", findings.idle_cpu_share * 100);
  json.BeginObject("voluntary_switches_per_second");
  for (const AgentRest& agent : findings.agents) {
    json.Number(agent.name, agent.idle_switches_per_second);
  }
  json.EndObject();
  json.EndObject();
}

void PrintJson(const Plan& plan, const Findings& findings) {
  const Histogram visible = findings.pawl.Together().visible;
  JsonWriter json;
  json.BeginObject();
  json.Text("scenario", "wake");
  json.BeginObject("pawl");
  WriteRow(json, findings.pawl);
  json.Boolean("visible_p50_within_100us", visible.ValueAtPercentile(50) <= kVisibleP50MaxNs);
  json.Boolean("visible_p99_within_1ms", visible.ValueAtPercentile(99) <= kVisibleP99MaxNs);
  WriteAgents(json, findings);
  json.EndObject();
  json.BeginObject("rivals");
  if (plan.has_chain) {
    json.BeginObject("chain");
    WriteRow(json, findings.chain);
    json.Text("what", "three sleeping threads that wake one another, and do nothing else");
    json.EndObject();
  }
  json.EndObject();
  json.BeginObject("options");
  json.Integer("runs", plan.runs);
  json.Integer("samples_per_run", plan.options.samples);
  json.Integer("seed", plan.options.seed);
  json.Integer("gap_us_min", static_cast<std::uint64_t>(plan.options.gaps.min_ns / 1000));
  json.Integer("gap_us_max", static_cast<std::uint64_t>(plan.options.gaps.max_ns / 1000));
  json.Integer("idle_ms", plan.idle_ms);
  json.EndObject();
  WriteMachineFacts(json, plan.options.placement);
  json.EndObject();
  std::printf("%s\n", json.text().c_str());
}

void PrintTimes(const char* name, const Histogram& times) {
  if (times.count() == 0) return;
  const auto at = [&times](double percentile) {
    return static_cast<double>(times.ValueAtPercentile(percentile)) / 1e3;
  };
  std::printf("%-16s %9.1f %9.1f %9.1f %9.1f\n", name, at(50), at(99), at(99.9),
              static_cast<double>(times.max()) / 1e3);
}

void PrintTable(const Findings& findings) {
  std::printf("%-16s %9s %9s %9s %9s  µs from the intended time\n", "", "p50", "p99", "p99.9",
              "max");
  const WakeTimes all = findings.pawl.Together();
  PrintTimes("pawl visible", all.visible);
  PrintTimes("pawl published", all.published);
  PrintTimes("pawl durable", all.durable);
  PrintTimes("chain visible", findings.chain.Together().visible);
  std::printf("%-16s %22s %22s %22s\n", "thread", "asleep when sent, %", "switches per command",
              "idle: switches per s");
  for (const AgentRest& agent : findings.agents) {
    std::printf("%-16s %22.1f %22.2f %22.2f\n", agent.name.c_str(), agent.asleep_share * 100,
                agent.switches_per_command, agent.idle_switches_per_second);
  }
  std::printf("idle: %.3f %% of a core\n", findings.idle_cpu_share * 100);
}

}  // namespace

int RunWakeScenario(Arguments& arguments) {
  const Plan plan = ReadPlan(arguments);
  const Findings findings = RunAll(plan);
  if (plan.is_json) {
    PrintJson(plan, findings);
  } else {
    PrintTable(findings);
  }
  const bool is_verified = findings.pawl.is_verified && findings.chain.is_verified;
  if (!is_verified) std::fprintf(stderr, "pawl_bench: NOT VERIFIED\n");
  if (!findings.did_sleep) {
    std::fprintf(stderr,
                 "pawl_bench: a thread of the engine slept at fewer than %lu %% of the "
                 "commands: other work on the machine, or smaller gaps than a sleep takes\n",
                 static_cast<unsigned long>(plan.asleep_percent_min));
  }
  return is_verified && findings.did_sleep ? 0 : 1;
}

}  // namespace pawl::inline v0::bench
