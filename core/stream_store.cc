#include "pawl/stream_store.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <random>

#include "pawl/check.h"

namespace pawl::inline v0 {

StreamSlot* StreamLookup::FindFurther(const Key& key, std::uint64_t hash) const noexcept {
  const std::uint32_t tag = Tag(hash);
  for (std::uint64_t at = HomeOf(hash); TagAt(at) != 0; ++at) {
    if (TagAt(at) == tag && At(PlaceAt(at))->key == key) return At(PlaceAt(at));
  }
  return nullptr;
}

StreamStore::StreamStore(const AggregateTraits& traits, std::uint32_t streams_max)
    : traits_(traits),
      streams_max_(streams_max),
      mark_shift_(64 - std::countr_zero(std::bit_ceil(
                           std::max(std::uint64_t{streams_max}, std::uint64_t{kMarksMin})))) {
  // At most a quarter full: a probe beyond the first group, which one key in several hundred needs
  // then, is a branch mispredicted.
  const std::size_t groups = std::bit_ceil(std::uint64_t{streams_max});
  const std::size_t slots_bytes = streams_max * traits.slot_bytes;
  index_ = std::make_unique<StreamLookup::Group[]>(groups);
  closings_ = std::make_unique<Position[]>(marks());
  lookup_.index_ = index_.get();
  lookup_.index_mask_ = groups - 1;
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
  for (std::uint32_t place = 0; place < places_used_; ++place) traits_.destroy(lookup_.At(place));
  ::operator delete (lookup_.slots_, std::align_val_t{traits_.slot_align});
}

// The place left last, whose lines are the warmest, else one that was never used.
std::uint32_t StreamStore::TakePlace() noexcept {
  if (free_place_ == kNoPlace) {
    traits_.construct(lookup_.At(places_used_));
    return places_used_++;
  }
  const std::uint32_t place = free_place_;
  StreamSlot* const slot = lookup_.At(place);
  free_place_ = static_cast<std::uint32_t>(slot->number);
  slot->number = 0;
  return place;
}

StreamSlot* StreamStore::Insert(const Key& key) noexcept {
  PAWL_DCHECK(Find(key) == nullptr);
  if (size_ == streams_max_) return nullptr;
  const std::uint64_t hash = lookup_.Hash(key);
  std::uint64_t at = lookup_.HomeOf(hash);
  while (lookup_.TagAt(at) != 0) ++at;
  const std::uint32_t place = TakePlace();
  StreamSlot* const slot = lookup_.At(place);
  slot->key = key;
  lookup_.TagAt(at) = StreamLookup::Tag(hash);
  lookup_.PlaceAt(at) = place;
  ++size_;
  return slot;
}

std::uint32_t StreamStore::PlaceOf(const StreamSlot& slot) const noexcept {
  const auto* const at = reinterpret_cast<const std::byte*>(&slot);
  return static_cast<std::uint32_t>(static_cast<std::size_t>(at - lookup_.slots_) /
                                    traits_.slot_bytes);
}

// Empties the slot's entry of the index, and moves those behind it which are then cut off from
// where they belong: no mark of a removed one is left for later probes to pass over.
void StreamStore::RemoveEntry(const StreamSlot& slot) noexcept {
  const std::uint32_t place = PlaceOf(slot);
  // A distance on the way round.
  const std::uint64_t mask = (lookup_.index_mask_ + 1) * StreamLookup::Group::kEntries - 1;
  std::uint64_t hole = lookup_.HomeOf(slot.key);
  while (lookup_.TagAt(hole) == 0 || lookup_.PlaceAt(hole) != place) ++hole;
  for (std::uint64_t at = hole + 1; lookup_.TagAt(at) != 0; ++at) {
    const std::uint64_t home = lookup_.HomeOf(lookup_.At(lookup_.PlaceAt(at))->key);
    // Its way from home does not lead over the hole.
    if (((at - home) & mask) < at - hole) continue;
    lookup_.TagAt(hole) = lookup_.TagAt(at);
    lookup_.PlaceAt(hole) = lookup_.PlaceAt(at);
    hole = at;
  }
  lookup_.TagAt(hole) = 0;
}

void StreamStore::Remove(StreamSlot& slot) noexcept {
  PAWL_CHECK(size_ > 0 && !slot.key.is_zero());
  RemoveEntry(slot);
  // A free place has a slot too, since guesses of it may be looked at.
  traits_.destroy(&slot);
  traits_.construct(&slot);
  slot.number = free_place_;
  free_place_ = PlaceOf(slot);
  --size_;
}

void StreamStore::Close(StreamSlot& slot, Position position) noexcept {
  closings_[MarkOf(slot.key)] = position;
  Remove(slot);
  ++closed_;
}

std::uint32_t StreamStore::CountProbes(const Key& key) const noexcept {
  const StreamSlot* const slot = Find(key);
  const std::uint64_t home = lookup_.HomeOf(key);
  for (std::uint64_t at = home;; ++at) {
    const bool is_its = slot != nullptr && lookup_.At(lookup_.PlaceAt(at)) == slot;
    if (lookup_.TagAt(at) == 0 || is_its) return static_cast<std::uint32_t>(at - home + 1);
  }
}

std::size_t StreamStore::memory_bytes() const noexcept {
  return streams_max_ * traits_.slot_bytes +
         (lookup_.index_mask_ + 1) * sizeof(StreamLookup::Group) + marks() * sizeof(Position);
}

}  // namespace pawl::inline v0
