#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "pawl/format.h"
#include "pawl/position.h"
#include "pawl/producer.h"
#include "pawl/receipt.h"
#include "pawl/stats_layout.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {

// How an engine is, the worst that holds.
enum class EngineHealth : std::uint8_t {
  kOpen = 0,
  kDiskLow = 1,  // no next segment could be made; commands are refused until there is room
  // The disk or the loop has work, and made no progress for stall_after; also because an agent that
  // shares its thread (AgentThread) does not return.
  kStalled = 2,
  kFailed = 3,  // a sync failed: nothing is accepted until the engine is opened again
};

constexpr std::string_view ToString(EngineHealth health) noexcept {
  switch (health) {
    case EngineHealth::kOpen: return "open";
    case EngineHealth::kDiskLow: return "disk low";
    case EngineHealth::kStalled: return "stalled";
    case EngineHealth::kFailed: return "failed";
  }
  return "?";
}

// What a command passes through, each measured by itself.
enum class Stage : std::uint8_t {
  // From Submit to the turn that decides it. Per lane one ticket (a batch counts as one) in a
  // millisecond at most.
  kQueueWait = 0,
  // A turn's deciding, up to 256 commands together. Of every turn that has 32 commands; of smaller
  // ones, one for every 32 commands, and at least one in a millisecond.
  kDecide = 1,
  // From the end of deciding to the published mark, of the same turns: the checksum and the copy of
  // the turn's last frame, if that was not full. (A frame that filled up is published while the
  // turn is decided, and is part of kDecide.)
  kPublish = 2,
  // From the published mark until the loop gives away a turn's answers at kDurable, of the same
  // turns.
  kDurable = 3,
  // From the begin of the turn that wrote a frame until a view shows it: of the oldest frame in
  // each of its shows. All views together; the agents tell them apart.
  kVisible = 4,
  // From the moment that a timer was due, in engine time, to the turn that fired it.
  kTimerLate = 5,
};
static_assert(static_cast<std::size_t>(Stage::kTimerLate) == kStages - 1);
static_assert(static_cast<std::size_t>(Stage::kVisible) == kVisibleStage);

constexpr std::string_view ToString(Stage stage) noexcept {
  switch (stage) {
    case Stage::kQueueWait: return "queue wait";
    case Stage::kDecide: return "decide";
    case Stage::kPublish: return "publish";
    case Stage::kDurable: return "durable";
    case Stage::kVisible: return "visible";
    case Stage::kTimerLate: return "timer late";
  }
  return "?";
}

// How long a stage took, nanoseconds; all 0 if nothing was measured. Percentiles are rounded up to
// two significant digits (1 part in 128), never above the most; longer than an hour counts as that.
struct StageTimes {
  std::uint64_t count = 0;
  std::uint64_t least_ns = 0;
  std::uint64_t most_ns = 0;
  double mean_ns = 0;
  std::uint64_t p50_ns = 0;
  std::uint64_t p99_ns = 0;
  std::uint64_t p999_ns = 0;
  std::uint64_t p9999_ns = 0;
  std::uint64_t sum_ns = 0;
  // How many took how long, in the steps of StageWords::counts; zeros at the end are left out.
  std::vector<std::uint64_t> counts{};

  // Any other one.
  //   percentile  0..100
  std::uint64_t Percentile(double percentile) const noexcept;
  // What came between `earlier`, an older reading of the same engine, and this one. Least and most
  // are known to two digits then.
  StageTimes Since(const StageTimes& earlier) const;
};

// The aggregates of one category.
struct CategoryStats {
  std::string name;
  std::uint64_t streams = 0;       // live
  std::uint64_t memory_bytes = 0;  // held for them, also for those to come
  std::uint64_t closed = 0;        // since the log began
  std::uint64_t places = 0;        // for live ones: streams_max
};

// Timers of all aggregates.
struct TimerStats {
  std::uint64_t live = 0;       // set now
  std::uint64_t set = 0;        // by commands and by timers, again included
  std::uint64_t cancelled = 0;  // by them
  std::uint64_t fired = 0;
  std::uint64_t refused = 0;  // of those that fired: by Decide, or for a limit
};

