#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "live_image.h"
#include "oracle.h"
#include "program_text.h"
#include "progress.h"
#include "scenario.h"
#include "step_tally.h"
#include "tracee.h"

namespace pawl::inline v0 {

// Which steps are judged.
struct StepWindow {
  std::string phase;                     // only this one; empty: all
  std::uint64_t first = 0;               // of the phase's steps
  std::uint64_t per_phase = UINT64_MAX;  // judged at most: the first half of them from `first` on,
  bool is_sampled = false;               // the other half from a drawn one on
};

struct StepRunOptions {
  std::uint64_t seed = 1;
  std::string planted;
  std::string root;  // an empty folder on a memory file system
  StepWindow window;
  bool ends_at_failure = false;
  bool is_order_ignored = false;  // recovery alone shall find what is wrong
};

// Runs one scenario with one seed under the single-stepper.
//
// A boundary is the moment between two instructions of the victim, where a SIGKILL may end it. What
// the SIGKILL leaves is the image: names, sizes and bytes of log and hot directory. After each step
// the image is compared, byte for byte, with the one before: all of it after a system call, all
// files that the victim has mapped writable after any other instruction, which can change no other
// byte (looked at in full every kFullLookSteps steps). If it changed it is copied and recovered. A
// boundary counts as covered if its image was recovered or is equal to one that was.
class StepRun {
 public:
  using OnFailure = std::function<void(Finding finding, const std::string& what)>;

  // `first_phase`: number of the scenario's first phase in the tally.
  StepRun(const Scenario& scenario, std::uint32_t first_phase, const StepRunOptions& options,
          StepTally* tally, OnFailure on_failure);
  ~StepRun();
  StepRun(const StepRun&) = delete;
  StepRun& operator=(const StepRun&) = delete;

  void Run();
  const std::shared_ptr<ProgramText>& text() const noexcept { return text_; }
  // The command that repeats the step last taken, and only that.
  std::string RepeatLine() const;

 private:
  enum class End : std::uint8_t { kMark, kWindow, kKilled, kGone };

  bool Live(std::uint32_t life);
  End StepPhase(std::uint32_t phase);
  bool TakeStep(Stop stop, std::uint32_t phase);
  bool MustEnd() const;
  void Observe();
  void Judge(bool must);
  void Report(const Judgement& judgement);
  void ReportEnd(Stop stop);
  bool IsInWindow(std::uint32_t phase) const;
  bool IsBehindWindow(std::uint32_t phase) const;
  std::uint64_t SampleStart(std::uint32_t phase) const;
  bool IsKilledIn(std::uint32_t phase) const;

  const Scenario& scenario_;
  const std::uint32_t first_phase_;
  const StepRunOptions options_;
  StepTally* const tally_;
  const OnFailure on_failure_;
  const std::string live_;
  const std::string copy_;
  int progress_fd_ = -1;
  Progress* progress_ = nullptr;
  std::unique_ptr<Oracle> oracle_;
  std::unique_ptr<Tracee> tracee_;
  std::unique_ptr<LiveImage> image_;
  std::shared_ptr<ProgramText> text_;
  std::uint32_t phase_ = 0;                 // under way
  std::vector<std::uint64_t> phase_steps_;  // taken, by phase
  bool is_judged_ = false;                  // the image as seen last
};

// The victim's side: lives life `life` of the scenario, told by the command line that StepRun made.
[[noreturn]] void LiveAsVictim(int argc, char** argv);

}  // namespace pawl::inline v0
