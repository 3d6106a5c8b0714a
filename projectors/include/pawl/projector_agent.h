#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "pawl/agent.h"
#include "pawl/agent_meter.h"
#include "pawl/cache_line.h"
#include "pawl/doorbell.h"
#include "pawl/engine.h"
#include "pawl/event.h"
#include "pawl/key.h"
#include "pawl/log_reader.h"
#include "pawl/mark_waiters.h"
#include "pawl/outcome.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

// What every projector does whatever it projects: it learns types and keys from the log, tells its
// position, wakes who waits for it, and stops with a reason.
//   threads   the agent's, but where a comment says otherwise
//
// Memory ordering: what was shown to queries before Reached(position) is visible to who saw
// position() at least there, or returned Ok from WaitUntil().
class ProjectorAgent : public Agent {
 public:
  ProjectorAgent(Engine& engine, std::span<const EventDescriptor* const> events);

  Doorbell& bell() noexcept override { return bell_; }
  std::string_view name() const noexcept override { return "pawl-projector"; }

  void UseMeter(const AgentMeter& meter) noexcept override { meter_ = meter; }
  void EngineStopped() noexcept override;

  // Of the newest record that queries see. Threads: any.
  Position position() const noexcept {
    // Acquire: pairs with the release in Reached().
    return Position(position_.load(std::memory_order_acquire));
  }
  // Threads: any.
  absl::Status status() const;
  //   errors    DEADLINE_EXCEEDED; UNAVAILABLE the engine stopped; or why the projector stopped
  //   threads   any; host-driven: the host's, and it runs the engine
  absl::Status WaitUntil(Engine& engine, Position least, std::chrono::nanoseconds timeout);

 protected:
  static constexpr std::uint16_t kNotMine = 0xFFFF;
  // Of a name that the projection lists, in a version that it does not, nor upcasts.
  static constexpr std::uint16_t kNotListed = 0xFFFE;

  const Log& log() const noexcept { return log_; }
  bool is_stopped() const noexcept {
    // Acquire: pairs with the release in Stop().
    return is_stopped_.load(std::memory_order_acquire);
  }

  bool has_engine_stopped() const noexcept {
    // Acquire: the last position before it. Pairs with the release in EngineStopped().
    return has_engine_stopped_.load(std::memory_order_acquire);
  }

  // Index of an event record's type in the projection's Events and, behind them, their older
  // versions; or kNotListed, kNotMine.
  std::uint16_t IndexOf(const RecordHeader& header) const noexcept {
    return header.type < types_known_ ? index_by_type_[header.type] : kNotMine;
  }
  // The same of the closing of a stream, by its category.
  std::uint16_t IndexOfClosing(const RecordHeader& header) const noexcept {
    return header.type < index_by_category_.size() ? index_by_category_[header.type] : kNotMine;
  }
  const Key& KeyOf(const RecordHeader& header) const noexcept { return keys_[header.stream]; }

  // Takes in a record that is no event.
  void Learn(const RecordHeader& header);
  // Says that queries see everything up to `position`.
  //   oldest_ns   engine time of the oldest frame that they did not see before
  void Reached(Position position, std::uint64_t oldest_ns) noexcept {
    // Release: the shown state before its position. Pairs with the acquire in position().
    position_.store(position.value(), std::memory_order_release);
    waiters_.Notify();
    meter_.Shown(position, oldest_ns);
  }
  void Stop(absl::Status why);
  // At an event for which On failed; if it did not, which is of kNotListed or none of its type.
  void StopAt(const RecordView& record, std::uint16_t event, const Outcome& outcome);
  // No event is the projection's from now on.
  void PassOverEvents() noexcept {
    types_known_ = 0;
    index_by_category_.clear();
  }

 private:
  absl::Status LearnType(const RecordHeader& header);
  absl::Status NotListed(const RecordView& record) const;
  void LearnCategory(const RecordHeader& header);

  const Log& log_;
  const std::span<const EventDescriptor* const> events_;
  std::vector<std::uint16_t> index_by_type_;      // by type number
  std::uint32_t types_known_ = 0;                 // its size; 0 once it stopped
  std::vector<std::uint16_t> index_by_category_;  // of its closings, by category number
  std::vector<Key> keys_;                         // by stream number; [0] unused
  // Of kNotListed: type number, name and version.
  std::vector<std::pair<std::uint16_t, std::string>> not_listed_;
  absl::Status status_;  // guarded by is_stopped_
  AgentMeter meter_;

  Doorbell bell_;
  MarkWaiters waiters_;
  // Writer: the agent. Readers: queries. Guards the state shown; only grows.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> position_{0};
  // Writer: the agent, once. Readers: any. Guards status_.
  std::atomic<bool> is_stopped_{false};
  // Writer: who stops the engine, once. Readers: any. Guards nothing that position_ does not.
  std::atomic<bool> has_engine_stopped_{false};
};

}  // namespace pawl::inline v0
