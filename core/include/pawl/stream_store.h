#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "pawl/event.h"
#include "pawl/key.h"
#include "pawl/position.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

// What the engine knows of one aggregate besides its State, which stands behind it in memory.
struct StreamSlot {
  Key key;
  Version version;           // of its newest event
  Position last;             // of its newest event: the next one's back-link
  std::uint32_t number = 0;  // in the log; 0: not bound yet
};

using EvolveFunction = void (*)(StreamSlot& slot, const std::byte* event) noexcept;

class CommitBuilder;

// Runs a Decide on the commit that `builder` opened and, if that accepted, evolves what it emitted.
using DecideFunction = Verdict (*)(CommitBuilder& builder, const std::byte* command) noexcept;

struct EventTraits {
  const EventDescriptor* descriptor;
  EvolveFunction evolve;
};

// An aggregate type without its type.
struct AggregateTraits {
  TypeTag tag;
  std::string_view category;
  std::size_t slot_bytes;
  std::size_t slot_align;
  void (*construct)(StreamSlot* slot) noexcept;  // placement-new of slot and State
  void (*destroy)(StreamSlot* slot) noexcept;
  std::span<const EventTraits> events;
  std::span<const DecideFunction> decides;  // by index in the aggregate's Commands
};

// Finds slots by key. Small, so that a copy stays in registers over many lookups; valid as long as
// the store that it is of.
//   threads   loop only
class StreamLookup {
 public:
  // nullptr: the store does not know the key.
  StreamSlot* Find(const Key& key) const noexcept {
    const std::uint64_t hash = Hash(key);
    const Entry entry = EntryAt(hash);
    if (entry.tag == Tag(hash) && entry.slot != 0) [[likely]] {
      StreamSlot* slot = At(entry.slot - 1);
      if (slot->key == key) [[likely]]
        return slot;
    }
    return FindFurther(key, hash);
  }

 private:
  friend class StreamStore;

  struct Entry {
    std::uint32_t tag;   // high half of the hash
    std::uint32_t slot;  // + 1; 0: empty
  };

  // Probes one entry after the other: out of the way of those that are found at once.
  [[gnu::noinline]] StreamSlot* FindFurther(const Key& key, std::uint64_t hash) const noexcept;
  Entry& EntryAt(std::uint64_t at) const noexcept { return index_[at & index_mask_]; }
  StreamSlot* At(std::uint32_t slot) const noexcept {
    return reinterpret_cast<StreamSlot*>(slots_ + slot * slot_bytes_);
  }
  static std::uint32_t Tag(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32);
  }
  std::uint64_t Hash(const Key& key) const noexcept {
    // Multiply and fold, twice, seeded per process: clients choose keys.
    return Fold(Fold(key.low ^ seed_, kOdd) ^ key.high, seed_ | 1);
  }
  // Both halves of the product, so that every bit of one factor reaches the low bits too.
  static std::uint64_t Fold(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using Product = unsigned __int128;
    const Product product = static_cast<Product>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  static constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;

  // Constant once the store is made.
  Entry* index_ = nullptr;
  std::uint64_t index_mask_ = 0;
  std::uint64_t seed_ = 0;
  std::byte* slots_ = nullptr;
  std::size_t slot_bytes_ = 0;
};

// All aggregates of one category: slots in dense memory and an index by key. Everything is
// allocated, and its memory touched, when the store is made; Find() and Insert() are O(1).
//   threads   loop only
class StreamStore {
 public:
  StreamStore(const AggregateTraits& traits, std::uint32_t streams_max);
  StreamStore(const StreamStore&) = delete;
  StreamStore& operator=(const StreamStore&) = delete;
  ~StreamStore();

  const StreamLookup& lookup() const noexcept { return lookup_; }
  StreamSlot* Find(const Key& key) const noexcept { return lookup_.Find(key); }
  // Adds a key that Find() does not know. nullptr: full.
  StreamSlot* Insert(const Key& key) noexcept;
  // Takes the last Insert() back.
  void RemoveNewest() noexcept;

  std::uint32_t size() const noexcept { return size_; }
  std::size_t memory_bytes() const noexcept;
  const AggregateTraits& traits() const noexcept { return traits_; }
  StreamSlot* At(std::uint32_t slot) const noexcept { return lookup_.At(slot); }

  // Numbers in this engine's log; set once at Open.
  std::uint16_t category_number = 0;
  std::vector<std::uint16_t> type_numbers;  // by index in traits().events

 private:
  const AggregateTraits& traits_;
  const std::uint32_t streams_max_;
  StreamLookup lookup_;
  std::unique_ptr<StreamLookup::Entry[]> index_;
  std::uint32_t size_ = 0;
};

}  // namespace pawl::inline v0
