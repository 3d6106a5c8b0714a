#pragma once

#include <cstdint>
#include <span>

#include "commit_timers.h"
#include "engine_clock.h"
#include "pawl/position.h"
#include "pawl/receipt.h"
#include "pawl/stats.h"
#include "pawl/stats_layout.h"
#include "pawl/stream_store.h"
#include "turn_pace.h"

namespace pawl::inline v0 {

// What the loop counts and times: work per turn and per run of commands, none per command. It looks
// at the clock when a turn that it times is decided and when it is published, and in a round that
// gives away answers of such a turn and times none itself. TurnPace takes these looks for its own
// where it would have looked, and the other way round: a turn that is timed costs one look more.
//   threads   loop only
class LoopMeter {
 public:
  // Smaller turns are timed once for so many commands: three clock reads and as many counts are
  // then under 2 % of their instructions.
  static constexpr std::uint32_t kTimedCommands = 32;
  // What comes less often than this is measured each time.
  static constexpr std::uint64_t kSampleNs = 1'000'000;

  struct Setup {
    StatsBlock* block;
    bool is_on;
    const EngineClock* engine_clock;
    std::span<StreamStore* const> stores;
  };

  explicit LoopMeter(const Setup& setup)
      : block_(*setup.block),
        is_on_(setup.is_on),
        engine_clock_(*setup.engine_clock),
        clock_(setup.engine_clock->source()),
        stores_(setup.stores) {}

  bool is_on() const noexcept { return is_on_; }

  // --- counts ---

  void Count(VerdictKind kind, std::uint64_t commands) noexcept {
    const auto index = static_cast<std::size_t>(kind);
    if (is_on_ && index < kOutcomesMax) AddTo(block_.loop.outcomes[index], commands);
  }
  void CountDuplicate() noexcept {
    if (is_on_) AddTo(block_.loop.duplicates, 1);
  }
  // A command was answered with the receipt of another one, which had its idempotency key.
  void CountKeyDuplicate() noexcept {
    if (is_on_) AddTo(block_.loop.key_duplicates, 1);
  }
  void CountClosedSession() noexcept {
    if (is_on_) AddTo(block_.loop.sessions_closed, 1);
  }
  // Commands of a bulk lane were decided. Only if is_on().
  void CountBulk(std::uint64_t commands) noexcept { AddTo(block_.loop.bulk_commands, commands); }
  void CountFrame() noexcept {
    if (is_on_) AddTo(block_.loop.frames, 1);
  }
  void SetSessions(std::uint64_t count) noexcept { Set(block_.loop.sessions, count); }
  // A producer was opened, or (−1) ended.
  void CountProducer(int change) noexcept {
    producers_ += static_cast<std::uint64_t>(change);
    Set(block_.loop.producers, producers_);
  }

  // --- a round of the loop ---

  void BeginRound() noexcept {
    now_ns_ = 0;
    is_timed_ = false;
  }