// The loop, a disk agent, or an agent attached.
struct AgentStats {
  std::string name;
  std::uint64_t rounds = 0;
  bool is_in_round = false;
  std::uint64_t sleeps = 0;
  bool is_stalled = false;   // in one round for longer than stall_after
  std::uint64_t stalls = 0;  // how often that was so
  // Of those that show something, views:
  Position position;              // up to which they do
  std::uint64_t shows = 0;        // how often something new was shown
  std::uint64_t last_age_ns = 0;  // of the oldest frame shown last, see Stage::kVisible
  std::uint64_t most_age_ns = 0;
};

// What an engine did since it was opened, and how it is. Numbers are as they were at some moment
// each, not all at the same one. Without EngineOptions::stats only health, marks, overruns and
// agents say something.
struct EngineStats {
  Epoch epoch;
  std::uint32_t pid = 0;
  bool is_stopped = false;
  EngineHealth health = EngineHealth::kOpen;
  std::uint64_t health_changes = 0;

  std::uint64_t commands_sent = 0;  // into the queue
  // Commands by what the loop decided, counted by VerdictKind; of kUnknown and kUnavailable by what
  // was answered instead. A verdict that a failed sync turned into kUnknown counts twice.
  std::array<std::uint64_t, kOutcomesMax> outcomes{};
  std::uint64_t duplicates = 0;  // commands sent again and answered from the window: in no outcome
  // Commands answered with the receipt of another one that had their idempotency key: in no
  // outcome. (Where the key was another command's, the outcome is kKeyReused.)
  std::uint64_t key_duplicates = 0;
  std::uint64_t bulk_commands = 0;  // of all that were decided or answered, those of bulk lanes
  // Attempts to send that were refused, counted by SendFault; who waits for room (WhenFull) makes
  // several. Not counted are kNotInEngine, kBadKey, and a batch's kBadSequence and kBadConditions.
  std::array<std::uint64_t, kOutcomesMax> refusals{};
  static_assert(static_cast<std::size_t>(VerdictKind::kNotSent) < kOutcomesMax &&
                static_cast<std::size_t>(SendFault::kBadKey) < kOutcomesMax);

  std::uint64_t turns = 0;   // of the loop, with commands
  std::uint64_t frames = 0;  // published
  Position position;         // of the newest record, events and the engine's own
  Address published;         // bytes published: how far it moved
  Address durable;
  std::uint32_t sessions = 0;  // open
  std::uint64_t sessions_closed = 0;
  std::uint32_t producers = 0;  // open

  // What Engine::FindSlowDecides() and poll_overruns() say, but for the names.
  std::uint64_t slow_turns = 0;
  std::uint64_t slow_decides = 0;
  std::uint64_t slowest_decide_ns = 0;
  std::uint64_t poll_overruns = 0;
  std::uint64_t longest_overrun_ns = 0;

  TimerStats timers;
  std::array<StageTimes, kStages> stages{};
  std::vector<CategoryStats> categories{};
  std::vector<AgentStats> agents{};

  std::uint64_t outcome(VerdictKind kind) const noexcept {
    return outcomes[static_cast<std::size_t>(kind)];
  }
  std::uint64_t refusal(SendFault fault) const noexcept {
    return refusals[static_cast<std::size_t>(fault)];
  }
  const StageTimes& stage(Stage stage) const noexcept {
    return stages[static_cast<std::size_t>(stage)];
  }
  std::uint64_t undurable_bytes() const noexcept {
    return published > durable ? published - durable : 0;
  }
};

// The statistics of an engine in another process, which is neither asked nor slowed. Its health,
// published and durable mark are as its watch saw them last: a quarter of stall_after ago at most
// while it works, within the last millisecond of Poll() if it is driven by a host.
//   path      the directory of the engine's log, if the hot one is the default; the hot one
//             (Log::hot_directory()); or the file `stats` in it
//   storage   borrowed; nullptr: PosixStorage()
//   errors    NOT_FOUND no such file: no engine runs there with statistics; FAILED_PRECONDITION
//             another version, or no permission; DATA_LOSS it is no such file, or damaged;
//             UNAVAILABLE it is being made
//   threads   any
absl::StatusOr<EngineStats> ReadStats(const std::string& path, Storage* storage = nullptr);

}  // namespace pawl::inline v0
