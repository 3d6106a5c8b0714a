// What an Engine knows of timers.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine_parts.h"
#include "pawl/engine.h"

namespace pawl::inline v0 {

namespace {

// How often a host looks for it while timers wait for some.
constexpr std::chrono::milliseconds kRoomLook{1};

}  // namespace

void EngineParts::MakeTimers() {
  std::uint32_t payload_bytes_max = 0;
  bool has_timers = false;
  for (const StreamStore* store : store_list) {
    for (const TimerTraits& timer : store->traits().timers) {
      has_timers = true;
      payload_bytes_max = std::max(payload_bytes_max, timer.descriptor->bytes);
    }
  }
  if (!has_timers) return;
  timer_table =
      std::make_unique<TimerTable>(TimerTable::Setup{.timers_max = options.timers_max,
                                                     .spare = CommitTimers::kSpare,
                                                     .payload_bytes_max = payload_bytes_max,
                                                     .now_ns = engine_clock->now_ns()});
  timers = std::make_unique<CommitTimers>(*timer_table, log->writer());
}

std::chrono::nanoseconds Engine::NextTimer() noexcept {
  if (parts_->options.threads == Threads::kOwn) return std::chrono::nanoseconds::max();
  // The disk makes room, and tells a loop with a thread of its own.
  if (parts_->loop->timers_wait_for_room()) return kRoomLook;
  const std::int64_t delay_ns = parts_->loop->TimerDelayNs();
  return delay_ns < 0 ? std::chrono::nanoseconds::max() : std::chrono::nanoseconds(delay_ns);
}

absl::Status Engine::VisitTimersOf(TypeTag aggregate, std::uint16_t type,
                                   const std::function<void(const SetTimer&)>& visit) {
  const absl::StatusOr<const StreamStore*> store = parts_->StoreOf(aggregate);
  if (!store.ok()) return store.status();
  return parts_->RunOnLoop([&] {
    const TimerTable& table = *parts_->timer_table;
    table.ForEach([&](std::uint32_t number) {
      const TimerTable::Timer& timer = table.At(number);
      if (timer.name.store != *store || timer.name.type != type) return;
      visit({timer.name.stream->key, timer.name.id, timer.due_ns, table.payload(number)});
    });
  });
}

}  // namespace pawl::inline v0
