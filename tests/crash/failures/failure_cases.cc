#include "failure_cases.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "life.h"

namespace pawl::inline v0 {
namespace {

using Effect = FailurePlan::Effect;

constexpr std::uint32_t kSteps = 72;          // one and a half segments
constexpr std::uint32_t kRecoverySteps = 12;  // after a recovery
constexpr char kLogDirectory[] = "/disk/log";
constexpr char kMemoryRoot[] = "/dev/shm";

// What the operating system says: input/output error, no space, no permission.
constexpr std::array<absl::StatusCode, 3> kCodes = {absl::StatusCode::kUnknown,
                                                    absl::StatusCode::kResourceExhausted,
                                                    absl::StatusCode::kFailedPrecondition};
constexpr std::array<Effect, 3> kEffects = {Effect::kNothing, Effect::kPart, Effect::kDone};
constexpr std::uint64_t kPlansPerCall = kCodes.size() * kEffects.size() * 2;

FailurePlan PlanOf(std::uint64_t number) {
  FailurePlan plan;
  plan.is_sticky = number % 2 == 1;
  plan.code = kCodes[number / 2 % kCodes.size()];
  plan.effect = kEffects[number / 2 / kCodes.size() % kEffects.size()];
  plan.call = number / kPlansPerCall;
  return plan;
}

std::unique_ptr<SimStorage> NewMachine() {
  auto machine = std::make_unique<SimStorage>(SimOptions());
  Life::Prepare(*machine);
  return machine;
}

std::string NamesIn(SimStorage& machine, const char* directory) {
  std::string text;
  const absl::StatusOr<std::vector<std::string>> names = machine.List(directory);
  if (!names.ok()) return "";
  for (const std::string& name : *names) absl::StrAppend(&text, " ", name);
  return text;
}

// After a clean stop: the manifest, the evidence, segments and their indexes, bytes that were cut.
std::string Leaks(SimStorage& machine) {
  std::string leaks = NamesIn(machine, kMemoryRoot);
  const absl::StatusOr<std::vector<std::string>> names = machine.List(kLogDirectory);
  if (!names.ok()) return absl::StrCat(leaks, " ", names.status().ToString());
  for (const std::string& name : *names) {
    const bool is_known = name == "manifest" || name == "evidence" ||
                          absl::EndsWith(name, ".seg") || absl::EndsWith(name, ".idx") ||
                          absl::EndsWith(name, ".cut");
    if (!is_known) absl::StrAppend(&leaks, " ", name);
  }
  return leaks;
}

// One life on a disk that works: reads all, appends one commit, stops.
std::string LiveWell(SimStorage& machine, std::vector<std::uint64_t>& records,
                     std::vector<bool>& is_epoch) {
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(Life::Options(&machine));
  if (!log.ok()) return absl::StrCat("refused: ", log.status().ToString());
  const Judgement verdict = ReadAll((*log)->NewReader(), (*log)->published(), records, is_epoch);
  if (!verdict.is_good()) return absl::StrCat(NameOf(verdict.finding), ": ", verdict.what);
  LogWriter& writer = (*log)->writer();
  for (int i = 0; i < 64 && !writer.CanBeginCommit(); ++i) (*log)->PrepareWork();
  if (!writer.CanBeginCommit()) return "refused: no room for a commit";
  writer.BeginCommit();
  PAWL_CHECK(writer.AppendRecord({.type = 2, .stream = 2}, 0) != nullptr);
  writer.EndCommit({});
  writer.Publish();
  const absl::Status closed = (*log)->Close();
  return closed.ok() ? "" : absl::StrCat("refused: Close() ", closed.ToString());
}

// Opens the log on a disk that works: all that is owed must be there, the log goes on, and a clean
// stop leaves nothing behind.
std::string VerifyHealthy(SimStorage& machine, const LogHistory& given) {
  std::vector<std::uint64_t> before;
  std::vector<bool> is_epoch;
  if (std::string broken = LiveWell(machine, before, is_epoch); !broken.empty()) return broken;
  const std::uint64_t owed = std::max(given.owed.durable, given.owed.published);
  const Judgement verdict = Judge(given, owed, before, is_epoch);
  if (!verdict.is_good()) return absl::StrCat(NameOf(verdict.finding), ": ", verdict.what);
  std::vector<std::uint64_t> after;
  is_epoch.clear();
  if (std::string broken = LiveWell(machine, after, is_epoch); !broken.empty()) return broken;
  // The commit of the life before, and the epoch of this one.
  const bool is_kept =
      after.size() == before.size() + 2 && std::equal(before.begin(), before.end(), after.begin());
  if (!is_kept) return absl::StrCat("lost: ", before.size(), " records, then ", after.size());
  const std::string leaks = Leaks(machine);
  return leaks.empty() ? "" : absl::StrCat("leaked:", leaks);
}

// The machine as it is after the trouble: the process died, or the power went as well.
std::string VerifyAftermaths(const SimStorage& machine, const FrameBook& book) {
  RandomCut all(1, CutMode::kAll);
  const std::string broken = VerifyHealthy(*machine.Kill(all, 2), book.history());
  if (!broken.empty()) return absl::StrCat(broken, " (after the process died)");
  FrameBook durable = book;
  durable.LosePower();
  for (const CutMode mode : {CutMode::kNone, CutMode::kAll, CutMode::kCoin}) {
    RandomCut choices(3, mode);
    const std::string cut = VerifyHealthy(*machine.Cut(choices, 4), durable.history());
    if (!cut.empty()) return absl::StrCat(cut, " (after a power cut, ", NameOf(mode), ")");
  }
  return "";
}

// A machine caught within a course of lives, at the `count`-th operation that `is_place` takes.
template <class IsPlace>
FailureStart CaughtStart(const char* name, bool is_kill, int count, IsPlace is_place) {
  FailureStart start;
  start.name = name;
  start.steps = kRecoverySteps;
  const std::unique_ptr<SimStorage> machine = NewMachine();
  FrameBook book;
  machine->set_observer([&](const SimOp& op) {
    if (start.machine != nullptr || !is_place(op) || --count > 0) return;
    RandomCut choices(1, is_kill ? CutMode::kAll : CutMode::kCoin);
    start.machine = is_kill ? machine->Kill(choices, 2) : machine->Cut(choices, 2);
    start.book = book;
    if (!is_kill) start.book.LosePower();
  });
  FailingStorage storage(machine.get(), {}, [&](const std::byte* frame, std::uint32_t bytes) {
    book.Note(frame, bytes);
  });
  PAWL_CHECK(TroubledLife(&storage, machine.get(), &book).Run(kSteps, true).empty());
  machine->set_observer({});
  PAWL_CHECK(start.machine != nullptr);
  return start;
}

void Count(const std::string& broken, FailureTally& tally) {
  if (absl::StartsWith(broken, "lost"))
    ++tally.lost;
  else if (absl::StartsWith(broken, "refused"))
    ++tally.refused;
  else if (absl::StartsWith(broken, "accepted"))
    ++tally.accepted;
  else if (absl::StartsWith(broken, "wrong_status"))
    ++tally.wrong_status;
  else if (absl::StartsWith(broken, "leaked"))
    ++tally.leaked;
  else if (absl::StartsWith(broken, "violation"))
    ++tally.violations;
  else
    ++tally.wrong_reads;
}

}  // namespace

FailureCases::FailureCases() {
  starts_.push_back({.name = "new", .machine = NewMachine(), .book = {}, .steps = kSteps});
  starts_.push_back(CaughtStart("killed", true, 60,
                                [](const SimOp& op) { return op.kind == SimOpKind::kStoreFrame; }));
  starts_.push_back(CaughtStart("cut", false, 12, [](const SimOp& op) {
    return op.kind == SimOpKind::kWriteDurable && absl::EndsWith(op.path, ".seg");
  }));
  for (FailureStart& start : starts_) {
    FailureTally undisturbed;
    RandomCut all(1, CutMode::kAll);
    const std::unique_ptr<SimStorage> machine = start.machine->Kill(all, 2);
    FrameBook book = start.book;
    FailingStorage storage(machine.get(), {}, [&](const std::byte* frame, std::uint32_t bytes) {
      book.Note(frame, bytes);
    });
    TroubledLife life(&storage, machine.get(), &book);
    PAWL_CHECK(life.Run(start.steps, true).empty() && life.trouble().ok());
    start.calls = storage.calls();
    size_ += start.calls * kPlansPerCall;
  }
}

std::string FailureCases::RunPlan(const FailureStart& start, const FailurePlan& plan,
                                  FailureTally& tally) const {
  RandomCut all(1, CutMode::kAll);
  const std::unique_ptr<SimStorage> machine = start.machine->Kill(all, 2);
  FrameBook book = start.book;
  // A machine that does not tell its boot has no images of an earlier life: only what is durable
  // counts there.
  const bool may_hide_boot = plan.code == absl::StatusCode::kFailedPrecondition;
  FailingStorage storage(machine.get(), plan, [&](const std::byte* frame, std::uint32_t bytes) {
    book.Note(frame, bytes);
  });
  std::string broken;
  absl::Status trouble;
  {
    TroubledLife life(&storage, machine.get(), &book);
    broken = life.Run(start.steps, true);
    trouble = life.trouble();
  }
  ++tally.met[trouble.ok() ? "worked_around" : "gave_up"];
  if (may_hide_boot && absl::StartsWith(storage.failed(), "read_boot_id")) {
    ++tally.met["boot_hidden"];
    return "";
  }
  if (broken.empty() && !trouble.ok() && trouble.code() != plan.code) {
    broken = absl::StrCat("wrong_status: ", trouble.ToString());
  }
  if (broken.empty()) broken = VerifyAftermaths(*machine, book);
  if (broken.empty() && !machine->violations().empty()) {
    broken = absl::StrCat("violation: ", machine->violations().front());
  }
  if (broken.empty()) return "";
  Count(broken, tally);
  return absl::StrCat(
      start.name, ", ", storage.failed(), " fails ", plan.is_sticky ? "for good" : "once", " with ",
      absl::StatusCodeToString(plan.code), ", effect ", NameOf(plan.effect), ": ", broken);
}

std::string FailureCases::Run(std::uint64_t number, FailureTally& tally) const {
  ++tally.count;
  for (const FailureStart& start : starts_) {
    if (number < start.calls * kPlansPerCall) return RunPlan(start, PlanOf(number), tally);
    number -= start.calls * kPlansPerCall;
  }
  return "";
}

void FailureTally::Add(const FailureTally& other) {
  count += other.count;
  lost += other.lost;
  wrong_reads += other.wrong_reads;
  refused += other.refused;
  accepted += other.accepted;
  wrong_status += other.wrong_status;
  leaked += other.leaked;
  violations += other.violations;
  for (const auto& [path, times] : other.met) met[path] += times;
}

std::string FailureTally::ToJson() const {
  std::string paths;
  for (const auto& [path, times] : met) {
    absl::StrAppend(&paths, paths.empty() ? "" : ", ", "\"", path, "\": ", times);
  }
  return absl::StrCat("{\"count\": ", count, ", \"lost\": ", lost,
                      ", \"wrong_reads\": ", wrong_reads, ", \"refused\": ", refused,
                      ", \"accepted\": ", accepted, ", \"wrong_status\": ", wrong_status,
                      ", \"leaked\": ", leaked, ", \"violations\": ", violations, ", \"met\": {",
                      paths, "}");
}

}  // namespace pawl::inline v0
