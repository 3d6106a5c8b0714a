#include "step_run.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pawl/check.h"
#include "sim_random.h"

namespace pawl::inline v0 {
namespace {

// How often all bytes are looked at, also those that no instruction can have changed.
constexpr std::uint64_t kFullLookSteps = 1024;
// A sampled phase is entered up to so many windows behind its first one.
constexpr std::uint64_t kSampleReach = 8;
// In a phase that is killed, at one of its first so many changes.
constexpr std::uint64_t kKillChanges = 24;
constexpr std::uint64_t kForSample = 1;
constexpr std::uint64_t kForKill = 2;

Progress* MapProgress(int fd) {
  void* const memory =
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  PAWL_CHECK(memory != MAP_FAILED);
  return static_cast<Progress*>(memory);
}

std::unique_ptr<Oracle> NewOracle(const Scenario& scenario, std::uint64_t seed,
                                  const Progress* progress) {
  if (&scenario == &kLogScenario) return std::make_unique<LogOracle>(seed, progress);
  return std::make_unique<BankOracle>(seed, progress);
}

}  // namespace

StepRun::StepRun(const Scenario& scenario, std::uint32_t first_phase, const StepRunOptions& options,
                 StepTally* tally, OnFailure on_failure)
    : scenario_(scenario),
      first_phase_(first_phase),
      options_(options),
      tally_(tally),
      on_failure_(std::move(on_failure)),
      live_(options.root + "/live"),
      copy_(options.root + "/copy"),
      phase_steps_(scenario.phases.size() + 1) {
  std::filesystem::create_directory(live_);
  // Inherited by the victim.
  progress_fd_ = ::memfd_create("progress", 0);
  PAWL_CHECK(progress_fd_ >= 0 && ::ftruncate(progress_fd_, sizeof(Progress)) == 0);
  progress_ = MapProgress(progress_fd_);
  oracle_ = NewOracle(scenario_, options_.seed, progress_);
  for (std::uint32_t i = 0; i < scenario_.phases.size(); ++i) {
    tally_->Name(first_phase_ + i, scenario_.phases[i]);
  }
}

StepRun::~StepRun() {
  tracee_.reset();
  ::munmap(progress_, sizeof(Progress));
  ::close(progress_fd_);
  std::filesystem::remove_all(live_);
  std::filesystem::remove_all(copy_);
}

void StepRun::Run() {
  for (std::uint32_t life = 0; life < scenario_.lives && Live(life); ++life) {
  }
}

// The image of the life before is where this one begins.
bool StepRun::Live(std::uint32_t life) {
  ++tally_->lives;
  oracle_->BeginLife();
  tracee_ = std::make_unique<Tracee>(
      std::vector<std::string>{"pawl_steps", "--victim", scenario_.name, std::to_string(life),
                               std::to_string(options_.seed), live_, options_.planted},
      progress_fd_);
  image_ = std::make_unique<LiveImage>(live_);
  for (;;) {
    const Stop stop = tracee_->RunToMark();
    if (stop != Stop::kMark) {
      ReportEnd(stop);
      return false;
    }
    if (text_ == nullptr) text_ = std::make_shared<ProgramText>(tracee_->pid());
    End end = End::kMark;
    while (end == End::kMark) {
      phase_ = Told(progress_->phase);
      if (phase_ == kPhaseOver) end = End::kKilled;
      if (end != End::kKilled) end = StepPhase(phase_);
    }
    if (end == End::kKilled) break;
    if (end == End::kGone) return false;
  }
  tracee_->Kill();
  return true;
}

bool StepRun::IsKilledIn(std::uint32_t phase) const {
  return std::string_view(scenario_.phases[phase - 1]).starts_with("killed_");
}

std::uint64_t StepRun::SampleStart(std::uint32_t phase) const {
  const std::uint64_t half = options_.window.per_phase / 2;
  return half + SimRandom::For(options_.seed, first_phase_ + phase, kForSample)
                    .Below(half * kSampleReach + 1);
}

bool StepRun::IsInWindow(std::uint32_t phase) const {
  const StepWindow& window = options_.window;
  const std::uint64_t step = phase_steps_[phase];
  if (!window.is_sampled) return step >= window.first && step - window.first < window.per_phase;
  const std::uint64_t half = window.per_phase / 2;
  const std::uint64_t start = SampleStart(phase);
  return step < half || (step >= start && step < start + half);
}

bool StepRun::IsBehindWindow(std::uint32_t phase) const {
  const StepWindow& window = options_.window;
  if (!window.phase.empty() && window.phase != scenario_.phases[phase - 1]) return true;
  const std::uint64_t step = phase_steps_[phase];
  if (!window.is_sampled) return step >= window.first && step - window.first >= window.per_phase;
  return step >= SampleStart(phase) + window.per_phase / 2;
}

// From a mark on, until the next one.
StepRun::End StepRun::StepPhase(std::uint32_t phase) {
  // What happened unstepped counts as one big step.
  const bool has_changed = image_->LookAtAll(tracee_->pid());
  is_judged_ = is_judged_ && !has_changed;
  Observe();
  if (oracle_->HasJustOpened()) Judge(true);
  if (MustEnd()) return End::kGone;
  if (phase == kPhaseUnstepped) return End::kWindow;
  const bool is_killed = IsKilledIn(phase);
  const std::uint64_t changes_max =
      1 + SimRandom::For(options_.seed, first_phase_ + phase, kForKill).Below(kKillChanges);
  std::uint64_t changes = 0;
  if (!is_killed && IsBehindWindow(phase)) return End::kWindow;
  if (IsInWindow(phase)) Judge(false);
  for (;;) {
    const Stop stop = tracee_->Step();
    if (stop == Stop::kOver || stop == Stop::kDisturbed) {
      ReportEnd(stop);
      return End::kGone;
    }
    if (stop == Stop::kMark) return End::kMark;
    if (TakeStep(stop, phase)) ++changes;
    if (MustEnd()) return End::kGone;
    if (is_killed && changes == changes_max) return End::kKilled;
    if (!is_killed && IsBehindWindow(phase)) return End::kWindow;
  }
}

//   returns   whether the image changed
bool StepRun::TakeStep(Stop stop, std::uint32_t phase) {
  const bool is_system = stop == Stop::kSystem;
  const std::uint64_t step = phase_steps_[phase];
  const bool has_changed = is_system ? image_->LookAtAll(tracee_->pid()) : image_->LookAtMapped();
  if (is_system || step % kFullLookSteps == 0) {
    ++tally_->looks;
    PAWL_CHECK(is_system || !image_->HasOtherChange());
  }
  if (has_changed) {
    is_judged_ = false;
    Observe();
  }
  if (oracle_->HasJustOpened()) Judge(true);
  if (IsInWindow(phase)) {
    tally_->Note(tracee_->last(), first_phase_ + phase - 1, has_changed);
    Judge(false);
  } else if (has_changed) {
    ++tally_->unjudged;
  }
  ++phase_steps_[phase];
  return has_changed;
}

// Without the records that were there when a life began nobody can say what it owes.
bool StepRun::MustEnd() const {
  return oracle_->HasJustOpened() || (options_.ends_at_failure && tally_->failures() > 0);
}

void StepRun::Observe() {
  const Judgement judgement = oracle_->Observe(*image_);
  if (!options_.is_order_ignored) Report(judgement);
}

// Recovers a copy of the image, unless it is one that was recovered.
void StepRun::Judge(bool must) {
  if (is_judged_ && !must) return;
  std::filesystem::remove_all(copy_);
  std::filesystem::create_directory(copy_);
  image_->CopyTo(copy_);
  ++tally_->judged;
  is_judged_ = true;
  Report(oracle_->Recover(*image_, copy_));
}

std::string StepRun::RepeatLine() const {
  const bool is_stepped = phase_ != kPhaseUnstepped && phase_ <= scenario_.phases.size();
  return absl::StrCat(
      "tools/campaign steps --scenario ", scenario_.name, " --seed ", options_.seed,
      is_stepped ? absl::StrCat(" --phase ", scenario_.phases[phase_ - 1], " --first ",
                                phase_steps_[phase_], " --count 1")
                 : std::string(" --count 1"),
      options_.planted.empty() ? "" : absl::StrCat(" --planted ", options_.planted));
}

void StepRun::Report(const Judgement& judgement) {
  if (judgement.is_good()) return;
  ++tally_->found[judgement.finding];
  const bool is_stepped = phase_ != kPhaseUnstepped && phase_ <= scenario_.phases.size();
  on_failure_(judgement.finding,
              absl::StrCat("scenario ", scenario_.name, ", seed ", options_.seed, ", phase ",
                           is_stepped ? scenario_.phases[phase_ - 1] : "between", ", step ",
                           is_stepped ? phase_steps_[phase_] : 0, ", behind the instruction at 0x",
                           absl::Hex(tracee_->last()), " (",
                           text_ != nullptr ? text_->NameAt(tracee_->last()) : "",
                           "): ", NameOf(judgement.finding), ": ", judgement.what));
}

void StepRun::ReportEnd(Stop stop) {
  const std::string how = stop == Stop::kMark ? "" : tracee_->disturbance();
  Report({Finding::kAborted, absl::StrCat("the victim was ended: ", how)});
}

void LiveAsVictim(int argc, char** argv) {
  PAWL_CHECK(argc == 7);
  std::uint32_t life = 0;
  std::uint64_t seed = 0;
  PAWL_CHECK(absl::SimpleAtoi(argv[3], &life) && absl::SimpleAtoi(argv[4], &seed));
  const std::unique_ptr<SteppedStorage> storage = NewVictimStorage(seed, argv[6]);
  // Each life draws other ids and salts.
  for (std::uint32_t i = 0; i < life; ++i) storage->Random();
  const VictimOrders orders{.root = argv[5],
                            .seed = seed,
                            .storage = storage.get(),
                            .progress = MapProgress(kProgressDescriptor)};
  const Scenario& scenario =
      std::string_view(argv[2]) == kLogScenario.name ? kLogScenario : kEngineScenario;
  scenario.live(life, orders);
  std::abort();  // the tracer kills at the last mark
}

}  // namespace pawl::inline v0
