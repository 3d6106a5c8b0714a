#include "pawl/commit_builder.h"

#include <cstring>

#include "commit_timers.h"

namespace pawl::inline v0 {

bool CommitBuilder::Holds(Condition condition, const Key& key,
                          const StreamSlot* stream) const noexcept {
  return HoldsOn(condition, *own_store_, key, stream);
}

StreamSlot* CommitBuilder::Create(StreamStore& store, const Key& key) noexcept {
  // Numbers are never given again; the last one stays free, so that the next one is always told.
  if (created_count_ == kCommitEventsMax || next_stream_ == UINT32_MAX) return nullptr;
  const StreamBound bound{.key_high = key.high, .key_low = key.low};
  std::byte* room = writer_.AppendRecord(
      {.kind = RecordKind::kStreamBound, .type = store.category_number, .stream = next_stream_},
      sizeof bound);
  if (room == nullptr) return nullptr;
  StreamSlot* slot = store.Insert(key);
  if (slot == nullptr) return nullptr;
  std::memcpy(room, &bound, sizeof bound);
  slot->number = next_stream_++;
  created_[created_count_++] = {&store, slot};
  return slot;
}

void CommitBuilder::Evolve(Emitted first, std::uint32_t count) noexcept {
  emitted_.front() = first;
  for (const Emitted& each : std::span(emitted_).first(count)) each.evolve(*each.slot, each.event);
}

CommitBuilder::Emitted CommitBuilder::BeginClosing(const StreamStore& store, StreamSlot& slot,
                                                   std::uint8_t flags) noexcept {
  const Position position = writer_.next_position();
  const std::byte* const room = writer_.AppendRecord({.kind = RecordKind::kStreamClosed,
                                                      .flags = flags,
                                                      .type = store.category_number,
                                                      .stream = slot.number,
                                                      .version = slot.version,
                                                      .back_link = slot.last},
                                                     0);
  if (room == nullptr) return {};
  slot.number |= StreamSlot::kIsClosing;
  slot.last = position;
  return {[](StreamSlot&, const std::byte*) noexcept { return true; }, &slot, room};
}

void CommitBuilder::CloseStreams(Emitted first, std::uint32_t count) noexcept {
  emitted_.front() = first;
  for (const Emitted& each : std::span(emitted_).first(count)) {
    if (!each.is_closing()) continue;
    if (timers_ != nullptr) timers_->DropStream(each.header().stream);
    for (StreamStore* const store : stores_) {
      if (store->category_number != each.header().type) continue;
      store->Close(*each.slot, each.slot->last);
    }
  }
}

void CommitBuilder::TakeBack(Emitted first, std::uint32_t count) noexcept {
  emitted_.front() = first;
  if (timers_ != nullptr) timers_->TakeBack();
  writer_.AbandonCommit();
  for (std::uint32_t i = count; i > 0; --i) {
    const Emitted& each = emitted_[i - 1];
    StreamSlot& slot = *each.slot;
    slot.last = Position(each.header().back_link);
    if (each.is_closing()) {
      slot.number &= ~StreamSlot::kIsClosing;
    } else {
      slot.version = Version(slot.version.value() - 1);
    }
  }
  for (; created_count_ > 0; --created_count_) {
    const Created& created = created_[created_count_ - 1];
    created.store->Remove(*created.slot);
    --next_stream_;
  }
}

// --- timers ---

TimerName CommitBuilder::NameOf(StreamSlot& stream, TimerKind kind,
                                std::uint64_t id) const noexcept {
  return {.stream = &stream,
          .store = own_store_,
          .number = static_cast<std::uint32_t>(stream.number),
          .type = kind.index,
          .id = id};
}

bool CommitBuilder::SetTimer(StreamSlot& stream, TimerKind kind, std::uint64_t id,
                             std::uint64_t due_ns, const std::byte* timer) noexcept {
  return timers_->Set(NameOf(stream, kind, id), due_ns, {timer, kind.size});
}

bool CommitBuilder::CancelTimer(StreamSlot& stream, TimerKind kind, std::uint64_t id) noexcept {
  return timers_->Cancel(NameOf(stream, kind, id));
}

void CommitBuilder::KeepTimers() noexcept { timers_->Keep(); }

void CommitBuilder::RecordFired() noexcept { timers_->RecordFired(Accept()); }

}  // namespace pawl::inline v0
