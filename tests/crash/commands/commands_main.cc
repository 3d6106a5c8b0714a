// pawl_commands commands: random commands of several producers through an engine that is killed,
// cut and stopped again and again, compared with a model one by one. See --help.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "command_lives.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_commands commands [--count N] [--seed S] [--first K] [--threads T] [--json]\n"
    "\n"
    "Each case is a log with six lives of an engine on a simulated machine: commands of seven\n"
    "producers on both lanes, conditions, resends, keys, timers, aggregates closed, sessions\n"
    "taken over and closed, limits; a life ends by a power cut, the death of the process or a\n"
    "stop.\n"
    "\n"
    "  --count N    commands, about: cases are run until so many were sent (default 100000)\n"
    "  --seed S     of everything drawn (default 1, or PAWL_SEED)\n"
    "  --first K    number of the first case; a failure prints the line that repeats it\n"
    "  --threads T  workers (default 2); a case does not depend on it, how many there are does\n"
    "  --json       one object on standard output\n";

// A campaign of this size meets everything that the domain offers.
constexpr std::uint64_t kAllMetCommands = 50'000;

// For the message of a check that fails within the engine.
thread_local std::uint64_t current_case = 0;
std::uint64_t current_seed = 0;

extern "C" void OnAbort(int) {
  char text[160];
  const int length = std::snprintf(text, sizeof text,
                                   "FAILURE the engine aborted\n  repeat: tools/campaign commands "
                                   "--seed %llu --first %llu --count 1\n",
                                   static_cast<unsigned long long>(current_seed),
                                   static_cast<unsigned long long>(current_case));
  if (length > 0) {
    static_cast<void>(!::write(STDERR_FILENO, text, static_cast<std::size_t>(length)));
  }
  std::signal(SIGABRT, SIG_DFL);
}

class Campaign {
 public:
  explicit Campaign(const CampaignArguments& arguments)
      : arguments_(arguments), next_(arguments.first) {}

  CommandTally Run();

 private:
  void Worker();
  // Adds a case.
  //   returns   true: more are wanted; not when one after the other fails
  bool Add(std::uint64_t number, const CommandTally& tally, const std::string& difference);

  const CampaignArguments& arguments_;
  std::atomic<std::uint64_t> next_;  // case
  std::mutex mutex_;
  CommandTally total_;                     // under mutex_
  std::uint64_t printed_ = 0;              // under mutex_
  CampaignProgress progress_{"commands"};  // under mutex_
};

bool Campaign::Add(std::uint64_t number, const CommandTally& tally, const std::string& difference) {
  const std::lock_guard lock(mutex_);
  total_.Add(tally);
  if (!difference.empty() && ++printed_ <= kPrintedMax) {
    std::fprintf(stderr,
                 "FAILURE case %llu, %s\n  repeat: tools/campaign commands --seed %llu --first "
                 "%llu --count 1\n",
                 static_cast<unsigned long long>(number), difference.c_str(),
                 static_cast<unsigned long long>(arguments_.seed),
                 static_cast<unsigned long long>(number));
  }
  progress_.Show(total_.commands, arguments_.count, total_.differences == 0);
  return total_.commands < arguments_.count && total_.differences < kPrintedMax;
}

void Campaign::Worker() {
  for (bool is_more = true; is_more;) {
    // Relaxed: a ticket; what it numbers is made from the seed.
    current_case = next_.fetch_add(1, std::memory_order_relaxed);
    CommandTally tally;
    const std::string difference = CommandLives(arguments_.seed, current_case, tally).Run();
    is_more = Add(current_case, tally, difference);
  }
}

CommandTally Campaign::Run() {
  std::vector<std::thread> workers;
  for (std::uint64_t i = 0; i < arguments_.threads; ++i) workers.emplace_back([&] { Worker(); });
  for (std::thread& worker : workers) worker.join();
  return total_;
}

int Main(int argc, char** argv) {
  CampaignCommandLine line(argc, argv, "pawl_commands", kUsage);
  if (!line.Next()) line.Refuse("say what to do");
  if (line.option() != "commands") line.RefuseOption();
  CampaignArguments arguments;
  arguments.count = 100'000;
  arguments.seed = SeedFromEnvironment(line);
  while (line.Next()) {
    if (!line.TakeCommon(arguments)) line.RefuseOption();
  }
  current_seed = arguments.seed;
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(arguments.seed));
  std::signal(SIGABRT, OnAbort);
  const CampaignProgress progress("commands");
  const CommandTally tally = Campaign(arguments).Run();
  const std::string unmet = arguments.count >= kAllMetCommands ? tally.Unmet() : "";
  if (!unmet.empty()) std::fprintf(stderr, "never met: %s\n", unmet.c_str());
  PrintResult(arguments, absl::StrCat(tally.ToJson(), ", \"seed\": ", arguments.seed,
                                      ", \"first\": ", arguments.first,
                                      ", \"seconds\": ", progress.seconds(), "}"));
  return tally.differences == 0 && unmet.empty() ? 0 : 1;
}

}  // namespace
}  // namespace pawl::inline v0

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
