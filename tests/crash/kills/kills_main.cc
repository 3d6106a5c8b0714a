// pawl_kills: kills an engine under load, again and again, with processes that read along; judges
// every next engine by what was acknowledged, and every record that a reader saw. See --help.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "campaign_workers.h"
#include "kill_campaign.h"
#include "shared_report.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_kills kills [--count N] [--seed S] [--first K] [--threads T] [--json]\n"
    "                        [--planted NAME]\n"
    "\n"
    "  --count N       kills of an engine that every reader had seen records of (default 1000);\n"
    "                  kills while it opens the log, and clean stops, come on top\n"
    "  --seed S        of everything drawn (default 1, or PAWL_SEED); the moment of a kill is the\n"
    "                  machine's too\n"
    "  --first K       number of the first kill, rounded down to a log's first\n"
    "  --threads T     logs at a time, each with processes of its own (default 2)\n"
    "  --planted NAME  plants a fault; exits 0 only if the campaign finds it: ack-before-publish,\n"
    "                  image-used-again\n"
    "  --json          one object on standard output\n";

struct Arguments : CampaignArguments {
  KillOptions kills;
  std::string planted;
};

void Plant(const CampaignCommandLine& line, std::string_view name, KillOptions& kills) {
  if (name == "ack-before-publish") {
    kills.fault = VictimFault::kAcksBeforePublish;
  } else if (name == "image-used-again") {
    kills.fault = VictimFault::kUsesImagesAgain;
  } else {
    line.Refuse(absl::StrCat("no planted fault is called ", std::string(name)));
  }
}

std::string ToJson(const KillTally& tally, const Arguments& arguments, double seconds) {
  return absl::StrCat(
      "{\"campaign\": \"kills\", \"count\": ", arguments.count, ", \"kills\": ", tally.kills,
      ", \"with_commands_in_flight\": ", tally.with_commands,
      ", \"kills_in_open\": ", tally.kills_in_open, ", \"clean_stops\": ", tally.clean_stops,
      ", \"readers_killed\": ", tally.readers_killed, ", \"lost\": ", tally.lost,
      ", \"wrong_reads\": ", tally.wrong_reads, ", \"refused\": ", tally.refused,
      ", \"violations\": ", tally.broken_rules, ", \"signals\": ", tally.signals,
      ", \"hung\": ", tally.hung, ", \"logs\": ", tally.logs, ", \"events\": ", tally.events,
      ", \"reads\": ", tally.reads, ", \"reads_of_files\": ", tally.from_files,
      ", \"seed\": ", arguments.seed, ", \"first\": ", arguments.first, ", \"seconds\": ", seconds,
      "}");
}

// What a worker process counts.
struct WorkerReport {
  KillTally tally;  // the worker's while it lives, then the parent's
  std::uint64_t printed = 0;
  // Of the tally, for the eyes of the parent: written by the worker behind each log.
  std::atomic<std::uint64_t> kills{0};
  std::atomic<bool> is_clean{true};
};

class Campaign {
 public:
  explicit Campaign(const Arguments& arguments)
      : arguments_(arguments), workers_(arguments.threads) {}

  KillTally Run();
  [[nodiscard]] double seconds() const { return progress_.seconds(); }

 private:
  void RunLog(WorkerReport& report, std::uint64_t log) const;
  void Show();

  const Arguments& arguments_;
  std::vector<SharedReport<WorkerReport>> workers_;
  CampaignProgress progress_{"kills"};
};

// The last log has the kills that are left.
void Campaign::RunLog(WorkerReport& report, std::uint64_t log) const {
  const std::uint64_t before =
      (log - arguments_.first / KillCampaign::kKillsPerLog) * KillCampaign::kKillsPerLog;
  KillCampaign campaign(
      arguments_.kills, &report.tally, [&](std::uint64_t number, const std::string& what) {
        if (++report.printed > kPrintedMax) return;
        std::fprintf(
            stderr,
            "FAILURE %s\n  repeat: tools/campaign kills --seed %llu --first %llu --count %llu\n",
            what.c_str(), static_cast<unsigned long long>(arguments_.seed),
            static_cast<unsigned long long>(number * KillCampaign::kKillsPerLog),
            static_cast<unsigned long long>(KillCampaign::kKillsPerLog));
      });
  campaign.RunLog(log, std::min(KillCampaign::kKillsPerLog, arguments_.count - before));
  // Relaxed, both: shown, and nothing is read because of them.
  report.kills.store(report.tally.kills, std::memory_order_relaxed);
  report.is_clean.store(report.tally.is_clean(), std::memory_order_relaxed);
}

void Campaign::Show() {
  std::uint64_t kills = 0;
  bool is_clean = true;
  for (const SharedReport<WorkerReport>& worker : workers_) {
    // Relaxed, both: see RunLog().
    kills += worker->kills.load(std::memory_order_relaxed);
    is_clean = worker->is_clean.load(std::memory_order_relaxed) && is_clean;
  }
  progress_.Show(kills, arguments_.count, is_clean);
}

KillTally Campaign::Run() {
  const std::uint64_t logs =
      (arguments_.count + KillCampaign::kKillsPerLog - 1) / KillCampaign::kKillsPerLog;
  const std::uint64_t died = RunInWorkers(
      {.workers = workers_.size(),
       .first = arguments_.first / KillCampaign::kKillsPerLog,
       .count = logs},
      [this](std::uint64_t worker, std::uint64_t log) { RunLog(*workers_[worker], log); },
      [this] { Show(); });
  KillTally total;
  for (const SharedReport<WorkerReport>& worker : workers_) total.Add(worker->tally);
  total.signals += died;
  if (died > 0) {
    std::fprintf(stderr, "FAILURE %llu workers died, and the logs that they had are not judged\n",
                 static_cast<unsigned long long>(died));
  }
  return total;
}

int Run(const Arguments& arguments) {
  Campaign campaign(arguments);
  const KillTally tally = campaign.Run();
  PrintResult(arguments, ToJson(tally, arguments, campaign.seconds()));
  if (!arguments.planted.empty()) return EndPlanted(arguments.planted, tally.is_clean());
  return tally.is_clean() && tally.kills == arguments.count ? 0 : 1;
}

int Main(int argc, char** argv) {
  CampaignCommandLine line(argc, argv, "pawl_kills", kUsage);
  if (!line.Next()) line.Refuse("say what to do");
  if (line.option() != "kills") line.RefuseOption();
  Arguments arguments;
  arguments.count = 1000;
  arguments.seed = SeedFromEnvironment(line);
  while (line.Next()) {
    if (line.TakeCommon(arguments)) continue;
    if (line.option() != "--planted") line.RefuseOption();
    arguments.planted = line.Text();
    Plant(line, arguments.planted, arguments.kills);
  }
  arguments.kills.seed = arguments.seed;
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(arguments.seed));
  return Run(arguments);
}

}  // namespace
}  // namespace pawl::inline v0

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
