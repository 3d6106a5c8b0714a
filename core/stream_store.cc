#include "pawl/stream_store.h"

#include <bit>
#include <cstring>
#include <new>
#include <random>

#include "pawl/check.h"

namespace pawl::inline v0 {

StreamSlot* StreamLookup::FindFurther(const Key& key, std::uint64_t hash) const noexcept {
  const Entry& entry = FirstEntry(hash, [&](const Entry& each) noexcept {
    return each.tag == 0 || (each.tag == Tag(hash) && At(each.slot)->key == key);
  });
  return entry.tag == 0 ? nullptr : At(entry.slot);
}

StreamStore::StreamStore(const AggregateTraits& traits, std::uint32_t streams_max)
    : traits_(traits), streams_max_(streams_max) {
  // At most a quarter full: a probe beyond the first pair, which one key in thirty needs then, is a
  // branch mispredicted.
  const std::size_t pairs = std::bit_ceil(std::uint64_t{streams_max} * 2);
  const std::size_t slots_bytes = streams_max * traits.slot_bytes;
  index_ = std::make_unique<StreamLookup::Pair[]>(pairs);
  lookup_.index_ = index_.get();
  lookup_.index_mask_ = pairs - 1;
  std::random_device random;
  // Half of a key is often 0: of the product, never.
  std::uniform_int_distribution<std::uint64_t> words(1);
  lookup_.seed_ = Key(words(random), words(random));
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
  StreamLookup::Entry& entry = lookup_.FirstEntry(
      hash, [](const StreamLookup::Entry& each) noexcept { return each.tag == 0; });
  StreamSlot* slot = At(size_);
  traits_.construct(slot);
  slot->key = key;
  entry = {StreamLookup::Tag(hash), size_++};
  return slot;
}

void StreamStore::RemoveNewest() noexcept {
  PAWL_CHECK(size_ > 0);
  StreamSlot* slot = At(--size_);
  // Nothing was inserted behind the newest, so that no probe passes over its entry.
  lookup_.FirstEntry(lookup_.Hash(slot->key), [this](const StreamLookup::Entry& each) noexcept {
    return each.slot == size_ && each.tag != 0;
  }) = {};
  traits_.destroy(slot);
}

std::size_t StreamStore::memory_bytes() const noexcept {
  return streams_max_ * traits_.slot_bytes + (lookup_.index_mask_ + 1) * sizeof(StreamLookup::Pair);
}

}  // namespace pawl::inline v0
