#pragma once

#include <cstdint>

#include "pawl/clock.h"
#include "pawl/position.h"
#include "pawl/stats_layout.h"

namespace pawl::inline v0 {

// Where an attached agent says how far it is: a handle that Engine::Attach() gives it (see
// Agent::UseMeter()). Without statistics it does nothing and reads no clock.
//   threads   the agent's
//   lifetime  that of the engine
class AgentMeter {
 public:
  AgentMeter() noexcept = default;
  AgentMeter(StatsBlock& block, AgentWords& words, Clock& clock) noexcept
      : block_(&block), words_(&words), clock_(&clock), since_ns_(EngineNow()) {}

  // Something new is shown: all up to `position`.
  //   oldest_ns   engine time of the oldest frame that was not shown before. The time from there on
  //               counts as visible, if the frame is younger than the meter: what a new view
  //               catches up with says nothing of how late it is
  void Shown(Position position, std::uint64_t oldest_ns) noexcept {
    if (block_ == nullptr) return;
    AddTo(words_->shows, 1);
    // Relaxed: one writer, guards nothing.
    words_->position.store(position.value(), std::memory_order_relaxed);
    if (oldest_ns < since_ns_) return;
    const std::uint64_t now_ns = EngineNow();
    const std::uint64_t age_ns = now_ns > oldest_ns ? now_ns - oldest_ns : 0;
    block_->stages[kVisibleStage].RecordShared(age_ns);
    // Relaxed, all: one writer, guards nothing.
    words_->last_age_ns.store(age_ns, std::memory_order_relaxed);
    if (age_ns > words_->most_age_ns.load(std::memory_order_relaxed)) {
      words_->most_age_ns.store(age_ns, std::memory_order_relaxed);
    }
  }

 private:
  std::uint64_t EngineNow() const noexcept {
    // Relaxed: the loop's newest word on it, or the one before; they hardly differ.
    return clock_->BootNs() + block_->loop.engine_offset_ns.load(std::memory_order_relaxed);
  }

  StatsBlock* block_ = nullptr;
  AgentWords* words_ = nullptr;
  Clock* clock_ = nullptr;
  std::uint64_t since_ns_ = 0;  // engine time at which it was given
};

}  // namespace pawl::inline v0
