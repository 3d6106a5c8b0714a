#include "pawl/stream_store.h"

#include <bit>
#include <cstring>
#include <new>
#include <random>

#include "pawl/check.h"

namespace pawl::inline v0 {

StreamSlot* StreamLookup::FindFurther(const Key& key, std::uint64_t hash) const noexcept {
  for (std::uint64_t at = hash;; ++at) {
    const Entry entry = EntryAt(at);
    if (entry.slot == 0) return nullptr;
    if (entry.tag != Tag(hash)) continue;
    StreamSlot* slot = At(entry.slot - 1);
    if (slot->key == key) return slot;
  }
}

StreamStore::StreamStore(const AggregateTraits& traits, std::uint32_t streams_max)
    : traits_(traits), streams_max_(streams_max) {
  // At most a quarter full: a probe beyond the first is a branch mispredicted.
  const std::size_t entries = std::bit_ceil(std::uint64_t{streams_max} * 4);
  const std::size_t slots_bytes = streams_max * traits.slot_bytes;
  index_ = std::make_unique<StreamLookup::Entry[]>(entries);
  lookup_.index_ = index_.get();
  lookup_.index_mask_ = entries - 1;
  lookup_.seed_ = std::random_device{}();
  lookup_.slot_bytes_ = traits.slot_bytes;
  lookup_.slots_ =
      static_cast<std::byte*>(::operator new (slots_bytes, std::align_val_t{traits.slot_align}));
  std::memset(lookup_.slots_, 0, slots_bytes);  // the loop meets no cold page
}

StreamStore::~StreamStore() {
  for (std::uint32_t i = 0; i < size_; ++i) traits_.destroy(At(i));
  ::operator delete (lookup_.slots_, std::align_val_t{traits_.slot_align});
}

StreamSlot* StreamStore::Insert(const Key& key) noexcept {
  PAWL_DCHECK(Find(key) == nullptr);
  if (size_ == streams_max_) return nullptr;
  const std::uint64_t hash = lookup_.Hash(key);
  std::uint64_t at = hash;
  while (lookup_.EntryAt(at).slot != 0) ++at;
  StreamSlot* slot = At(size_);
  traits_.construct(slot);
  slot->key = key;
  lookup_.EntryAt(at) = {StreamLookup::Tag(hash), ++size_};
  return slot;
}

void StreamStore::RemoveNewest() noexcept {
  PAWL_CHECK(size_ > 0);
  StreamSlot* slot = At(size_ - 1);
  std::uint64_t at = lookup_.Hash(slot->key);
  while (lookup_.EntryAt(at).slot != size_) ++at;
  // Nothing was inserted behind the newest, so that no probe passes over its entry.
  lookup_.EntryAt(at) = {0, 0};
  traits_.destroy(slot);
  --size_;
}

std::size_t StreamStore::memory_bytes() const noexcept {
  return streams_max_ * traits_.slot_bytes +
         (lookup_.index_mask_ + 1) * sizeof(StreamLookup::Entry);
}

}  // namespace pawl::inline v0
