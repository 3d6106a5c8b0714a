#include "crash.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "../console/log_directory.h"
#include "../console/progress_line.h"
#include "../console/text.h"
#include "crash_oracle.h"
#include "crash_prover.h"
#include "crash_victim.h"

namespace bank {
namespace {

using Clock = std::chrono::steady_clock;

// A log is used for so many kills, then a fresh one: proving reads it from its start.
constexpr std::uint64_t kCyclesPerLog = 25;
// The kill comes this long after the first commands flow; every order of magnitude equally often.
constexpr double kDelayMinSeconds = 10e-6;
constexpr double kDelayMaxSeconds = 20e-3;
constexpr std::chrono::seconds kPatience{60};  // for a child that gets nowhere

// Runs `body` in a child; its result is the exit status. The child dies with its parent.
template <class F>
pid_t Fork(F&& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const bool is_good = body();
  std::fflush(nullptr);
  std::_Exit(is_good ? EXIT_SUCCESS : EXIT_FAILURE);
}

absl::Status WaitForFirstCommand(const CrashOracle& oracle, pid_t victim) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  // Acquire: pairs with the victim's release.
  while (oracle.sent.load(std::memory_order_acquire) == 0) {
    if (waitpid(victim, nullptr, WNOHANG) != 0) {
      return absl::InternalError("the victim ended before it was killed");
    }
    if (Clock::now() > deadline) return absl::DeadlineExceededError("the victim sends nothing");
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return absl::OkStatus();
}

absl::Status KillInMidRun(CrashOracle& oracle, const std::string& directory,
                          std::mt19937_64& random) {
  // Relaxed: the victim does not exist yet, and fork() orders.
  oracle.sent.store(0, std::memory_order_relaxed);
  oracle.answered.store(0, std::memory_order_relaxed);
  const std::uint64_t seed = random();
  const pid_t victim = Fork([&] {
    BeVictim(oracle, directory, seed);
    return false;
  });
  if (victim < 0) return absl::UnavailableError("no child could be started");
  absl::Status flowing = WaitForFirstCommand(oracle, victim);
  if (flowing.ok()) {
    const double draw = std::uniform_real_distribution<double>(0, 1)(random);
    const double delay = kDelayMinSeconds * std::pow(kDelayMaxSeconds / kDelayMinSeconds, draw);
    std::this_thread::sleep_for(std::chrono::duration<double>(delay));
  }
  kill(victim, SIGKILL);
  int status = 0;
  if (waitpid(victim, &status, 0) == victim && !WIFSIGNALED(status)) {
    return absl::InternalError("the victim ended before it was killed");
  }
  if (!flowing.ok()) return flowing;
  // Acquire: pairs with the victim's release; it is dead by now.
  if (oracle.sent.load(std::memory_order_acquire) >
      oracle.answered.load(std::memory_order_acquire)) {
    ++oracle.findings.kills_in_flight;
  }
  return absl::OkStatus();
}

absl::Status ProveInChild(CrashOracle& oracle, const std::string& directory, bool is_last) {
  const pid_t prover = Fork([&] { return Prove(oracle, directory, is_last); });
  if (prover < 0) return absl::UnavailableError("no child could be started");
  int status = 0;
  waitpid(prover, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) return absl::OkStatus();
  return absl::InternalError(WIFSIGNALED(status)
                                 ? absl::StrCat("the prover died of signal ", WTERMSIG(status))
                                 : "the prover could not open or read the bank; it said why above");
}

void AddUp(const CrashOracle& oracle, CrashResult& result) {
  const CrashResult& found = oracle.findings;
  result.kills_in_flight += found.kills_in_flight;
  // Acquire: pairs with the victims' release; they are dead.
  result.acknowledged += oracle.acknowledged.load(std::memory_order_acquire);
  result.unacked_present += found.unacked_present;
  result.lost += found.lost;
  result.duplicated += found.duplicated;
  result.unexpected += found.unexpected;
  result.wrong_receipts += found.wrong_receipts;
  result.wrong_balances += found.wrong_balances;
}

// Says that a command behind the last one was accepted, far behind the end of the log.
void Forge(CrashOracle& oracle) {
  std::uint64_t sequence = 1;
  // Acquire and release as everywhere in the oracle; the victim is dead.
  while (oracle.At(sequence).stage.load(std::memory_order_acquire) != Stage::kNone) ++sequence;
  OracleEntry& entry = oracle.At(sequence);
  entry.verdict = pawl::Accept();
  entry.receipt.position = pawl::Position(std::uint64_t{1} << 40);
  entry.stage.store(Stage::kAnswered, std::memory_order_release);
}

// All cycles, log by log.
class CrashRun {
 public:
  CrashRun(std::uint64_t cycles, std::uint64_t seed, bool is_forged, const std::atomic<bool>& stop)
      : cycles_(cycles), must_forge_(is_forged), stop_(stop), random_(seed) {
    result_.seed = seed;
  }

