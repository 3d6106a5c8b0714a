#include "pawl/commit_builder.h"

#include <cstring>

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

StreamSlot* CommitBuilder::FindAgain(const Key& key) const noexcept {
  return own_store_->Find(key);
}

Verdict CommitBuilder::EvolveOrRefuse(Verdict verdict) const noexcept {
  if (is_over_limit_) return {VerdictKind::kLimitExceeded, 0};
  if (!verdict.is_accepted()) return verdict;
  for (const Emitted* each = emitted_.data(); each != emitted_end_; ++each) {
    each->evolve(*each->slot, each->event);
  }
  return verdict;
}

void CommitBuilder::TakeBack() noexcept {
  writer_.AbandonCommit();
  for (const Emitted* each = emitted_end_; each != emitted_.data();) {
    --each;
    each->slot->version = Version(each->slot->version.value() - 1);
    const auto* header = reinterpret_cast<const RecordHeader*>(each->event) - 1;
    each->slot->last = Position(header->back_link);
  }
  for (std::uint32_t i = created_count_; i > 0; --i) {
    created_[i - 1]->RemoveNewest();
    --next_stream_;
  }
}

}  // namespace pawl::inline v0
