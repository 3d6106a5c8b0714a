// A bank on Pawl. bank.h is the application; run.cc opens the engine and drives it; crash.cc kills
// it. Start reading there.
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <string>

#include "../console/log_directory.h"
#include "crash.h"
#include "options.h"
#include "report.h"
#include "run.h"

namespace {

constexpr int kGood = 0;
constexpr int kCheckFailed = 1;
constexpr int kNotStarted = 2;
constexpr int kInterrupted = 130;  // as shells say it

// Written by the signal handler, read by the tellers; becomes true once.
std::atomic<bool> stop{false};

// Relaxed: it says only "no more", and nothing else is read on the strength of it.
void OnInterrupt(int) { stop.store(true, std::memory_order_relaxed); }

// Table and JSON: one of them on standard output.
void Print(bool is_json, const std::string& table, const std::string& json) {
  std::fprintf(is_json ? stderr : stdout, "%s", table.c_str());
  if (is_json) std::printf("%s\n", json.c_str());
}

int Fail(int exit_status, const absl::Status& status) {
  std::fprintf(stderr, "bank: %s\n", status.ToString().c_str());
  return exit_status;
}

int RunBank(const bank::Options& options) {
  auto directory = console::LogDirectory::Make(options.directory, "bank");
  if (!directory.ok()) return Fail(kNotStarted, directory.status());
  std::fprintf(stderr, "bank: log in %s%s, seed %llu\n", directory->path().c_str(),
               directory->is_temporary() ? " (temporary, removed at the end)" : "",
               static_cast<unsigned long long>(options.seed));
  const auto result = bank::Run(options, directory->path(), stop);
  if (!result.ok()) return Fail(kNotStarted, result.status());
  Print(options.is_json, bank::ReportTable(options, *result), bank::ReportJson(options, *result));
  if (result->is_good()) return result->is_interrupted ? kInterrupted : kGood;
  directory->Keep();
  std::fprintf(stderr, "bank: a check failed; the log is kept in %s\n", directory->path().c_str());
  return kCheckFailed;
}

int RunCrash(const bank::Options& options) {
  const auto result = bank::RunCrashCycles(options.cycles, options.seed, options.is_forged, stop);
  if (!result.ok()) return Fail(kNotStarted, result.status());
  Print(options.is_json, bank::CrashTable(*result), bank::CrashJson(*result));
  return result->is_good() ? kGood : kCheckFailed;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = bank::ParseOptions(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "bank: %s\nbank: see bank --help\n",
                 std::string(options.status().message()).c_str());
    return kNotStarted;
  }
  if (options->is_help) {
    std::printf("%s", bank::kUsage);
    return kGood;
  }
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // a second Ctrl-C ends it at once
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);

  return options->is_crash ? RunCrash(*options) : RunBank(*options);
}
