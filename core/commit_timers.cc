#include "commit_timers.h"

#include <cstring>

#include "pawl/check.h"

namespace pawl::inline v0 {

std::byte* CommitTimers::Append(RecordKind kind, const TimerName& name,
                                std::size_t bytes) noexcept {
  return writer_.AppendRecord(
      {.kind = kind, .type = name.store->timer_numbers[name.type], .stream = name.number},
      static_cast<std::uint32_t>(bytes));
}

bool CommitTimers::Set(const TimerName& name, std::uint64_t due_ns,
                       std::span<const std::byte> timer) noexcept {
  if (change_count_ == kCommitTimersMax) return false;
  const std::uint64_t position = writer_.next_position().value();
  const TimerSetPayload payload{.id = name.id, .due_ns = due_ns};
  std::byte* const room = Append(RecordKind::kTimerSet, name, sizeof payload + timer.size());
  if (room == nullptr) return false;
  std::memcpy(room, &payload, sizeof payload);
  // A timer without fields has no bytes, and memcpy takes no null.
  if (!timer.empty()) std::memcpy(room + sizeof payload, timer.data(), timer.size());
  const std::uint32_t old = table_.Find(name);
  if (old != kNoTimer) table_.Hide(old);
  const std::uint32_t made = table_.Make(name, due_ns, position, timer);
  changes_[change_count_++] = {made, old};
  return made != kNoTimer;
}

bool CommitTimers::Cancel(const TimerName& name) noexcept {
  const std::uint32_t old = table_.Find(name);
  if (old == kNoTimer) return true;
  if (change_count_ == kCommitTimersMax) return false;
  const TimerCancelledPayload payload{.id = name.id, .set_position = table_.At(old).order};
  std::byte* const room = Append(RecordKind::kTimerCancelled, name, sizeof payload);
  if (room == nullptr) return false;
  std::memcpy(room, &payload, sizeof payload);
  table_.Hide(old);
  changes_[change_count_++] = {kNoTimer, old};
  return true;
}

void CommitTimers::Keep() noexcept {
  for (const Change& change : std::span(changes_).first(change_count_)) {
    // Also one that an earlier change of this commit made, and armed.
    if (change.old != kNoTimer) {
      table_.Disarm(change.old);
      table_.Free(change.old);
    }
    if (change.made != kNoTimer) table_.Arm(change.made);
    ++(change.made != kNoTimer ? counts_.set : counts_.cancelled);
  }
  change_count_ = 0;
}

void CommitTimers::TakeBack() noexcept {
  for (; change_count_ > 0; --change_count_) {
    const Change& change = changes_[change_count_ - 1];
    if (change.made != kNoTimer) {
      table_.Hide(change.made);
      table_.Free(change.made);
    }
    if (change.old != kNoTimer) table_.Show(change.old);
  }
}

void CommitTimers::DropStream(std::uint32_t stream) noexcept {
  const std::uint32_t live = table_.live();
  table_.DropStream(stream);
  counts_.cancelled += live - table_.live();
}

// As in CommitBuilder::BeginDecision() and EndDecisions().
void CommitTimers::NoteFiring(std::uint64_t position) const noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // Relaxed: read when this process is no more.
  note_->store(position, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

Verdict CommitTimers::Fire(std::uint32_t timer, CommitBuilder& builder) noexcept {
  const TimerName name = table_.At(timer).name;
  firing_ = timer;
  // Its name is free for the one that Decide may set; its bytes stay until that is over.
  table_.Disarm(timer);
  table_.Hide(timer);
  builder.BeginRun(*name.store, 0);
  NoteFiring(table_.At(timer).order);
  const Verdict verdict =
      name.store->traits().timers[name.type].fire(builder, *name.stream, table_.payload(timer));
  NoteFiring(0);
  if (!verdict.is_accepted()) {
    writer_.BeginCommit();
    RecordFired(verdict);
    static_cast<void>(writer_.EndCommit({.cause = CommitCause::kTimer}));
    ++counts_.refused;
  }
  ++counts_.fired;
  table_.Free(timer);
  return verdict;
}

void CommitTimers::RecordFired(Verdict outcome) noexcept {
  const TimerTable::Timer& timer = table_.At(firing_);
  const TimerFiredPayload payload{.id = timer.name.id,
                                  .set_position = timer.order,
                                  .outcome = static_cast<std::uint16_t>(outcome.kind()),
                                  .code = outcome.code(),
                                  .reserved = 0};
  std::byte* const room = Append(RecordKind::kTimerFired, timer.name, sizeof payload);
  PAWL_CHECK(room != nullptr);  // first of its commit
  std::memcpy(room, &payload, sizeof payload);
}

}  // namespace pawl::inline v0
