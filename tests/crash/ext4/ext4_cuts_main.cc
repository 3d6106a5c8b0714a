// pawl_ext4_cuts: cuts the power of a real ext4 under the running log, again and again, and judges
// every recovery by what was acknowledged. See --help.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "cut_campaign.h"
#include "private_ground.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_ext4_cuts ext4-cuts [--count N] [--seed S] [--first K] [--json]\n"
    "                                [--images-on-disk] [--planted NAME]\n"
    "\n"
    "  --count N       cuts (default 200)\n"
    "  --seed S        of everything drawn (default 1, or PAWL_SEED); the moment of a cut is the\n"
    "                  machine's too\n"
    "  --first K       number of the first cut, rounded down to a file system's first\n"
    "  --images-on-disk  hot images live in the log's directory, on the disk that loses its power\n"
    "  --planted NAME  plants a fault; exits 0 only if the campaign finds it: ack-before-sync,\n"
    "                  durable-mark-early, file-never-synced\n"
    "  --json          one object on standard output\n"
    "\n"
    "Mounts loop devices in a mount namespace of its own: wants root. Ends with status 77 where "
    "the\n"
    "machine does not allow it. One file system at a time: --threads says nothing here.\n";

struct Arguments : CampaignArguments {
  CutOptions cuts;
  std::string planted;
};

void Plant(const CampaignCommandLine& line, std::string_view name, CutOptions& cuts) {
  if (name == "ack-before-sync") {
    cuts.acks_published = true;
  } else if (name == "durable-mark-early") {
    cuts.lies.durable_write_is_cached = true;
  } else if (name == "file-never-synced") {
    cuts.lies.sync_does_nothing = true;
  } else {
    line.Refuse(absl::StrCat("no planted fault is called ", std::string(name)));
  }
}

std::string ToJson(const CutTally& tally, const Arguments& arguments, double seconds) {
  return absl::StrCat(
      "{\"campaign\": \"ext4-cuts\", \"count\": ", arguments.count, ", \"cuts\": ", tally.cuts,
      ", \"lost\": ", tally.lost, ", \"wrong_reads\": ", tally.wrong_reads,
      ", \"refused_torn\": ", tally.refused_torn, ", \"accepted_damage\": ", tally.accepted_damage,
      ", \"signals\": ", tally.signals, ", \"hung\": ", tally.hung,
      ", \"violations\": ", tally.broken_rules, ", \"torn_tails\": ", tally.torn_tails,
      ", \"victims_saw_failure\": ", tally.victims_saw_failure,
      ", \"cuts_in_open\": ", tally.cuts_in_open, ", \"events_owed\": ", tally.events_owed,
      ", \"flips\": ", tally.flips, ", \"file_systems\": ", tally.file_systems,
      ", \"fs_checks\": ", tally.checks, ", \"fs_check_failures\": ", tally.check_failures,
      ", \"seed\": ", arguments.seed, ", \"first\": ", arguments.first, ", \"seconds\": ", seconds,
      "}");
}

int Skip(const absl::Status& why) {
  return SkipCampaign("pawl_ext4_cuts", std::string(why.message()));
}

int Finish(const Arguments& arguments, const CutTally& tally, double seconds) {
  PrintResult(arguments, ToJson(tally, arguments, seconds));
  if (!arguments.planted.empty()) return EndPlanted(arguments.planted, tally.is_clean());
  return tally.is_clean() && tally.cuts == arguments.count ? 0 : 1;
}

int Run(const Arguments& arguments) {
  const absl::StatusOr<std::unique_ptr<PrivateGround>> ground = PrivateGround::Enter();
  if (!ground.ok()) return Skip(ground.status());
  CutTally tally;
  std::uint64_t printed = 0;
  CutCampaign campaign(
      arguments.cuts, ground->get(), &tally, [&](std::uint64_t disk, const std::string& what) {
        if (++printed > kPrintedMax) return;
        std::fprintf(stderr,
                     "FAILURE %s\n  repeat: tools/campaign ext4-cuts --seed %llu --first %llu "
                     "--count %llu\n",
                     what.c_str(), static_cast<unsigned long long>(arguments.seed),
                     static_cast<unsigned long long>(disk * CutCampaign::kLivesPerDisk),
                     static_cast<unsigned long long>(CutCampaign::kLivesPerDisk));
      });
  CampaignProgress progress("cuts");
  for (std::uint64_t disk = arguments.first / CutCampaign::kLivesPerDisk;
       tally.cuts < arguments.count; ++disk) {
    const std::uint64_t cuts = std::min(CutCampaign::kLivesPerDisk, arguments.count - tally.cuts);
    const absl::Status ran = campaign.RunDisk(disk, cuts);
    // The first cut shows what the machine allows; later it is no excuse.
    if (!ran.ok() && tally.cuts == 0) return Skip(ran);
    if (!ran.ok()) {
      std::fprintf(stderr, "FAILURE %s\n", ran.ToString().c_str());
      return 1;
    }
    progress.Show(tally.cuts, arguments.count, tally.is_clean());
  }
  return Finish(arguments, tally, progress.seconds());
}

int Main(int argc, char** argv) {
  CampaignCommandLine line(argc, argv, "pawl_ext4_cuts", kUsage);
  if (!line.Next()) line.Refuse("say what to do");
  if (line.option() != "ext4-cuts") line.RefuseOption();
  Arguments arguments;
  arguments.count = 200;
  arguments.seed = SeedFromEnvironment(line);
  while (line.Next()) {
    if (line.TakeCommon(arguments)) continue;
    if (line.option() == "--images-on-disk") {
      arguments.cuts.images_on_disk = true;
      continue;
    }
    if (line.option() != "--planted") line.RefuseOption();
    arguments.planted = line.Text();
    Plant(line, arguments.planted, arguments.cuts);
  }
  arguments.cuts.seed = arguments.seed;
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(arguments.seed));
  return Run(arguments);
}

}  // namespace
}  // namespace pawl::inline v0

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
