#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pawl/agent.h"
#include "pawl/clock.h"
#include "pawl/log.h"
#include "pawl/parking.h"
#include "pawl/stats.h"
#include "pawl/stats_layout.h"

namespace pawl::inline v0 {

// Looks at the engine from outside: who is in one round for too long, whether the disk moves, how
// the log is; says so in the statistics and to the host. It asks nobody and waits for nobody: what
// it looks at are words that the agents write anyway.
//
// It runs on a thread of its own, so that no hanging disk or handler keeps it; host-driven at the
// end of rounds of Engine::Poll(). While nothing moves it rests until an agent wakes up.
//   threads   DoWork, HasWork, sleep_ns: one at a time; NoteRound, health: any
class HealthWatch final : public Agent {
 public:
  static constexpr std::size_t kLoop = 0;  // rows of AgentWords
  static constexpr std::size_t kSync = 1;
  static constexpr std::size_t kPreparer = 2;
  static constexpr std::size_t kFirstAttached = 3;
  // Between two looks of a host that is busy.
  static constexpr std::uint64_t kBusyNs = 1'000'000;

  using OnHealth = std::function<void(EngineHealth from, EngineHealth to, std::string_view why)>;

  struct Setup {
    const Log* log;
    StatsBlock* block;
    Clock* clock;
    std::uint64_t stall_after_ns;  // 0: nothing counts as stalled
    OnHealth on_health;
    std::function<void(std::string_view)> on_notice;
  };

  explicit HealthWatch(const Setup& setup);

  // One look. Always 0: there is never more of it to do.
  int DoWork() noexcept override;
  // Boot time of the last one.
  //   threads   who looks
  std::uint64_t looked_ns() const noexcept { return looked_ns_; }
  bool HasWork() noexcept override { return is_quiet() && HasPulseMoved(); }
  Doorbell& bell() noexcept override { return bell_; }
  std::int64_t sleep_ns() noexcept override { return is_quiet() ? -1 : period_ns_; }
  std::string_view name() const noexcept override { return "pawl-health"; }

  // An agent's thread begins a round: AgentWords::BeginRound() came before. One load while nobody
  // rests.
  void NoteRound() noexcept {
    // The two halves are in Doorbell::Wait(), which is reached after is_resting_ was set: either
    // this sees that, or HasWork() sees the pulse.
    KernelParking::LightBarrier();
    // Relaxed: ordered by the barrier pair.
    if (is_resting_.load(std::memory_order_relaxed)) [[unlikely]]
      bell_.Ring();
  }

  // Rows up to this one are looked at.
  //   holds_engine   the row's agent runs on the thread of one of the engine's own: if it hangs, so
  //                  does that one
  //   threads        under the cold mutex
  void UseRow(std::size_t row, bool holds_engine) noexcept {
    // Relaxed, both stores: one writer at a time; a look that misses them is followed by another.
    holds_engine_[row].store(holds_engine, std::memory_order_relaxed);
    // Relaxed: see above.
    if (row >= rows_used()) rows_used_.store(row + 1, std::memory_order_relaxed);
  }

  // The worst that holds: what the log says now, and whether the last look found a stall.
  EngineHealth health() const noexcept;

 private:
  // What the last look saw, and since when it was so, in watched time.
  struct Seen {
    std::uint64_t value = 0;
    std::uint64_t since_ns = 0;
    bool is_stalled = false;
  };

  // Quiet twice over, so that what goes to sleep in between is seen to do so.
  bool is_quiet() const noexcept { return can_rest_ && quiet_looks_ >= 2; }
  bool HasPulseMoved() const noexcept;
  void LookAtTime() noexcept;
  bool LookAtAgent(std::size_t row);
  bool LookAtDisk() noexcept;
  bool IsTooLong(const Seen& seen) const noexcept {
    return stall_after_ns_ != 0 && watched_ns_ - seen.since_ns >= stall_after_ns_;
  }
  EngineHealth Judge() const noexcept;
  std::size_t StalledRow() const noexcept;
  std::string WhyStalled() const;
  void Tell(EngineHealth now);
  std::size_t rows_used() const noexcept {
    // Relaxed: a row more is looked at the next time.
    return rows_used_.load(std::memory_order_relaxed);
  }

  // Constant after construction.
  const Log& log_;
  StatsBlock& block_;
  Clock& clock_;
  const std::uint64_t stall_after_ns_;
  const std::int64_t period_ns_;
  const bool can_rest_;
  const OnHealth on_health_;
  const std::function<void(std::string_view)> on_notice_;

  // Who looks.
  std::vector<Seen> rounds_;  // pulses, by row
  Seen durable_;
  bool has_disk_work_ = false;
  EngineHealth told_ = EngineHealth::kOpen;
  std::uint64_t looked_ns_ = 0;   // boot time of the last look
  std::uint64_t watched_ns_ = 0;  // time under watch
  int quiet_looks_ = 0;

  // By row. Writer: Engine::Attach(). Reader: who looks. Guards nothing.
  std::vector<std::atomic<bool>> holds_engine_;
  // Writer: who looks. Readers: any. Guards nothing.
  std::atomic<EngineHealth> judged_{EngineHealth::kOpen};
  // Writer: Engine::Attach(). Reader: who looks. Only grows; guards nothing.
  std::atomic<std::size_t> rows_used_{kFirstAttached};
  // Writer: who looks. Readers: the agents' threads, each round. Says that the bell must be rung;
  // guards nothing.
  alignas(kCacheLineBytes) std::atomic<bool> is_resting_{false};
  Doorbell bell_;
};

}  // namespace pawl::inline v0
