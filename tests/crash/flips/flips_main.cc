// pawl_campaign_flips: damages logs on a simulated machine, one bit or one length at a time, opens
// and reads them, and judges that by a history kept outside. See --help.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "damage.h"
#include "flip_trial.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_campaign_flips flips [--count N] [--seed S] [--first K] [--threads T] [--json]\n"
    "\n"
    "Three logs of 256 KiB (closed, cut, killed): every bit of every file turned over and every "
    "file\n"
    "cut to every length; of the killed one the hot images and marks. Numbered in an order in "
    "which\n"
    "any range of numbers is spread over all of it.\n"
    "\n"
    "  --count N    damages to try (default: all from --first on)\n"
    "  --first K    number of the first: goes on where a run ended; a failure prints its own\n"
    "  --seed S     of the logs (default 1, or PAWL_SEED)\n"
    "  --threads T  workers (default 2); the result does not depend on it\n"
    "  --json       one object on standard output\n";

constexpr std::uint64_t kBatch = 256;

class Campaign {
 public:
  Campaign(const CampaignArguments& arguments, const DamageList& damages)
      : arguments_(arguments), damages_(damages), next_(arguments.first) {}

  FlipTally Run();

 private:
  void Worker();
  void Report(std::uint64_t number, const std::string& what);
  void Add(const FlipTally& tally);

  const CampaignArguments& arguments_;
  const DamageList& damages_;
  std::atomic<std::uint64_t> next_;
  std::mutex mutex_;
  FlipTally total_;                       // under mutex_
  std::uint64_t printed_ = 0;             // under mutex_
  CampaignProgress progress_{"damages"};  // under mutex_
};

void Campaign::Report(std::uint64_t number, const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (++printed_ > kPrintedMax) return;
  std::fprintf(stderr,
               "FAILURE %s\n  repeat: tools/campaign flips --seed %llu --first %llu --count 1\n",
               what.c_str(), static_cast<unsigned long long>(arguments_.seed),
               static_cast<unsigned long long>(number));
}

void Campaign::Add(const FlipTally& tally) {
  const std::lock_guard lock(mutex_);
  total_.Add(tally);
  progress_.Show(total_.flips.count + total_.truncations.count, arguments_.count,
                 total_.is_clean());
}

void Campaign::Worker() {
  const std::uint64_t end = arguments_.first + arguments_.count;
  for (;;) {
    // Relaxed: a ticket.
    const std::uint64_t first = next_.fetch_add(kBatch, std::memory_order_relaxed);
    if (first >= end) return;
    FlipTally tally;
    for (std::uint64_t number = first; number < std::min(first + kBatch, end); ++number) {
      const std::string wrong = TryDamage(damages_.At(number), number, tally);
      if (!wrong.empty()) Report(number, wrong);
    }
    Add(tally);
  }
}

FlipTally Campaign::Run() {
  std::vector<std::thread> workers;
  for (std::uint64_t i = 0; i < arguments_.threads; ++i) workers.emplace_back([&] { Worker(); });
  for (std::thread& worker : workers) worker.join();
  return total_;
}

void Describe(const std::vector<Subject>& subjects, const DamageList& damages) {
  for (const Subject& subject : subjects) {
    std::uint64_t bytes = 0;
    for (const FileKept& file : subject.files) bytes += file.bytes.size();
    std::fprintf(stderr, "%s: %zu files, %llu bytes, %zu frames, %llu records owed\n", subject.name,
                 subject.files.size(), static_cast<unsigned long long>(bytes),
                 subject.frames.size(), static_cast<unsigned long long>(subject.owed));
  }
  std::fprintf(stderr, "%llu damages in all\n", static_cast<unsigned long long>(damages.size()));
}

int Main(int argc, char** argv) {
  CampaignCommandLine line(argc, argv, "pawl_campaign_flips", kUsage);
  if (!line.Next()) line.Refuse("say what to do");
  if (line.option() != "flips") line.RefuseOption();
  CampaignArguments arguments;
  arguments.count = ~std::uint64_t{0};
  arguments.seed = SeedFromEnvironment(line);
  while (line.Next()) {
    if (!line.TakeCommon(arguments)) line.RefuseOption();
  }
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(arguments.seed));
  const std::vector<Subject> subjects = MakeSubjects(arguments.seed);
  const DamageList damages(subjects);
  Describe(subjects, damages);
  if (arguments.first >= damages.size()) line.Refuse("--first is behind the last damage");
  arguments.count = std::min(arguments.count, damages.size() - arguments.first);
  const CampaignProgress progress("damages");
  const FlipTally tally = Campaign(arguments, damages).Run();
  const std::string json =
      absl::StrCat(tally.ToJson(), ", \"all\": ", damages.size(), ", \"seed\": ", arguments.seed,
                   ", \"first\": ", arguments.first, ", \"seconds\": ", progress.seconds(), "}");
  PrintResult(arguments, json);
  return tally.is_clean() ? 0 : 1;
}

}  // namespace
}  // namespace pawl::inline v0

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
