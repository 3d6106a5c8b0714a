#include "pawl/commit_builder.h"

namespace pawl::inline v0 {

StreamSlot* CommitBuilder::Create(StreamStore& store, const Key& key) noexcept {
  if (is_over_limit_ || created_count_ == kCommitEventsMax) return nullptr;
  const StreamBound bound{.key_high = key.high, .key_low = key.low};
  std::byte* room = writer_.AppendRecord(
      {.kind = RecordKind::kStreamBound, .type = store.category_number, .stream = next_stream_},
      sizeof bound);
  if (room == nullptr) return nullptr;
  StreamSlot* slot = store.Insert(key);
  if (slot == nullptr) return nullptr;
  std::memcpy(room, &bound, sizeof bound);
  slot->number = next_stream_++;
  created_[created_count_++] = &store;
  return slot;
}

CommitBuilder::Applied CommitBuilder::Apply(const CommitOrigin& origin) noexcept {
  Applied applied;
  bool touched_own = false;
  for (std::uint32_t i = 0; i < emitted_count_; ++i) {
    const Emitted& emitted = emitted_[i];
    emitted.evolve(*emitted.slot, emitted.event);
    touched_own |= emitted.slot == own_slot_;
  }
  if (touched_own) applied.version = own_slot_->version;
  if (emitted_count_ == 0) {
    if (origin.session == 0) {
      writer_.AbandonCommit();
      return applied;
    }
    PAWL_CHECK(writer_.AppendRecord({.kind = RecordKind::kAccepted}, 0) != nullptr);
  }
  applied.position = writer_.EndCommit(origin);
  return applied;
}

void CommitBuilder::TakeBack() noexcept {
  writer_.AbandonCommit();
  for (std::uint32_t i = emitted_count_; i > 0; --i) {
    const Emitted& emitted = emitted_[i - 1];
    emitted.slot->version = Version(emitted.slot->version.value() - 1);
    emitted.slot->last = emitted.last_before;
  }
  for (std::uint32_t i = created_count_; i > 0; --i) {
    created_[i - 1]->RemoveNewest();
    --next_stream_;
  }
}

}  // namespace pawl::inline v0
