#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "pawl/condition.h"
#include "pawl/event.h"
#include "pawl/key.h"
#include "pawl/position.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

// What the engine knows of one aggregate besides its State, which stands behind it in memory.
struct StreamSlot {
  Key key;
  Version version;  // of its newest event
  Position last;    // of its newest event: the next one's back-link
  // In the log, below 2^32; 0: not bound yet. As wide as the word it becomes a part of: g++ 12
  // spills a narrower one as 32 bits and reloads 64, which waits for the store (measured: a third
  // of the time of a decision).
  std::uint64_t number = 0;
};

// Whether a stream is as a condition wants it; nullptr: there is none.
inline bool HoldsOn(Condition condition, const StreamSlot* slot) noexcept {
  return slot == nullptr ? condition.Holds(Version(), Position())
                         : condition.Holds(slot->version, slot->last);
}

using EvolveFunction = void (*)(StreamSlot& slot, const std::byte* event) noexcept;

class CommitBuilder;
class StateHasher;
struct CommandSlot;

// What became of the first commands of a run.
struct DecidedRun {
  std::uint32_t accepted;  // so many, whose commits are staged and receipts written
  Verdict verdict;         // not accepted: the next one's, which left no trace; a conflict: with
                           // the condition on its own stream
};

// Decides commands of one type, evolves what they emit and ends their commits: the first one of
// `run`, and those behind it, until one has another type (or conditions on other streams) or is not
// accepted, or until a frame was published. One whose stream was not found, or guessed wrong, is
// looked up again and decided alone.
//   streams   for each command what StreamLookup::Guess() said of its key
//   receipts  room for one for each command
using DecideRunFunction = DecidedRun (*)(CommitBuilder& builder, std::span<const CommandSlot> run,
                                         StreamSlot* const* streams,
                                         PackedReceipt* receipts) noexcept;

struct EventTraits {
  const EventDescriptor* descriptor;
  EvolveFunction evolve;
};

// Fires a timer of one type: a commit that begins with the record that says so, then what Decide
// emits, evolved. Not accepted, it leaves no trace.
//   timer     its bytes
using FireFunction = Verdict (*)(CommitBuilder& builder, StreamSlot& stream,
                                 const std::byte* timer) noexcept;

struct TimerTraits {
  const EventDescriptor* descriptor;
  FireFunction fire;
  std::string_view name;  // for people
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
  std::span<const DecideRunFunction> decides;    // by index in the aggregate's Commands
  std::span<const std::string_view> commands{};  // their names, for people
  // Adds the State to a hash; nullptr: it cannot be hashed.
  void (*hash)(const StreamSlot& slot, StateHasher& into) noexcept = nullptr;
  std::span<const TimerTraits> timers{};  // by index in the aggregate's Timers
};

// Finds slots by key. Small, so that a copy stays in registers over many lookups; valid as long as
// the store that it is of.
//   threads   loop only
class StreamLookup {
 public:
  // nullptr: the store does not know the key.
  StreamSlot* Find(const Key& key) const noexcept {
    StreamSlot* slot = Guess(key);
    return slot == nullptr || slot->key == key ? slot : FindFurther(key, Hash(key));
  }
  // The same without a look at the slot, whose line may have to be fetched first: if it turns out
  // to have another key, nothing is known.
  StreamSlot* Guess(const Key& key) const noexcept {
    const std::uint64_t hash = Hash(key);
    const Pair& pair = PairAt(hash);
    // Without a branch: which of the two it is cannot be predicted.
    const Entry entry = pair[pair[1].tag == Tag(hash) ? 1 : 0];
    if (entry.tag == Tag(hash)) [[likely]]
      return At(entry.slot);
    return FindFurther(key, hash);
  }

 private:
  friend class StreamStore;

  struct Entry {
    std::uint32_t tag;  // from the hash; 0: empty
    std::uint32_t slot;
  };

  // Looked at together; a key that finds its pair full goes to the next one.
  using Pair = std::array<Entry, 2>;

  // Probes one pair after the other: out of the way of those that are found at once.
  [[gnu::noinline]] StreamSlot* FindFurther(const Key& key, std::uint64_t hash) const noexcept;
  Pair& PairAt(std::uint64_t at) const noexcept { return index_[at & index_mask_]; }
  // The first entry on the way from `hash` for which `is_wanted` holds; there must be one.
  template <class IsWanted>
  Entry& FirstEntry(std::uint64_t hash, IsWanted&& is_wanted) const noexcept {
    for (std::uint64_t at = hash;; ++at) {
      for (Entry& entry : PairAt(at)) {
        if (is_wanted(entry)) return entry;
      }
    }
  }
  StreamSlot* At(std::uint32_t slot) const noexcept {
    return reinterpret_cast<StreamSlot*>(slots_ + slot * slot_bytes_);
  }
  static std::uint32_t Tag(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32) | 1;
  }
  std::uint64_t Hash(const Key& key) const noexcept {
    // Seeded per store, since clients choose keys. Both halves of the product, so that every bit of
    // one factor reaches the low bits too.
    __extension__ using Product = unsigned __int128;
    const Product product = static_cast<Product>(key.low ^ seed_.low) * (key.high ^ seed_.high);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  // Constant once the store is made.
  Pair* index_ = nullptr;
  std::uint64_t index_mask_ = 0;
  Key seed_;
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
  std::vector<std::uint16_t> type_numbers;   // by index in traits().events
  std::vector<std::uint16_t> timer_numbers;  // by index in traits().timers

 private:
  const AggregateTraits& traits_;
  const std::uint32_t streams_max_;
  StreamLookup lookup_;
  std::unique_ptr<StreamLookup::Pair[]> index_;
  std::uint32_t size_ = 0;
};

}  // namespace pawl::inline v0