  absl::StatusOr<CrashResult> Run() {
    const Clock::time_point start = Clock::now();
    while (result_.cycles < cycles_ && !IsStopped()) {
      const absl::Status status = RunOnOneLog();
      if (!status.ok()) {
        return absl::Status(status.code(), absl::StrCat("cycle ", result_.cycles + 1, ", seed ",
                                                        result_.seed, ": ", status.message()));
      }
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return result_;
  }

 private:
  // Relaxed: it says only that the user wants no more.
  bool IsStopped() const { return stop_.load(std::memory_order_relaxed); }

  // Kills and reopens one log, up to kCyclesPerLog times.
  absl::Status RunOnOneLog() {
    auto directory = console::LogDirectory::Make("", "bank-crash");
    if (!directory.ok()) return directory.status();
    const std::unique_ptr<CrashOracle, void (*)(CrashOracle*)> oracle(CrashOracle::Map(),
                                                                      &CrashOracle::Unmap);
    if (oracle == nullptr) return absl::ResourceExhaustedError("no memory for the oracle");
    const std::uint64_t last = std::min(cycles_, result_.cycles + kCyclesPerLog);
    absl::Status status;
    bool is_last = false;
    while (status.ok() && !is_last) {
      status = KillInMidRun(*oracle, directory->path(), random_);
      if (!status.ok()) break;
      if (std::exchange(must_forge_, false)) Forge(*oracle);
      is_last = result_.cycles + 1 == last || IsStopped();
      status = ProveInChild(*oracle, directory->path(), is_last);
      if (status.ok()) progress_.Show(++result_.cycles, cycles_, "kills survived");
    }
    AddUp(*oracle, result_);
    if (!status.ok() || !result_.is_sound()) {
      directory->Keep();
      std::fprintf(stderr, "bank: the log is kept in %s\n", directory->path().c_str());
    }
    return status;
  }

  const std::uint64_t cycles_;
  bool must_forge_;
  const std::atomic<bool>& stop_;
  std::mt19937_64 random_;
  CrashResult result_;
  console::ProgressLine progress_;
};

}  // namespace

bool CrashResult::is_sound() const {
  return lost + duplicated + unexpected + wrong_receipts + wrong_balances == 0;
}

bool CrashResult::is_good() const {
  // A few kills may come in a quiet moment; a test whose kills do is no test.
  const bool is_telling = kills_in_flight + 1 >= cycles * 95 / 100;
  return is_sound() && is_telling && cycles > 0;
}

absl::StatusOr<CrashResult> RunCrashCycles(std::uint64_t cycles, std::uint64_t seed, bool is_forged,
                                           const std::atomic<bool>& stop) {
  std::fprintf(stderr, "bank: %llu kills, seed %llu\n", static_cast<unsigned long long>(cycles),
               static_cast<unsigned long long>(seed));
  return CrashRun(cycles, seed, is_forged, stop).Run();
}

std::string CrashTable(const CrashResult& r) {
  const auto number = [](std::uint64_t value) { return console::WithCommas(value); };
  console::Table table;
  table
      .Row("kills with SIGKILL",
           number(r.cycles) + ", " + number(r.kills_in_flight) + " of them with commands under way")
      .Row("acknowledged commands", number(r.acknowledged))
      .Row("in the log, though the answer was killed", number(r.unacked_present) + " (allowed)")
      .Gap()
      .Row("lost", number(r.lost))
      .Row("executed twice", number(r.duplicated))
      .Row("in the log, though nobody sent them", number(r.unexpected))
      .Row("wrong receipts, also of resends", number(r.wrong_receipts))
      .Row("wrong balances", number(r.wrong_balances))
      .Row("verdict", r.is_good() ? "every acknowledged command is there, once" : "FAILED");
  return table.Text();
}

std::string CrashJson(const CrashResult& r) {
  console::JsonObject json;
  json.Add("cycles", r.cycles)
      .Add("kills_in_flight", r.kills_in_flight)
      .Add("acknowledged", r.acknowledged)
      .Add("unacked_present", r.unacked_present)
      .Add("lost", r.lost)
      .Add("duplicated", r.duplicated)
      .Add("unexpected", r.unexpected)
      .Add("wrong_receipts", r.wrong_receipts)
      .Add("wrong_balances", r.wrong_balances)
      .Add("seed", r.seed)
      .Add("seconds", r.seconds);
  return json.Text();
}

}  // namespace bank
