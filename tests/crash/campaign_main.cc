// pawl_campaign power-cuts: cuts the power of a simulated machine under the log, again and again,
// and judges every recovery by a history kept outside of it. See --help.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "compiled_fault.h"
#include "planted.h"
#include "power_cuts.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_campaign power-cuts [--count N] [--seed S] [--first K] [--threads T] [--json]\n"
    "                                [--exhaustive N] [--steps N] [--planted NAME]\n"
    "       pawl_campaign --list-planted\n"
    "\n"
    "  --count N       states to enumerate (default 10000)\n"
    "  --seed S        of everything drawn (default 1, or PAWL_SEED)\n"
    "  --first K       number of the first state; a failure prints the line that repeats it\n"
    "  --threads T     workers (default: 2); the result does not depend on it\n"
    "  --exhaustive N  small cases of which every subset is tried (default 32; 0 with --first)\n"
    "  --steps N       cuts every workload short: a smaller case for a failure\n"
    "  --planted NAME  plants a fault; exits 0 only if the campaign finds it\n"
    "  --json          one object on standard output\n";

// A campaign of this size meets every path; a smaller one may not.
constexpr std::uint64_t kAllPathsStates = 5000;

struct Arguments : CampaignArguments {
  PowerCutOptions cuts;
  std::uint64_t exhaustive = 32;
  std::string planted;
  bool has_exhaustive = false;
};

// The case that this thread runs, for the message of a check that fails within the engine.
thread_local std::uint64_t current_state = 0;
std::uint64_t current_seed = 0;
bool is_fault_planted = false;

// A check within the engine that fails is a failure too, and a planted fault that was found.
extern "C" void OnAbort(int) {
  char text[160];
  const int length = std::snprintf(
      text, sizeof text,
      "FAILURE the engine aborted\n  repeat: tools/campaign power-cuts "
      "--seed %llu --first %llu --count %llu\n",
      static_cast<unsigned long long>(current_seed), static_cast<unsigned long long>(current_state),
      static_cast<unsigned long long>(kStatesPerCase));
  if (length > 0) {
    static_cast<void>(!::write(STDERR_FILENO, text, static_cast<std::size_t>(length)));
  }
  if (is_fault_planted) ::_exit(0);
  std::signal(SIGABRT, SIG_DFL);
}

class Campaign {
 public:
  explicit Campaign(const Arguments& arguments) : arguments_(arguments) {}

  Tally Run();

 private:
  void Worker(Tally& total);
  void Report(std::uint64_t state, const std::string& what);

  const Arguments& arguments_;
  // Next case, also those of the exhaustive part, which come first. Relaxed: only a ticket.
  std::atomic<std::uint64_t> next_{0};
  std::mutex mutex_;
  std::uint64_t printed_ = 0;            // under mutex_
  CampaignProgress progress_{"states"};  // under mutex_
};

void Campaign::Report(std::uint64_t state, const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (++printed_ > kPrintedMax) return;
  std::fprintf(
      stderr,
      "FAILURE %s\n  repeat: tools/campaign power-cuts --seed %llu --first %llu --count %llu\n",
      what.c_str(), static_cast<unsigned long long>(arguments_.seed),
      static_cast<unsigned long long>(state), static_cast<unsigned long long>(kStatesPerCase));
}

void Campaign::Worker(Tally& total) {
  const std::uint64_t first_case = arguments_.first / kStatesPerCase;
  const std::uint64_t end = arguments_.first + arguments_.count;
  for (;;) {
    // Relaxed: a ticket; what it numbers is made from the seed.
    const std::uint64_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
    Tally tally;
    const bool is_exhaustive = ticket < arguments_.exhaustive;
    const std::uint64_t number =
        is_exhaustive ? ticket : first_case + ticket - arguments_.exhaustive;
    const std::uint64_t start = number * kStatesPerCase;
    if (!is_exhaustive && start >= end) return;
    current_state = is_exhaustive ? 0 : start;
    PowerCuts cuts(arguments_.cuts, &tally,
                   [&](const std::string& what) { Report(current_state, what); });
    if (is_exhaustive) {
      cuts.RunExhaustive(number);
    } else {
      cuts.RunCase(number, arguments_.first > start ? arguments_.first - start : 0,
                   std::min(end - start, kStatesPerCase));
    }
    const std::lock_guard lock(mutex_);
    total.Add(tally);
    progress_.Show(total.states, arguments_.count, total.is_clean());
    // A planted fault was found: relaxed, no ticket is left for the others.
    if (is_fault_planted && !total.is_clean()) {
      next_.store(end + arguments_.exhaustive, std::memory_order_relaxed);
    }
  }
}

Tally Campaign::Run() {
  Tally total;
  std::vector<std::thread> workers;
  for (std::uint64_t i = 0; i < arguments_.threads; ++i) {
    workers.emplace_back([&] { Worker(total); });
  }
  for (std::thread& worker : workers) worker.join();
  return total;
}