  // A turn of so many commands was decided, which began with the last tick of the engine's clock.
  //   looked_ns   boot time, if somebody looked behind the last command; 0: nobody did
  void Decided(std::uint32_t commands, std::uint64_t looked_ns) noexcept {
    if (!is_on_ || commands == 0) return;
    AddTo(block_.loop.turns, 1);
    untimed_ += commands;
    const std::uint64_t began_ns = engine_clock_.boot_ns();
    if (untimed_ < kTimedCommands && began_ns - timed_ns_ < kSampleNs) return;
    is_timed_ = true;
    untimed_ = 0;
    timed_ns_ = began_ns;
    now_ns_ = looked_ns != 0 ? looked_ns : clock_.BootNs();
    Record(Stage::kDecide, began_ns, now_ns_);
  }
  // The frame with the rest of its commits is published.
  void Published() noexcept {
    CountFrame();
    if (!is_timed_) return;
    const std::uint64_t decided_ns = now_ns_;
    now_ns_ = clock_.BootNs();
    Record(Stage::kPublish, decided_ns, now_ns_);
  }
  // When all of it was published; 0: not measured.
  std::uint64_t published_ns() const noexcept { return is_timed_ ? now_ns_ : 0; }
  // A timer fired, so long after it was due, and what it did took so long. It is no part of how
  // long the turn took to be decided, or to be published.
  void Fired(std::uint64_t late_ns, std::uint64_t took_ns) noexcept {
    if (!is_on_) return;
    block_.stages[static_cast<std::size_t>(Stage::kTimerLate)].Record(late_ns);
    if (is_timed_) now_ns_ += took_ns;
  }
  // Where things stand behind the turn.
  //   timers    nullptr: there are none
  void EndTurn(Position newest, const CommitTimers* timers = nullptr) noexcept {
    if (!is_on_) return;
    if (timers != nullptr) {
      Set(block_.timers.live, timers->table().live());
      Set(block_.timers.set, timers->counts().set);
      Set(block_.timers.cancelled, timers->counts().cancelled);
      Set(block_.timers.fired, timers->counts().fired);
      Set(block_.timers.refused, timers->counts().refused);
    }
    Set(block_.loop.position, newest.value());
    Set(block_.loop.engine_offset_ns, engine_clock_.now_ns() - engine_clock_.boot_ns());
    StoreWords* words = block_.stores();
    for (const StreamStore* store : stores_) {
      // Relaxed: one writer, guards nothing.
      if (words->streams.load(std::memory_order_relaxed) != store->size() ||
          words->closed.load(std::memory_order_relaxed) != store->closed()) {
        Set(words->streams, store->size());
        Set(words->closed, store->closed());
        Set(words->places, store->streams_max());
        Set(words->memory_bytes, store->memory_bytes());
      }
      ++words;
    }
  }

  // The newest look at the clock in this round, behind the turn's commands; 0: there was none.
  std::uint64_t looked_ns() const noexcept { return now_ns_; }

  // What took too long, if there is more of it.
  void ShowSlow(const TurnPace& pace) noexcept {
    if (pace.slow_turns() == slow_turns_) [[likely]]
      return;
    slow_turns_ = pace.slow_turns();
    Set(block_.loop.slow_turns, slow_turns_);
    Set(block_.loop.slow_decides, pace.found().count);
    Set(block_.loop.slowest_decide_ns, pace.found().longest_ns);
  }

  // When the turn began, by the boot clock.
  std::uint64_t began_ns() const noexcept { return engine_clock_.boot_ns(); }
  // Answers of a turn that was published then are given away.
  void Released(std::uint64_t published_ns) noexcept {
    if (published_ns == 0) return;
    if (now_ns_ == 0) now_ns_ = clock_.BootNs();
    Record(Stage::kDurable, published_ns, now_ns_);
  }
  // A command that was sent then is being decided in the turn that began last.
  void Waited(std::uint64_t sent_ns) noexcept {
    Record(Stage::kQueueWait, sent_ns, engine_clock_.boot_ns());
  }

 private:
  void Set(StatsWord& word, std::uint64_t value) noexcept {
    // Relaxed: one writer, guards nothing.
    if (is_on_) word.store(value, std::memory_order_relaxed);
  }
  void Record(Stage stage, std::uint64_t from_ns, std::uint64_t to_ns) noexcept {
    block_.stages[static_cast<std::size_t>(stage)].Record(to_ns > from_ns ? to_ns - from_ns : 0);
  }

  // Constant after construction.
  StatsBlock& block_;
  const bool is_on_;
  const EngineClock& engine_clock_;
  Clock& clock_;
  const std::span<StreamStore* const> stores_;

  // Loop only.
  std::uint64_t now_ns_ = 0;  // the newest look at the clock in this round; 0: none yet
  std::uint64_t timed_ns_ = 0;
  std::uint32_t untimed_ = kTimedCommands;  // commands since the turn timed last; the first one is
  bool is_timed_ = false;
  std::uint64_t producers_ = 0;
  std::uint64_t slow_turns_ = 0;  // as shown
};

}  // namespace pawl::inline v0
