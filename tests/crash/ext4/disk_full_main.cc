// pawl_disk_full: takes the room from under the log at every size and every moment, gives it back,
// and judges what the log did and kept. See --help.

#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "child.h"
#include "full_disk_case.h"
#include "full_disk_room.h"
#include "loop_ext4.h"
#include "private_ground.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_disk_full disk-full [--count N] [--seed S] [--first K] [--json] [--planted NAME]\n"
    "\n"
    "  --count N       points: what runs out, when, and how much is left (default 2000; 7560 are\n"
    "                  all of them)\n"
    "  --seed S        of everything else that is drawn (default 1, or PAWL_SEED)\n"
    "  --first K       number of the first point; a failure prints the line that repeats it\n"
    "  --planted NAME  plants a fault; exits 0 only if the campaign finds it: drafts-stay,\n"
    "                  sparse-segments, sparse-images, ack-before-sync\n"
    "  --json          one object on standard output\n"
    "\n"
    "Mounts an ext4 of 64 MiB on a loop device in a mount namespace of its own: wants root. Ends\n"
    "with status 77 where the machine does not allow it. One point at a time: --threads says "
    "nothing\n"
    "here.\n";

constexpr std::uint64_t kDiskBytes = std::uint64_t{64} << 20;
constexpr int kDeadlineMs = 60'000;
// Points after which the file system is made anew.
constexpr std::uint64_t kPointsPerDisk = 500;

struct Arguments : CampaignArguments {
  StorageLies lies{};
  bool acks_published = false;
  std::string planted;
};

struct FullDiskTally {
  std::uint64_t points = 0;
  std::uint64_t findings[5] = {};
  std::uint64_t signals = 0;
  std::uint64_t hung = 0;
  std::uint64_t opens_refused = 0;
  std::uint64_t disk_low = 0;
  std::uint64_t resumed = 0;
  std::uint64_t failed_logs = 0;
  std::uint64_t images_moved = 0;
  std::uint64_t at[kFullMoments][kShortages] = {};

  std::uint64_t found(Finding finding) const { return findings[static_cast<int>(finding)]; }
  bool is_clean() const { return found(Finding::kGood) == points; }
};

class DiskFullCampaign {
 public:
  DiskFullCampaign(const Arguments& arguments, const PrivateGround& ground)
      : arguments_(arguments),
        ground_(ground),
        places_{.disk = ground.Path("disk"), .memory = ground.Path("memory")} {}

  // Mounts both file systems, the disk anew.
  absl::Status MakePlaces();
  void RunPoint(std::uint64_t number);
  const FullDiskTally& tally() const noexcept { return tally_; }

 private:
  std::string Judge(const ChildEnd& end, const FullDiskReport& report);

  const Arguments& arguments_;
  const PrivateGround& ground_;
  const FullDiskPlaces places_;
  std::optional<LoopExt4> disk_;
  bool has_memory_ = false;
  FullDiskTally tally_;
  std::uint64_t printed_ = 0;
};

