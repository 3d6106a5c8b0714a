// pawl_steps: kills a victim at every boundary between two of its instructions, and judges every
// recovery by what is known outside of it. See --help.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "pawl/check.h"
#include "step_run.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_steps steps [--count N] [--seed S] [--json] [--scenario log|engine] [--root DIR]\n"
    "                        [--phase NAME [--first K]] [--planted NAME]\n"
    "       pawl_steps --list-planted\n"
    "\n"
    "  --count N       instruction boundaries to judge (default 0: all of one seed). Fewer than a\n"
    "                  scenario has: the beginning of each phase, and a window drawn from the\n"
    "                  seed; more: the seeds behind S too\n"
    "  --seed S        of everything drawn (default 1, or PAWL_SEED)\n"
    "  --scenario X    only memlog by itself, or only the whole engine\n"
    "  --phase NAME    only this phase, --count steps from its step K on (default 0)\n"
    "  --root DIR      a folder on a memory file system (default /dev/shm)\n"
    "  --planted NAME  plants a fault; exits 0 only if the campaign finds it, at the first find\n"
    "  --json          one object on standard output\n"
    "\n"
    "Exit status 77: this machine does not let a process trace its children.\n";

struct Arguments : CampaignArguments {
  std::string scenario;
  std::string planted;
  std::string root = "/dev/shm";
  StepWindow window;
};

// For the message of a check that fails within the engine, here or in the victim.
const StepRun* current_run = nullptr;
bool is_fault_planted = false;

// A check within the engine that fails while it recovers a copy.
extern "C" void OnAbort(int) {
  std::fprintf(stderr, "FAILURE the engine aborted in recovery\n  repeat: %s\n",
               current_run != nullptr ? current_run->RepeatLine().c_str() : "");
  std::_Exit(is_fault_planted ? 0 : 1);
}

// Goes away with what is in it.
class Folder {
 public:
  explicit Folder(const std::string& parent) : path_(parent + "/pawl-steps-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
      std::fprintf(stderr, "pawl_steps: %s: %s\n", path_.c_str(), std::strerror(errno));
      std::exit(2);
    }
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;  // what stays behind harms no campaign
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

class StepsCampaign {
 public:
  explicit StepsCampaign(const Arguments& arguments)
      : arguments_(arguments), folder_(arguments.root) {}

  void Run();
  const StepTally& tally() const noexcept { return tally_; }
  const ProgramText* text() const noexcept { return text_.get(); }

 private:
  void RunSeed(std::uint64_t seed);
  void RunScenario(const Scenario& scenario, std::uint32_t first_phase, std::uint64_t seed);
  StepWindow WindowNow() const;
  bool IsOver() const;
  void Report(const StepRun& run, const std::string& what);

