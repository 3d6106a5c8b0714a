#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "pawl/agent.h"
#include "pawl/clock.h"
#include "pawl/command_slot.h"

namespace pawl::inline v0 {

// How many commands the loop decides between two looks at the clock, and which took too long.
//
// Host-driven, a turn goes on slice by slice until its deadline. A slice grows while slices are
// quick and falls to one command when one is not: looking costs about 1 %, and a turn ends within
// kSliceNs, or one slow command, of its deadline.
// On a thread of its own a turn is one slice, timed as a whole: once its answers are out, or by the
// last look of who timed its stages. One that took longer than the budget and had one command says
// which; after it a few turns are decided one command at a time, to find others. If none was slow
// by itself (the commands are many, the thread was not running), the next search waits for twice as
// many such turns.
//   threads   loop only
class TurnPace {
 public:
  static constexpr std::uint64_t kSliceNs = 4'000;  // some 100 commands; 1 % of it is the look
  static constexpr std::uint32_t kFirstSlice = 16;
  static constexpr std::uint32_t kSearchTurns = 16;
  static constexpr std::uint32_t kRestMax = 4096;

  // Found to be slow.
  struct Found {
    std::uint64_t count = 0;
    std::uint64_t longest_ns = 0;
    std::uint16_t aggregate = 0;  // of the longest
    std::uint16_t type = 0;
    bool is_timer = false;  // its type is a timer's
  };

  //   turn_max   commands of a turn
  //   budget_ns  for one command; 0: nothing is timed but for deadlines
  TurnPace(Clock& clock, std::uint32_t turn_max, std::uint64_t budget_ns) noexcept
      : clock_(clock), turn_max_(turn_max), budget_ns_(budget_ns) {}

  //   deadline  nullptr: none
  //   boot_ns   what the boot clock says
  void BeginTurn(const Deadline* deadline, std::uint64_t boot_ns) noexcept {
    deadline_ = deadline;
    since_ns_ = boot_ns;
    decided_ = 0;
    has_looked_ = false;
    is_over_ = false;
    lone_.count = 0;
    if (deadline != nullptr) {
      slice_ = host_slice_;
    } else {
      slice_ = search_turns_ != 0 ? 1 : turn_max_;
    }
    is_open_ = true;
  }
  // So many commands may be decided before the next look.
  std::uint32_t left() const noexcept { return slice_ - decided_; }

  // The commands of `run`, at most left(), were decided. False: the turn is to end here.
  bool GoesOn(std::span<const CommandSlot> run) noexcept {
    newest_ = run;
    decided_ += static_cast<std::uint32_t>(run.size());
    if (IsOneSlice()) [[likely]]
      return true;
    if (decided_ == slice_) LookAtClock();
    return !is_over_;
  }
  bool is_over() const noexcept { return is_over_; }  // the deadline

  // No more commands in this turn; those decided are still where they were.
  void EndCommands() noexcept {
    if (decided_ == 0) return;
    if (!IsOneSlice()) return LookAtClock();
    // Once the answers are out it may be overwritten.
    if (decided_ == 1) lone_ = {1, 0, newest_.front().aggregate, newest_.front().command_index()};
  }

  // A timer fired in this turn, and what it did took so long. Timers are timed one by one, and are
  // no part of the turn's commands.
  void TakeTimer(std::uint64_t took_ns, std::uint16_t aggregate, std::uint16_t type) noexcept {
    since_ns_ += took_ns;
    if (budget_ns_ == 0 || took_ns <= budget_ns_) [[likely]]
      return;
    ++slow_turns_;
    Find({1, took_ns, aggregate, type, true});
  }

  // What the boot clock said behind the turn's last command; 0: nobody looked.
  std::uint64_t looked_ns() const noexcept { return has_looked_ ? since_ns_ : 0; }

  // The turn's answers are out.
  //   looked_ns   what the boot clock said since its commands were decided; 0: not known
  void EndTurn(std::uint64_t looked_ns = 0) noexcept {
    if (!is_open_) return;
    is_open_ = false;
    if (deadline_ == nullptr && budget_ns_ != 0) EndOwnTurn(looked_ns);
  }

  std::uint64_t slow_turns() const noexcept { return slow_turns_; }
  const Found& found() const noexcept { return found_; }

 private:
  // Nobody looks at the clock before the turn's end.
  bool IsOneSlice() const noexcept { return slice_ == turn_max_ && deadline_ == nullptr; }
  void LookAtClock() noexcept;
  void EndOwnTurn(std::uint64_t looked_ns) noexcept;
  void TakeSlow(std::uint64_t took_ns) noexcept;
  void Find(Found slow) noexcept;

  Clock& clock_;
  const std::uint32_t turn_max_;
  const std::uint64_t budget_ns_;

  // Of the turn.
  const Deadline* deadline_ = nullptr;
  std::uint64_t since_ns_ = 0;  // boot clock: begin of the slice
  std::uint32_t slice_ = 0;
  std::uint32_t decided_ = 0;            // of the slice
  std::span<const CommandSlot> newest_;  // of those
  Found lone_;                           // own thread: the turn's only command; count 0: none
  bool is_open_ = false;
  bool is_over_ = false;
  bool has_looked_ = false;

  std::uint32_t host_slice_ = kFirstSlice;
  // Own thread.
  std::uint32_t search_turns_ = 0;  // left of a search
  std::uint32_t rest_turns_ = 0;    // slow turns until the next search
  std::uint32_t next_rest_ = 1;
  std::uint64_t found_before_ = 0;  // count when the search began

  std::uint64_t slow_turns_ = 0;
  Found found_;
};

}  // namespace pawl::inline v0
