#include "pawl/stream_store.h"

#include <bit>
#include <cstring>
#include <new>
#include <random>

#include "pawl/check.h"

namespace pawl::inline v0 {

StreamStore::StreamStore(const AggregateTraits& traits, std::uint32_t streams_max)
    : traits_(traits),
      slot_bytes_(traits.slot_bytes),
      streams_max_(streams_max),
      seed_(std::random_device{}()),
      // At most a quarter full: a probe beyond the first is a branch mispredicted.
      index_mask_(std::bit_ceil(std::uint64_t{streams_max} * 4) - 1),
      index_(std::make_unique<Entry[]>(index_mask_ + 1)),
      slots_(static_cast<std::byte*>(
          ::operator new (streams_max* traits.slot_bytes, std::align_val_t{traits.slot_align}))) {
  std::memset(slots_, 0, streams_max * traits.slot_bytes);  // the loop meets no cold page
}

StreamStore::~StreamStore() {
  for (std::uint32_t i = 0; i < size_; ++i) traits_.destroy(At(i));
  ::operator delete (slots_, std::align_val_t{traits_.slot_align});
}

StreamSlot* StreamStore::Insert(const Key& key) noexcept {
  PAWL_DCHECK(Find(key) == nullptr);
  if (size_ == streams_max_) return nullptr;
  const std::uint64_t hash = Hash(key);
  std::uint64_t at = hash;
  while (index_[at & index_mask_].slot != 0) ++at;
  StreamSlot* slot = At(size_);
  traits_.construct(slot);
  slot->key = key;
  index_[at & index_mask_] = {static_cast<std::uint32_t>(hash >> 32), ++size_};
  return slot;
}

void StreamStore::RemoveNewest() noexcept {
  PAWL_CHECK(size_ > 0);
  StreamSlot* slot = At(size_ - 1);
  std::uint64_t at = Hash(slot->key);
  while (index_[at & index_mask_].slot != size_) ++at;
  // Nothing was inserted behind the newest, so that no probe passes over its entry.
  index_[at & index_mask_] = {0, 0};
  traits_.destroy(slot);
  --size_;
}

std::size_t StreamStore::memory_bytes() const noexcept {
  return streams_max_ * traits_.slot_bytes + (index_mask_ + 1) * sizeof(Entry);
}

}  // namespace pawl::inline v0
