// pawl_campaign_failures: fails every call of the storage interface in turn, and judges what the
// log makes of it. See --help.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "campaign_report.h"
#include "failure_cases.h"

namespace pawl::inline v0 {
namespace {

constexpr char kUsage[] =
    "usage: pawl_campaign_failures failures [--count N] [--first K] [--json]\n"
    "\n"
    "Fails the k-th call of the storage interface, every k, reads and look-ups too: once and for\n"
    "good; with an I/O error, no space, no permission; the call done not at all, in part, or "
    "whole.\n"
    "From a new log (open, append, roll, retire, close, open), and within the recovery of a "
    "killed\n"
    "process's and of a power cut's log. Nothing is drawn: --seed changes nothing.\n"
    "\n"
    "  --count N  cases to run (default: all from --first on)\n"
    "  --first K  number of the first; a failure prints its own\n"
    "  --json     one object on standard output\n";

std::uint64_t current_case = 0;

// A check within the engine that fails is a failure of the case.
extern "C" void OnAbort(int) {
  char text[120];
  const int length = std::snprintf(text, sizeof text,
                                   "FAILURE the engine aborted\n  repeat: tools/campaign failures "
                                   "--first %llu --count 1\n",
                                   static_cast<unsigned long long>(current_case));
  if (length > 0) {
    static_cast<void>(!::write(STDERR_FILENO, text, static_cast<std::size_t>(length)));
  }
  std::signal(SIGABRT, SIG_DFL);
}

FailureTally RunAll(const FailureCases& cases, const CampaignArguments& arguments) {
  FailureTally tally;
  std::uint64_t printed = 0;
  for (std::uint64_t i = 0; i < arguments.count; ++i) {
    current_case = arguments.first + i;
    const std::string broken = cases.Run(current_case, tally);
    if (broken.empty() || ++printed > kPrintedMax) continue;
    std::fprintf(stderr, "FAILURE %s\n  repeat: tools/campaign failures --first %llu --count 1\n",
                 broken.c_str(), static_cast<unsigned long long>(current_case));
  }
  return tally;
}

int Main(int argc, char** argv) {
  CampaignCommandLine line(argc, argv, "pawl_campaign_failures", kUsage);
  if (!line.Next()) line.Refuse("say what to do");
  if (line.option() != "failures") line.RefuseOption();
  CampaignArguments arguments;
  arguments.count = ~std::uint64_t{0};
  while (line.Next()) {
    if (!line.TakeCommon(arguments)) line.RefuseOption();
  }
  std::signal(SIGABRT, OnAbort);
  const FailureCases cases;
  for (const FailureStart& start : cases.starts()) {
    std::fprintf(stderr, "%s: %llu calls\n", start.name.c_str(),
                 static_cast<unsigned long long>(start.calls));
  }
  std::fprintf(stderr, "%llu cases in all\n", static_cast<unsigned long long>(cases.size()));
  if (arguments.first >= cases.size()) line.Refuse("--first is behind the last case");
  arguments.count = std::min(arguments.count, cases.size() - arguments.first);
  const CampaignProgress progress("cases");
  const FailureTally tally = RunAll(cases, arguments);
  const std::string json = absl::StrCat(tally.ToJson(), ", \"all\": ", cases.size(),
                                        ", \"seed\": 0, \"first\": ", arguments.first,
                                        ", \"seconds\": ", progress.seconds(), "}");
  PrintResult(arguments, json);
  return tally.is_clean() ? 0 : 1;
}

}  // namespace
}  // namespace pawl::inline v0

int main(int argc, char** argv) { return pawl::Main(argc, argv); }
