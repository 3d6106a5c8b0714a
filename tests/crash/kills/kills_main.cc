// pawl_kills: kills an engine under load, again and again, with processes that read along; judges
// every next engine by what was acknowledged, and every record that a reader saw. See --help.

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "kill_campaign.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_kills kills [--count N] [--seed S] [--first K] [--json] [--planted NAME]\n"
    "\n"
    "  --count N       kills of an engine that every reader had seen records of (default 1000);\n"
    "                  kills while it opens the log, and clean stops, come on top\n"
    "  --seed S        of everything drawn (default 1, or PAWL_SEED); the moment of a kill is the\n"
    "                  machine's too\n"
    "  --first K       number of the first kill, rounded down to a log's first\n"
    "  --planted NAME  plants a fault; exits 0 only if the campaign finds it: ack-before-publish,\n"
    "                  image-used-again\n"
    "  --json          one object on standard output\n"
    "\n"
    "Five processes share the cores: one log at a time, --threads says nothing here.\n";

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

int Run(const Arguments& arguments) {
  KillTally tally;
  std::uint64_t printed = 0;
  KillCampaign campaign(arguments.kills, &tally, [&](std::uint64_t log, const std::string& what) {
    if (++printed > kPrintedMax) return;
    std::fprintf(
        stderr,
        "FAILURE %s\n  repeat: tools/campaign kills --seed %llu --first %llu --count %llu\n",
        what.c_str(), static_cast<unsigned long long>(arguments.seed),
        static_cast<unsigned long long>(log * KillCampaign::kKillsPerLog),
        static_cast<unsigned long long>(KillCampaign::kKillsPerLog));
  });
  CampaignProgress progress("kills");
  std::uint64_t done = 0;
  for (std::uint64_t log = arguments.first / KillCampaign::kKillsPerLog; done < arguments.count;
       ++log) {
    const std::uint64_t kills = std::min(KillCampaign::kKillsPerLog, arguments.count - done);
    campaign.RunLog(log, kills);
    done += kills;
    progress.Show(done, arguments.count, tally.is_clean());
  }
  PrintResult(arguments, ToJson(tally, arguments, progress.seconds()));
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