absl::Status DiskFullCampaign::MakePlaces() {
  disk_.reset();
  absl::StatusOr<LoopExt4> made = LoopExt4::Make(ground_.Path("image"), places_.disk, kDiskBytes);
  if (!made.ok()) return made.status();
  disk_ = *std::move(made);
  if (has_memory_) return absl::OkStatus();
  has_memory_ = true;
  if (::mkdir(places_.memory.c_str(), 0700) == 0 &&
      ::mount("tmpfs", places_.memory.c_str(), "tmpfs", 0, "size=16m") == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("no tmpfs of a limited size can be mounted");
}

void DiskFullCampaign::RunPoint(std::uint64_t number) {
  const FullDiskPoint point = FullDiskPoint::At(number, arguments_.seed);
  SharedReport<FullDiskReport> report;
  Child child([&] {
    FullDiskCase one(point, places_, &*report);
    one.set_lies(arguments_.lies);
    one.set_acks_published(arguments_.acks_published);
    one.Run();
    return 0;
  });
  const std::string failure = Judge(child.Wait(kDeadlineMs), *report);
  FullDiskRoom::CleanUp(places_);
  ++tally_.points;
  ++tally_.at[static_cast<int>(point.moment)][static_cast<int>(point.shortage)];
  // Relaxed: the child is gone.
  tally_.opens_refused += report->opens_refused.load(std::memory_order_relaxed);
  tally_.disk_low += report->disk_low.load(std::memory_order_relaxed);
  tally_.resumed += report->resumed.load(std::memory_order_relaxed);
  tally_.failed_logs += report->failed_logs.load(std::memory_order_relaxed);
  tally_.images_moved += report->images_moved.load(std::memory_order_relaxed);
  if (failure.empty() || ++printed_ > kPrintedMax) return;
  std::fprintf(
      stderr,
      "FAILURE %s, %s, %llu blocks, segments of %llu: %s\n"
      "  repeat: tools/campaign disk-full --seed %llu --first %llu --count 1\n",
      NameOf(point.shortage), NameOf(point.moment), static_cast<unsigned long long>(point.blocks),
      static_cast<unsigned long long>(point.segment_bytes), failure.c_str(),
      static_cast<unsigned long long>(arguments_.seed), static_cast<unsigned long long>(number));
}

// Empty if all is well.
std::string DiskFullCampaign::Judge(const ChildEnd& end, const FullDiskReport& report) {
  if (end.was_hung) {
    ++tally_.hung;
    return "did not end";
  }
  if (end.signal != 0) {
    ++tally_.signals;
    return absl::StrCat("signal ", end.signal, ": ", ::strsignal(end.signal));
  }
  const Finding finding = end.exit_status == 0 ? report.finding : Finding::kBrokenRule;
  ++tally_.findings[static_cast<int>(finding)];
  if (end.exit_status != 0) return absl::StrCat("exit status ", end.exit_status);
  return finding == Finding::kGood ? "" : std::string(report.what);
}

std::string CountsJson(const FullDiskTally& tally) {
  std::string json = "{";
  for (std::uint64_t moment = 0; moment < kFullMoments; ++moment) {
    absl::StrAppend(&json, moment == 0 ? "\"" : ", \"", NameOf(static_cast<FullMoment>(moment)),
                    "\": {");
    for (std::uint64_t shortage = 0; shortage < kShortages; ++shortage) {
      absl::StrAppend(&json, shortage == 0 ? "\"" : ", \"", NameOf(static_cast<Shortage>(shortage)),
                      "\": ", tally.at[moment][shortage]);
    }
    json += "}";
  }
  return json + "}";
}

std::string ToJson(const FullDiskTally& tally, const Arguments& arguments, double seconds) {
  return absl::StrCat(
      "{\"campaign\": \"disk-full\", \"count\": ", tally.points,
      ", \"lost\": ", tally.found(Finding::kLost),
      ", \"wrong_reads\": ", tally.found(Finding::kWrong),
      ", \"refused_torn\": ", tally.found(Finding::kRefused), ", \"accepted_damage\": 0",
      ", \"signals\": ", tally.signals, ", \"hung\": ", tally.hung,
      ", \"violations\": ", tally.found(Finding::kBrokenRule),
      ", \"opens_refused\": ", tally.opens_refused, ", \"disk_low\": ", tally.disk_low,
      ", \"resumed\": ", tally.resumed, ", \"failed_by_file_size\": ", tally.failed_logs,
      ", \"images_moved\": ", tally.images_moved, ", \"points\": ", CountsJson(tally),
      ", \"seed\": ", arguments.seed, ", \"first\": ", arguments.first, ", \"seconds\": ", seconds,
      "}");
}

int Skip(const absl::Status& why) {
  return SkipCampaign("pawl_disk_full", std::string(why.message()));
}

int Finish(const Arguments& arguments, const FullDiskTally& tally, double seconds) {
  PrintResult(arguments, ToJson(tally, arguments, seconds));
  if (!arguments.planted.empty()) return EndPlanted(arguments.planted, tally.is_clean());
  return tally.is_clean() ? 0 : 1;
}

int Run(const Arguments& arguments) {
  CampaignProgress progress("points");
  const absl::StatusOr<std::unique_ptr<PrivateGround>> ground = PrivateGround::Enter();
  if (!ground.ok()) return Skip(ground.status());
  DiskFullCampaign campaign(arguments, **ground);
  for (std::uint64_t i = 0; i < arguments.count; ++i) {
    const absl::Status made = i % kPointsPerDisk == 0 ? campaign.MakePlaces() : absl::OkStatus();
    // The first places show what the machine allows; later it is no excuse.
    if (!made.ok() && i == 0) return Skip(made);
    if (!made.ok()) {
      std::fprintf(stderr, "FAILURE %s\n", made.ToString().c_str());
      return 1;
    }
    campaign.RunPoint(arguments.first + i);
    progress.Show(i + 1, arguments.count, campaign.tally().is_clean());
  }
  return Finish(arguments, campaign.tally(), progress.seconds());
}

void Plant(const CampaignCommandLine& line, const std::string& name, Arguments& arguments) {
  if (name == "drafts-stay") {
    arguments.lies.drafts_stay = true;
  } else if (name == "sparse-segments") {
    arguments.lies.segments_are_sparse = true;
  } else if (name == "sparse-images") {
    arguments.lies.images_are_sparse = true;
  } else if (name == "ack-before-sync") {
    arguments.acks_published = true;
  } else {
    line.Refuse(absl::StrCat("no planted fault is called ", name));
  }
}

int Main(int argc, char** argv) {
  CampaignCommandLine line(argc, argv, "pawl_disk_full", kUsage);
  if (!line.Next()) line.Refuse("say what to do");
  if (line.option() != "disk-full") line.RefuseOption();
  Arguments arguments;
  arguments.count = 2000;
  arguments.seed = SeedFromEnvironment(line);
  while (line.Next()) {
    if (line.TakeCommon(arguments)) continue;
    if (line.option() != "--planted") line.RefuseOption();
    arguments.planted = line.Text();
    Plant(line, arguments.planted, arguments);
  }
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(arguments.seed));
  return Run(arguments);
}

}  // namespace
}  // namespace pawl::inline v0

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
