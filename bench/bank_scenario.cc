#include "bank_scenario.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bank_pawl.h"
#include "bank_subject.h"
#include "child_run.h"
#include "command_feed.h"
#include "json_writer.h"
#include "machine_facts.h"
#include "reference.h"
#include "rival_lmdb.h"
#include "rival_sqlite.h"
#include "spread_json.h"

namespace pawl::inline v0::bench {
namespace {

constexpr const char* kUsage =
    "pawl_bench bank [--rivals reference,lmdb,lmdb-warm,sqlite] [--runs N] [--json] [--commands N] "
    "[--accounts N] [--seed N] [--window N] [--idle spin|yield] [--producer-core N] [--loop-core "
    "N] "
    "[--projector-core N] [--directory D] [--hot-directory D]";

// Every rival that `--rivals` may name.
const BankSubject* const kRivals[] = {&kReference, &kLmdb, &kLmdbWarm, &kSqlite};

double RateOf(const BankResult& run) { return static_cast<double>(run.commands) / run.seconds; }

struct Row {
  const BankSubject* subject = nullptr;
  std::vector<BankResult> runs{};  // One per round.

  [[nodiscard]] std::vector<double> Rates() const {
    std::vector<double> rates;
    for (const BankResult& run : runs) rates.push_back(RateOf(run));
    return rates;
  }
  [[nodiscard]] bool IsVerified() const {
    return std::all_of(runs.begin(), runs.end(),
                       [](const BankResult& run) { return run.is_verified; });
  }
};

struct Plan {
  BankOptions options;
  std::uint64_t commands = 0;  // 0: as many as each subject's default.
  std::size_t rounds = 0;
  bool is_json = false;
  std::vector<Row> rows;
};

// The loop has a core for itself; producer and projector share the other one of two cores, and
// have one each from three cores on.
Placement DefaultPlacement() {
  const int cores = CoresOnline();
  if (cores < 2) return {};
  return {.producer_core = 1, .loop_core = 0, .projector_core = cores > 2 ? 2 : 1};
}

int CoreOption(Arguments& arguments, std::string_view name, int otherwise) {
  return static_cast<int>(arguments.Number(name, otherwise, kAnyCore, 1023));
}

std::uint64_t CountOption(Arguments& arguments, std::string_view name, std::uint64_t otherwise,
                          std::int64_t min, std::int64_t max) {
  const auto value = static_cast<std::int64_t>(otherwise);
  return static_cast<std::uint64_t>(arguments.Number(name, value, min, max));
}

std::vector<Row> ChosenRows(const std::string& names) {
  std::vector<Row> rows{{.subject = &kPawl}};
  for (std::size_t begin = 0; begin < names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    const std::string_view name = std::string_view(names).substr(begin, end - begin);
    const auto* const found =
        std::find_if(std::begin(kRivals), std::end(kRivals),
                     [name](const BankSubject* s) { return name == s->name; });
    if (found == std::end(kRivals)) {
      std::fprintf(stderr, "pawl_bench: no rival '%s'\nusage: %s\n", std::string(name).c_str(),
                   kUsage);
      std::exit(2);
    }
    rows.push_back({.subject = *found});
    begin = end + 1;
  }
  return rows;
}

Plan ReadPlan(Arguments& arguments) {
  Plan plan;
  BankOptions& options = plan.options;
  plan.rows = ChosenRows(arguments.Text("--rivals", "reference,lmdb,sqlite"));
  plan.rounds = CountOption(arguments, "--runs", 7, 1, 1000);
  plan.is_json = arguments.Flag("--json");
  plan.commands = CountOption(arguments, "--commands", 0, 0, 1'000'000'000);
  options.accounts = CountOption(arguments, "--accounts", options.accounts, 1, 1 << 24);
  options.seed = CountOption(arguments, "--seed", options.seed, 0, INT64_MAX);
  options.window = CountOption(arguments, "--window", options.window, kFeedBatch, 1 << 20);
  const std::string idle = arguments.Text("--idle", "yield");
  options.idle = idle == "spin" ? Idle::kSpin : Idle::kYield;
  const Placement usual = DefaultPlacement();
  options.placement = {
      .producer_core = CoreOption(arguments, "--producer-core", usual.producer_core),
      .loop_core = CoreOption(arguments, "--loop-core", usual.loop_core),
      .projector_core = CoreOption(arguments, "--projector-core", usual.projector_core)};
  options.directory = arguments.Text("--directory", ".");
  options.hot_directory = arguments.Text("--hot-directory", "/dev/shm");
  arguments.RefuseTheRest(kUsage);
  return plan;
}

// Rounds of every subject, each round beginning with another one. False when a run failed.
bool RunRounds(Plan& plan) {
  for (std::size_t round = 0; round < plan.rounds; ++round) {
    for (std::size_t i = 0; i < plan.rows.size(); ++i) {
      Row& row = plan.rows[(round + i) % plan.rows.size()];
      BankOptions options = plan.options;
      options.commands = plan.commands > 0 ? plan.commands : row.subject->commands_default;
      const std::optional<BankResult> result = RunInChild(*row.subject, options);
      if (!result) return false;
      row.runs.push_back(*result);
      std::fprintf(stderr,
                   "round %zu of %zu: %-10s %7.2f M commands/s, cores %.0f and %.0f ns apart%s\n",
                   round + 1, plan.rounds, row.subject->name, RateOf(*result) / 1e6,
                   result->core_to_core_ns_before, result->core_to_core_ns_after,
                   result->is_verified ? "" : "  NOT VERIFIED");
    }
  }
  return true;
}

const Row* FindRow(const Plan& plan, std::string_view name) {
  for (const Row& row : plan.rows) {
    if (name == row.subject->name) return &row;
  }
  return nullptr;
}

// `of` ÷ `by`, round by round: what the machine did to one it did to the other.
Spread RatioOf(const Row& of, const Row& by) {
  const std::vector<double> above = of.Rates();
  const std::vector<double> below = by.Rates();
  std::vector<double> ratios;
  for (std::size_t i = 0; i < above.size(); ++i) ratios.push_back(above[i] / below[i]);
  return SpreadOf(std::move(ratios));
}

void WriteRow(JsonWriter& json, const Plan& plan, const Row& row) {
  const BankResult& last = row.runs.back();
  json.BeginObject(row.subject->name);
  WriteSpread(json, "commands_per_second", SpreadOf(row.Rates()));
  json.Integer("commands", last.commands);
  json.Integer("accepted", last.accepted);
  json.Integer("refused", last.commands - last.accepted);
  if (last.accepted > 0 && last.log_bytes > 0) {
    json.Number("log_bytes_per_event",
                static_cast<double>(last.log_bytes) / static_cast<double>(last.accepted));
  }
  if (last.undurable_bytes_max > 0) json.Integer("undurable_bytes_max", last.undurable_bytes_max);
  for (const char* name : {"pawl", "reference"}) {
    const Row* above = FindRow(plan, name);
    if (above == nullptr || above == &row) continue;
    WriteSpread(json, std::string(name) + "_over_this", RatioOf(*above, row));
  }
  json.BeginArray("runs");
  for (const BankResult& run : row.runs) {
    json.BeginObject();
    json.Number("commands_per_second", RateOf(run));
    json.Number("core_to_core_ns_before", run.core_to_core_ns_before);
    json.Number("core_to_core_ns_after", run.core_to_core_ns_after);
    json.EndObject();
  }
  json.EndArray();
  json.Boolean("verified", row.IsVerified());
  json.Text("what", row.subject->description);
  json.EndObject();
}

// The reference is the bar for the engine only if it is as fast as it honestly can be: at least
// four times LMDB. Empty when not both ran.
std::optional<bool> IsReferenceHonest(const Plan& plan) {
  const Row* reference = FindRow(plan, "reference");
  const Row* lmdb = FindRow(plan, "lmdb");
  if (reference == nullptr || lmdb == nullptr) return std::nullopt;
  return RatioOf(*reference, *lmdb).median >= 4;
}

void PrintJson(const Plan& plan) {
  JsonWriter json;
  json.BeginObject();
  json.Text("scenario", "bank");
  if (const Row* pawl = FindRow(plan, "pawl")) WriteRow(json, plan, *pawl);
  json.BeginObject("rivals");
  for (const Row& row : plan.rows) {
    if (std::string_view(row.subject->name) != "pawl") WriteRow(json, plan, row);
  }
  json.EndObject();
  const std::optional<bool> is_honest = IsReferenceHonest(plan);
  if (is_honest) json.Boolean("reference_at_least_4x_lmdb", *is_honest);
  json.BeginObject("options");
  json.Integer("runs", plan.rounds);
  json.Integer("accounts", plan.options.accounts);
  json.Integer("seed", plan.options.seed);
  json.Integer("window", plan.options.window);
  json.Integer("batch", kFeedBatch);
  json.Text("idle", plan.options.idle == Idle::kSpin ? "spin" : "yield");
  json.EndObject();
  WriteMachineFacts(json, plan.options.placement);
  json.EndObject();
  std::printf("%s\n", json.text().c_str());
}

void PrintTable(const Plan& plan) {
  std::printf("%-10s %10s %10s %10s  M commands/s, %zu rounds; %s\n", "subject", "median", "min",
              "max", plan.rounds, "ratio to the reference: median (min-max)");
  const Row* reference = FindRow(plan, "reference");
  for (const Row& row : plan.rows) {
    const Spread rate = SpreadOf(row.Rates());
    std::printf("%-10s %10.2f %10.2f %10.2f  ", row.subject->name, rate.median / 1e6,
                rate.min / 1e6, rate.max / 1e6);
    if (reference != nullptr) {
      const Spread ratio = RatioOf(row, *reference);
      std::printf("%.3f (%.3f-%.3f)", ratio.median, ratio.min, ratio.max);
    }
    std::printf("%s\n", row.IsVerified() ? "" : "  NOT VERIFIED");
  }
  const std::optional<bool> is_honest = IsReferenceHonest(plan);
  if (is_honest) std::printf("reference at least 4 x lmdb: %s\n", *is_honest ? "yes" : "NO");
}

}  // namespace

int RunBankScenario(Arguments& arguments) {
  Plan plan = ReadPlan(arguments);
  if (!RunRounds(plan)) return 1;
  if (plan.is_json) {
    PrintJson(plan);
  } else {
    PrintTable(plan);
  }
  return std::all_of(plan.rows.begin(), plan.rows.end(),
                     [](const Row& row) { return row.IsVerified(); })
             ? 0
             : 1;
}

}  // namespace pawl::inline v0::bench