// Rare paths that a large campaign must have met.
std::string UnmetPaths(const Tally& tally) {
  std::string unmet;
  for (const char* path :
       {"torn_tail_cut", "hot_images_used", "clean_reopen", "several_segments", "caught_in_open",
        "caught_at_work", "exhaustive_operation", "recovery_failed_by_disk", "buffered_writes",
        "memory_forbidden", "memory_full", "no_boot_id"}) {
    if (!tally.met.contains(path)) absl::StrAppend(&unmet, unmet.empty() ? "" : ", ", path);
  }
  return unmet;
}

void TakeOption(CampaignCommandLine& line, Arguments& arguments) {
  if (line.TakeCommon(arguments)) return;
  if (line.option() == "--exhaustive") {
    arguments.exhaustive = line.Number();
    arguments.has_exhaustive = true;
  } else if (line.option() == "--steps") {
    arguments.cuts.steps_limit = static_cast<std::uint32_t>(line.Number());
  } else if (line.option() == "--planted") {
    arguments.planted = line.Text();
  } else {
    line.RefuseOption();
  }
}

int ListPlanted() {
  for (const Planted& fault : PlantedFaults()) {
    std::printf("%-24s %s\n", std::string(fault.name).c_str(), std::string(fault.what).c_str());
  }
  std::puts("\nnot planted, since this way of writing has no place for them:");
  for (const Planted& fault : FaultsWithoutPlace()) {
    std::printf("%-24s %s\n", std::string(fault.name).c_str(), std::string(fault.what).c_str());
  }
  return 0;
}

// Becomes the program that has the fault compiled in.
[[noreturn]] void RunCompiled(const CampaignCommandLine& line, std::string_view fault,
                              char** argv) {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  PAWL_CHECK(length > 0);
  std::string program(path, static_cast<std::size_t>(length));
  program += "_" + std::string(fault);
  ::execv(program.c_str(), argv);
  line.Refuse(absl::StrCat("cannot run ", program, ": ", std::strerror(errno)));
}

void Plant(const CampaignCommandLine& line, Arguments& arguments, char** argv) {
  for (const Planted& fault : PlantedFaults()) {
    if (fault.name != arguments.planted) continue;
    if (fault.plant != nullptr) {
      fault.plant(arguments.cuts);
    } else if (kCompiledFault != fault.name) {
      RunCompiled(line, fault.name, argv);
    }
    return;
  }
  line.Refuse(absl::StrCat("no planted fault is called ", arguments.planted));
}

// One failing case that is repeated alone is made smaller.
void ShrinkCase(const Arguments& arguments) {
  const std::uint64_t number = arguments.first / kStatesPerCase;
  const std::uint32_t steps = PowerCuts::Shrink(arguments.cuts, number);
  std::fprintf(stderr, "fails with --steps %u too: the smallest workload that does\n", steps);
}

int Finish(const Arguments& arguments, const Tally& tally, double seconds) {
  const std::string unmet =
      arguments.first == 0 && arguments.count >= kAllPathsStates ? UnmetPaths(tally) : "";
  if (!unmet.empty()) std::fprintf(stderr, "paths never met: %s\n", unmet.c_str());
  const std::string json =
      absl::StrCat(tally.ToJson(), ", \"seed\": ", arguments.cuts.seed,
                   ", \"first\": ", arguments.first, ", \"seconds\": ", seconds, "}");
  PrintResult(arguments, json);
  if (!tally.is_clean() && arguments.count <= kStatesPerCase &&
      arguments.cuts.steps_limit == PowerCutOptions{}.steps_limit) {
    ShrinkCase(arguments);
  }
  if (!arguments.planted.empty()) return EndPlanted(arguments.planted, tally.is_clean());
  return tally.is_clean() && unmet.empty() && tally.states == arguments.count ? 0 : 1;
}

int Main(int argc, char** argv) {
  CampaignCommandLine line(argc, argv, "pawl_campaign", kUsage);
  if (!line.Next()) line.Refuse("say what to do");
  if (line.option() == "--list-planted") return ListPlanted();
  if (line.option() != "power-cuts") line.RefuseOption();
  Arguments arguments;
  arguments.count = 10'000;
  arguments.seed = SeedFromEnvironment(line);
  while (line.Next()) TakeOption(line, arguments);
  arguments.cuts.seed = arguments.seed;
  if (arguments.first > 0 && !arguments.has_exhaustive) arguments.exhaustive = 0;
  if (!arguments.planted.empty()) Plant(line, arguments, argv);
  current_seed = arguments.cuts.seed;
  is_fault_planted = !arguments.planted.empty();
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(current_seed));
  std::signal(SIGABRT, OnAbort);
  const CampaignProgress progress("states");
  const Tally tally = Campaign(arguments).Run();
  return Finish(arguments, tally, progress.seconds());
}

}  // namespace
}  // namespace pawl::inline v0

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
