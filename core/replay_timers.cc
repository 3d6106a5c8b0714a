#include "replay_timers.h"

#include <cstring>
#include <span>
#include <string>

#include "pawl/check.h"
#include "pawl/event.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

namespace {

absl::Status Contradiction(const RecordView& record, std::string_view what) {
  return absl::DataLossError("position " + std::to_string(record.position.value()) + ": " +
                             std::string(what));
}

// The payload of one of the records that end a timer.
template <class T>
bool Read(const RecordView& record, T& payload) {
  if (record.header.payload_bytes() != sizeof payload) return false;
  std::memcpy(&payload, record.payload(), sizeof payload);
  return true;
}

}  // namespace

absl::Status ReplayTimers::CheckPlace(const RecordView& record, bool is_first) {
  const bool is_fired = record.header.kind == RecordKind::kTimerFired;
  if (is_fired == (is_first && record.commit.cause == CommitCause::kTimer)) return {};
  return Contradiction(record, is_fired ? "a timer fired in the middle of a commit, or in one that "
                                          "something else caused"
                                        : "a timer's commit that no timer begins");
}

absl::Status ReplayTimers::CheckRecord(const RecordView& record, const TypeCatalog& catalog) {
  const RecordHeader& header = record.header;
  if (header.version() != 0 || header.back_link != 0) {
    return Contradiction(record, "timer record with a version or back-link");
  }
  const TypeCatalog::Type* const type = catalog.TypeOf(header.type);
  if (type == nullptr) return Contradiction(record, "timer of an unbound type");
  if (header.kind != RecordKind::kTimerSet) return absl::OkStatus();
  const std::uint32_t bytes = header.payload_bytes();
  if (bytes < sizeof(TimerSetPayload)) return Contradiction(record, "timer record too short");
  if (bytes - sizeof(TimerSetPayload) == type->bytes) return absl::OkStatus();
  return Contradiction(record, "timer of a wrong size");
}

absl::Status ReplayTimers::Take(const RecordView& record, StreamStore& store, StreamSlot& slot) {
  return record.header.kind == RecordKind::kTimerSet ? TakeSet(record, store, slot)
                                                     : TakeEnd(record);
}

absl::Status ReplayTimers::TakeSet(const RecordView& record, StreamStore& store, StreamSlot& slot) {
  TimerSetPayload set;
  const std::uint32_t bytes = record.header.payload_bytes();
  std::memcpy(&set, record.payload(), sizeof set);
  set_[{record.header.stream, record.header.type, set.id}] = {
      .store = &store,
      .slot = &slot,
      .due_ns = set.due_ns,
      .position = record.position.value(),
      .timer = {record.payload() + sizeof set, record.payload() + bytes}};
  return absl::OkStatus();
}

// Fired or cancelled.
absl::Status ReplayTimers::TakeEnd(const RecordView& record) {
  TimerFiredPayload fired{};
  TimerCancelledPayload cancelled{};
  const bool is_fired = record.header.kind == RecordKind::kTimerFired;
  if (!(is_fired ? Read(record, fired) : Read(record, cancelled))) {
    return Contradiction(record, "record of a timer's end of a wrong size");
  }
  const std::uint64_t id = is_fired ? fired.id : cancelled.id;
  const auto found = set_.find({record.header.stream, record.header.type, id});
  const std::uint64_t position = is_fired ? fired.set_position : cancelled.set_position;
  if (found == set_.end() || found->second.position != position) {
    return Contradiction(record, is_fired ? "a timer fired that was not set"
                                          : "a timer was cancelled that was not set");
  }
  if (is_fired) {
    if (record.frame.time_ns < found->second.due_ns) {
      return Contradiction(record, "a timer fired before it was due");
    }
    if (fired.outcome > static_cast<std::uint16_t>(VerdictKind::kLimitExceeded) ||
        (fired.outcome != 0 && record.commit.records != 1)) {
      return Contradiction(record, "a timer that was refused, and did something");
    }
  }
  set_.erase(found);
  return absl::OkStatus();
}

void ReplayTimers::DropStream(std::uint32_t stream) {
  set_.erase(set_.lower_bound({stream, 0, 0}), set_.lower_bound({stream + 1, 0, 0}));
}

absl::Status ReplayTimers::Restore(const TypeCatalog& catalog, TimerTable* table) const {
  for (const auto& [id, set] : set_) {
    if (absl::Status s = RestoreOne(catalog, id, set, table); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status ReplayTimers::RestoreOne(const TypeCatalog& catalog, const Id& id, const Set& set,
                                      TimerTable* table) const {
  const std::string where = "position " + std::to_string(set.position) + ": ";
  const TypeCatalog::Type* const type = catalog.TypeOf(id.type);
  PAWL_CHECK(type != nullptr);  // CheckRecord()
  const AggregateTraits& aggregate = set.store->traits();
  std::uint16_t index = 0;
  while (index < aggregate.timers.size() &&
         (aggregate.timers[index].descriptor->name != type->name ||
          aggregate.timers[index].descriptor->version != type->version)) {
    ++index;
  }
  if (index == aggregate.timers.size()) {
    return absl::FailedPreconditionError(where + "the timer " + type->name + " version " +
                                         std::to_string(type->version) + " of category " +
                                         std::string(aggregate.category) +
                                         " is set, which does not list it in its Timers; add it");
  }
  // A log may say another size beside the same layout.
  if (set.timer.size() != aggregate.timers[index].descriptor->bytes) {
    return absl::DataLossError(where + "timer of a wrong size");
  }
  const std::uint32_t timer = table->Make(
      {.stream = set.slot, .store = set.store, .number = id.stream, .type = index, .id = id.id},
      set.due_ns, set.position, set.timer);
  if (timer == kNoTimer) {
    return absl::ResourceExhaustedError(std::to_string(set_.size()) +
                                        " timers are set in the log, more than timers_max; raise "
                                        "the limit");
  }
  table->Arm(timer);
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
