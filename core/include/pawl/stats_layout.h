#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "pawl/cache_line.h"
#include "pawl/format.h"

// The words of an engine's statistics, as they stand in the file `stats` of its hot directory
// (core/STATS.md has them as a table) or, without that file, in memory of the engine's own.
//
// Memory ordering: every word is an atomic of its own that guards nothing; all accesses are relaxed
// unless a comment says otherwise. Who reads sees each word as it was at some moment, not all of
// them as they were at one.
namespace pawl::inline v0 {

using StatsWord = std::atomic<std::uint64_t>;
static_assert(StatsWord::is_always_lock_free && sizeof(StatsWord) == 8);

// Adds to a word that one thread writes: no locked instruction.
inline void AddTo(StatsWord& word, std::uint64_t count) noexcept {
  // Relaxed, both: one writer, which knows what it wrote; guards nothing.
  word.store(word.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

inline constexpr std::uint64_t kStatsMagic = 0x3154'5453'4C57'4150;  // "PAWLSTT1"
inline constexpr std::uint32_t kStatsVersion = 2;
inline constexpr const char* kStatsName = "stats";  // the file beside the hot images

enum class StatsState : std::uint32_t { kNone = 0, kOpen = 1, kStopped = 2 };

struct StatsHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t epoch;
  std::uint64_t bytes;  // of all of it
  LogId log_id;
  std::uint32_t pid;             // of the engine; a hint: a killed one leaves its file behind
  std::uint32_t lanes;           // rows of LaneWords
  std::uint32_t stores;          // rows of StoreWords
  std::uint32_t agents;          // rows of AgentWords
  std::uint64_t opened_ns;       // engine time
  std::uint64_t stall_after_ns;  // EngineOptions::stall_after
  // StatsState. Writer: the engine at Open and Stop. Guards, at kOpen, the members before it, which
  // are constant from then on.
  std::atomic<std::uint32_t> state;
  std::uint32_t reserved;
  std::array<std::uint64_t, 6> zeros;
};
static_assert(sizeof(StatsHeader) == 128 && offsetof(StatsHeader, state) == 72);

// Outcomes by the number of their VerdictKind, refusals by that of their SendFault.
inline constexpr std::size_t kOutcomesMax = 16;

// Writer: the loop.
struct LoopWords {
  StatsWord turns;             // with at least one command
  StatsWord frames;            // published
  StatsWord position;          // of the newest record
  StatsWord duplicates;        // commands sent again, answered from the window
  StatsWord sessions;          // open
  StatsWord producers;         // open
  StatsWord engine_offset_ns;  // engine time less boot time
  StatsWord slow_turns;        // that took longer than decide_budget_ns
  StatsWord slow_decides;      // commands found that did
  StatsWord slowest_decide_ns;
  std::array<StatsWord, 3> zeros;
  StatsWord key_duplicates;   // commands answered by their idempotency key
  StatsWord sessions_closed;  // since the engine was opened
  StatsWord bulk_commands;    // decided, of bulk lanes
  std::array<StatsWord, kOutcomesMax> outcomes;
};
static_assert(sizeof(LoopWords) == 256 && offsetof(LoopWords, outcomes) == 128);
static_assert(offsetof(LoopWords, key_duplicates) == 104);

// Writer: the health watch, or the host's thread in Poll().
struct HealthWords {
  StatsWord health;         // EngineHealth
  StatsWord changes;        // of health
  StatsWord published;      // address, when it was last looked at
  StatsWord durable;        // address, likewise
  StatsWord poll_overruns;  // calls of Poll() that returned too late
  StatsWord longest_overrun_ns;
  std::array<StatsWord, 2> zeros;
};
static_assert(sizeof(HealthWords) == 64);

// Writer: the loop.
struct TimerWords {
  StatsWord live;       // set now
  StatsWord set;        // by commands and timers, again included
  StatsWord cancelled;  // by them
  StatsWord fired;
  StatsWord refused;  // of those: by Decide, or over a limit
  std::array<StatsWord, 3> zeros;
};
static_assert(sizeof(TimerWords) == 64);

// Writer: the producer's thread that has the lane. A lane is used again; its counts go on.
struct LaneWords {
  StatsWord sent;                                    // commands that went into the queue
  std::array<StatsWord, kOutcomesMax - 1> refusals;  // [n − 1]: SendFault n
};
static_assert(sizeof(LaneWords) == 128);

// One category. Writer of the counts: the loop; the name is constant.
struct StoreWords {
  StatsWord streams;       // live
  StatsWord memory_bytes;  // held for them
  StatsWord closed;        // so far
  StatsWord places;        // streams_max
  std::array<StatsWord, 4> zeros;
  std::array<char, 64> name;  // zeros behind it
};
static_assert(sizeof(StoreWords) == 128);

// One agent: 0 the loop, 1 the sync agent, 2 the preparer, then those attached.
struct AgentWords {
  // Odd while a round is under way. Writer: the agent's thread. Readers: the health watch, others.
  // Guards nothing; only grows.
  StatsWord pulse;
  StatsWord sleeps;  // Writer: the agent's thread.
  // Writer: the health watch.
  StatsWord is_stalled;
  StatsWord stalls;
  // Writer: the agent's thread, by its AgentMeter.
  StatsWord position;     // of the newest record that queries see
  StatsWord shows;        // how often something new was shown
  StatsWord last_age_ns;  // of the oldest frame in what was shown last
  StatsWord most_age_ns;
  // Writer: Engine::Attach() and Detach(). The name, zeros behind it; first word 0: a free row.
  std::array<StatsWord, 2> name;
  std::array<StatsWord, 6> zeros;

  // A round begins. Release: before a bell is rung for it, as Doorbell asks; guards nothing.
  void BeginRound() noexcept {
    pulse.store(pulse.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  // It ended. Relaxed: one writer, guards nothing.
  void EndRound() noexcept { AddTo(pulse, 1); }
};
static_assert(sizeof(AgentWords) == 128 && alignof(AgentWords) == 8);

// How long something took: counts of durations with two significant digits (1 part in 128 or
// better), from 1 ns to 1 h. Layout of the counts as in Histogram, with 8 bits for 11: bucket b
// holds the values of b + 8 significant bits in steps of 2^b, 256 steps in bucket 0 and the upper
// 128 in each other.
//   threads   Record(): one; RecordShared(): any
struct StageWords {
  static constexpr std::uint64_t kHighestNs = 3'600'000'000'000;
  static constexpr int kStepBits = 8;
  static constexpr std::size_t kCounts = 4608;

  StatsWord sum_ns;
  StatsWord least_ns;  // its complement, ~value: zeros mean that there was none
  StatsWord most_ns;
  std::array<StatsWord, 5> zeros;
  std::array<StatsWord, kCounts> counts;

  static constexpr std::size_t IndexOf(std::uint64_t value_ns) noexcept {
    const int bucket =
        64 - kStepBits - std::countl_zero(value_ns | ((std::uint64_t{1} << kStepBits) - 1));
    return (static_cast<std::size_t>(bucket) << (kStepBits - 1)) +
           static_cast<std::size_t>(value_ns >> bucket);
  }
  // The highest value that is counted at `index`.
  static constexpr std::uint64_t HighestAt(std::size_t index) noexcept {
    const std::size_t half = index >> (kStepBits - 1);
    const std::size_t bucket = half == 0 ? 0 : half - 1;
    const std::uint64_t step = index - (bucket << (kStepBits - 1));
    return ((step + 1) << bucket) - 1;
  }

  void Record(std::uint64_t value_ns) noexcept {
    value_ns = std::min(value_ns, kHighestNs);
    AddTo(counts[IndexOf(value_ns)], 1);
    AddTo(sum_ns, value_ns);
    // Relaxed, all: one writer, guards nothing.
    if (value_ns > most_ns.load(std::memory_order_relaxed))
      most_ns.store(value_ns, std::memory_order_relaxed);
    if (~value_ns > least_ns.load(std::memory_order_relaxed))
      least_ns.store(~value_ns, std::memory_order_relaxed);
  }
  void RecordShared(std::uint64_t value_ns) noexcept {
    value_ns = std::min(value_ns, kHighestNs);
    // Relaxed, both: counts; guard nothing.
    counts[IndexOf(value_ns)].fetch_add(1, std::memory_order_relaxed);
    sum_ns.fetch_add(value_ns, std::memory_order_relaxed);
    Raise(most_ns, value_ns);
    Raise(least_ns, ~value_ns);
  }

 private:
  static void Raise(StatsWord& word, std::uint64_t value) noexcept {
    // Relaxed, both: the word alone; guards nothing.
    std::uint64_t seen = word.load(std::memory_order_relaxed);
    while (seen < value && !word.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
  }
};
static_assert(StageWords::kCounts == StageWords::IndexOf(StageWords::kHighestNs) / 128 * 128 + 128);
static_assert(sizeof(StageWords) == 64 + StageWords::kCounts * 8);

inline constexpr std::size_t kStages = 6;
inline constexpr std::size_t kVisibleStage = 4;  // the one that several threads record

// Where everything stands: header, loop, health, then stages, agents, stores, lanes, each row
// behind the other.
struct StatsBlock {
  StatsHeader header;
  LoopWords loop;
  HealthWords health;
  TimerWords timers;
  std::array<StageWords, kStages> stages;
  // AgentWords[header.agents], StoreWords[header.stores], LaneWords[header.lanes]

  static constexpr std::uint64_t BytesFor(std::uint64_t agents, std::uint64_t stores,
                                          std::uint64_t lanes) noexcept;

  AgentWords* agents() noexcept { return reinterpret_cast<AgentWords*>(this + 1); }
  StoreWords* stores() noexcept { return reinterpret_cast<StoreWords*>(agents() + header.agents); }
  LaneWords* lanes() noexcept { return reinterpret_cast<LaneWords*>(stores() + header.stores); }
};
static_assert(offsetof(StatsBlock, loop) == 128 && offsetof(StatsBlock, health) == 384 &&
              offsetof(StatsBlock, timers) == 448 && offsetof(StatsBlock, stages) == 512 &&
              sizeof(StatsBlock) == 222'080);
static_assert(sizeof(StatsBlock) % kCacheLineBytes == 0, "rows begin at a line");

constexpr std::uint64_t StatsBlock::BytesFor(std::uint64_t agents, std::uint64_t stores,
                                             std::uint64_t lanes) noexcept {
  return sizeof(StatsBlock) + agents * sizeof(AgentWords) + stores * sizeof(StoreWords) +
         lanes * sizeof(LaneWords);
}

}  // namespace pawl::inline v0
