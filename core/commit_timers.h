#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "pawl/commit_builder.h"
#include "pawl/log_writer.h"
#include "pawl/receipt.h"
#include "timer_table.h"

namespace pawl::inline v0 {

// What commits do to timers: the records, and the table of those that are set. A change shows by
// name at once, so that bounds are exact and a command sees its own; it is noted until the commit
// ended and is then kept, or taken back.
//   threads   loop only
class CommitTimers {
 public:
  // Since the engine was opened.
  struct Counts {
    std::uint64_t set = 0;        // again included
    std::uint64_t cancelled = 0;  // or ended because their aggregate was closed
    std::uint64_t fired = 0;
    std::uint64_t refused = 0;  // of those: by Decide, or over a limit
  };

  // Of the table's spare: as many as a commit changes, and the one that is being fired.
  static constexpr std::uint32_t kSpare = kCommitTimersMax + 1;

  CommitTimers(TimerTable& table, LogWriter& writer) noexcept : table_(table), writer_(writer) {}
  CommitTimers(const CommitTimers&) = delete;
  CommitTimers& operator=(const CommitTimers&) = delete;

  // Where it is noted which timer is being fired, by the position of the record that set it;
  // borrowed.
  void UseNote(std::atomic<std::uint64_t>& note) noexcept { note_ = &note; }

  TimerTable& table() noexcept { return table_; }
  const TimerTable& table() const noexcept { return table_; }
  const Counts& counts() const noexcept { return counts_; }

  // --- in an open commit ---

  // Sets a timer in the place of the one of this name, if there is one.
  //   returns   false: over timers_max, kCommitTimersMax or what a commit holds; take it back
  bool Set(const TimerName& name, std::uint64_t due_ns, std::span<const std::byte> timer) noexcept;
  // Cancels it; that there is none is no mistake and leaves no record.
  bool Cancel(const TimerName& name) noexcept;
  void Keep() noexcept;
  void TakeBack() noexcept;
  // A stream was closed, by a commit whose changes are kept: its timers have ended.
  void DropStream(std::uint32_t stream) noexcept;

  // --- firing ---

  // Fires a timer of the table, which is due and over with this, whatever becomes of what it does.
  //   returns   what Decide said, or kLimitExceeded
  Verdict Fire(std::uint32_t timer, CommitBuilder& builder) noexcept;
  // The record of the timer that is being fired, in the open commit.
  void RecordFired(Verdict outcome) noexcept;

 private:
  struct Change {
    std::uint32_t made;  // kNoTimer: cancelled
    std::uint32_t old;   // that lost its name by it; kNoTimer: none
  };

  void NoteFiring(std::uint64_t position) const noexcept;
  std::byte* Append(RecordKind kind, const TimerName& name, std::size_t bytes) noexcept;

  TimerTable& table_;
  LogWriter& writer_;
  std::array<Change, kCommitTimersMax> changes_;  // of the open commit
  std::uint32_t change_count_ = 0;
  std::uint32_t firing_ = kNoTimer;
  Counts counts_;
  // Writer: loop. Reader: who opens the log after this process ended. Guards nothing.
  std::atomic<std::uint64_t> no_note_{0};
  std::atomic<std::uint64_t>* note_ = &no_note_;
};

}  // namespace pawl::inline v0