  const Arguments& arguments_;
  const Folder folder_;
  StepTally tally_;
  std::shared_ptr<ProgramText> text_;
  std::uint64_t printed_ = 0;
};

bool StepsCampaign::IsOver() const {
  if (!arguments_.planted.empty() && tally_.failures() > 0) return true;
  return arguments_.count > 0 && tally_.steps >= arguments_.count;
}

// Steps are dealt out evenly to the phases; what short ones leave is for the next seed.
StepWindow StepsCampaign::WindowNow() const {
  StepWindow window = arguments_.window;
  if (arguments_.count == 0) return window;
  window.per_phase = arguments_.count - tally_.steps;
  if (!window.phase.empty()) return window;
  window.is_sampled = true;
  std::uint64_t phases = 0;
  for (const Scenario* scenario : {&kLogScenario, &kEngineScenario}) {
    if (arguments_.scenario.empty() || arguments_.scenario == scenario->name) {
      phases += scenario->phases.size();
    }
  }
  window.per_phase = std::max<std::uint64_t>(2, window.per_phase / phases);
  return window;
}

void StepsCampaign::RunScenario(const Scenario& scenario, std::uint32_t first_phase,
                                std::uint64_t seed) {
  if (!arguments_.scenario.empty() && arguments_.scenario != scenario.name) return;
  const StepRunOptions options{.seed = seed,
                               .planted = arguments_.planted,
                               .root = folder_.path(),
                               .window = WindowNow(),
                               .ends_at_failure = !arguments_.planted.empty(),
                               .is_order_ignored = PAWL_UNCHECKED};
  StepRun run(scenario, first_phase, options, &tally_,
              [&](Finding, const std::string& what) { Report(*current_run, what); });
  current_run = &run;
  run.Run();
  current_run = nullptr;
  if (run.text() != nullptr) text_ = run.text();
}

void StepsCampaign::RunSeed(std::uint64_t seed) {
  RunScenario(kLogScenario, 0, seed);
  if (IsOver()) return;
  RunScenario(kEngineScenario, static_cast<std::uint32_t>(kLogScenario.phases.size()), seed);
}

void StepsCampaign::Run() {
  for (std::uint64_t seed = arguments_.seed;; ++seed) {
    const std::uint64_t before = tally_.steps;
    RunSeed(seed);
    std::fprintf(stderr, "seed %llu: %llu steps, %llu judged, %llu failures\n",
                 static_cast<unsigned long long>(seed),
                 static_cast<unsigned long long>(tally_.steps),
                 static_cast<unsigned long long>(tally_.judged),
                 static_cast<unsigned long long>(tally_.failures()));
    const bool is_single = arguments_.count == 0 || !arguments_.window.phase.empty();
    if (is_single || IsOver() || tally_.steps == before) return;
  }
}

void StepsCampaign::Report(const StepRun& run, const std::string& what) {
  if (++printed_ > kPrintedMax) return;
  std::fprintf(stderr, "FAILURE %s\n  repeat: %s\n", what.c_str(), run.RepeatLine().c_str());
}

void TakeOption(CampaignCommandLine& line, Arguments& arguments) {
  if (line.TakeCommon(arguments)) return;
  if (line.option() == "--scenario") {
    arguments.scenario = line.Text();
  } else if (line.option() == "--phase") {
    arguments.window.phase = line.Text();
  } else if (line.option() == "--root") {
    arguments.root = line.Text();
  } else if (line.option() == "--planted") {
    arguments.planted = line.Text();
  } else {
    line.RefuseOption();
  }
}

bool IsPhase(std::string_view name) {
  for (const Scenario* scenario : {&kLogScenario, &kEngineScenario}) {
    const auto& phases = scenario->phases;
    if (std::find(phases.begin(), phases.end(), name) != phases.end()) return true;
  }
  return false;
}

// Becomes the program that checks no checksums.
[[noreturn]] void RunUnchecked(const CampaignCommandLine& line, char** argv) {
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").string() + "_unchecked";
  ::execv(program.c_str(), argv);
  line.Refuse(absl::StrCat("cannot run ", program, ": ", std::strerror(errno)));
}

void Check(const CampaignCommandLine& line, const Arguments& arguments, char** argv) {
  const std::string& scenario = arguments.scenario;
  if (!scenario.empty() && scenario != kLogScenario.name && scenario != kEngineScenario.name) {
    line.Refuse(absl::StrCat("no scenario is called ", scenario));
  }
  const std::string& phase = arguments.window.phase;
  if (!phase.empty() && !IsPhase(phase)) line.Refuse(absl::StrCat("no phase is called ", phase));
  if (arguments.first > 0 && phase.empty()) line.Refuse("--first wants --phase");
  if (arguments.planted.empty()) return;
  for (const PlantedStep& fault : PlantedSteps()) {
    if (fault.name != arguments.planted) continue;
    if (fault.is_unchecked && !PAWL_UNCHECKED) RunUnchecked(line, argv);
    return;
  }
  line.Refuse(absl::StrCat("no planted fault is called ", arguments.planted));
}

int ListPlanted() {
  for (const PlantedStep& fault : PlantedSteps()) {
    std::printf("%-24s %s\n", std::string(fault.name).c_str(), std::string(fault.what).c_str());
  }
  return 0;
}

int Finish(const Arguments& arguments, const StepsCampaign& campaign, double seconds) {
  const StepTally& tally = campaign.tally();
  const std::string json =
      absl::StrCat(tally.ToJson(campaign.text()), ", \"seed\": ", arguments.seed,
                   ", \"first\": ", arguments.first, ", \"seconds\": ", seconds, "}");
  PrintResult(arguments, json);
  const bool is_clean = tally.failures() == 0;
  if (!arguments.planted.empty()) return EndPlanted(arguments.planted, is_clean);
  if (tally.steps < arguments.count || tally.steps == 0) {
    std::fprintf(stderr, "pawl_steps: the script ended before\n");
    return 1;
  }
  return is_clean ? 0 : 1;
}

int Main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--victim") LiveAsVictim(argc, argv);
  CampaignCommandLine line(argc, argv, "pawl_steps", kUsage);
  if (!line.Next()) line.Refuse("say what to do");
  if (line.option() == "--list-planted") return ListPlanted();
  if (line.option() != "steps") line.RefuseOption();
  Arguments arguments;
  arguments.seed = SeedFromEnvironment(line);
  while (line.Next()) TakeOption(line, arguments);
  arguments.window.first = arguments.first;
  Check(line, arguments, argv);
  is_fault_planted = !arguments.planted.empty();
  if (const std::string why = WhyNoTracing(); !why.empty()) {
    return SkipCampaign("pawl_steps", "no tracing here: " + why);
  }
  std::signal(SIGABRT, OnAbort);
  const CampaignProgress progress("steps");
  StepsCampaign campaign(arguments);
  campaign.Run();
  return Finish(arguments, campaign, progress.seconds());
}

}  // namespace
}  // namespace pawl::inline v0

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
