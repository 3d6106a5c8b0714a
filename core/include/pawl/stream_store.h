#pragma once

#include <array>
#include <bit>
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
  // Bit of `number`: the open commit closes the stream.
  static constexpr std::uint64_t kIsClosing = std::uint64_t{1} << 32;

  Key key;          // 0: a free place
  Version version;  // of its newest event
  Position last;    // of its newest event: the next one's back-link
  // In the log, below 2^32; 0: not bound yet; of a free place: the next free one. As wide as the
  // word it becomes a part of: g++ 12 spills a narrower one as 32 bits and reloads 64, which waits
  // for the store (measured: a third of the time of a decision).
  std::uint64_t number = 0;

  bool is_closing() const noexcept { return (number & kIsClosing) != 0; }
};

// Evolves a stream's state with an event that stands behind its record header.
//   returns   false: the event's codec does not decode it, and nothing changed
using EvolveFunction = bool (*)(StreamSlot& slot, const std::byte* event) noexcept;

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
  std::uint32_t seen_as = 0;  // of an older version: the event in Events that it is upcast to
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

// What an idempotency key knows a command's type by: the same for all compilers, and for all orders
// of the aggregate's Commands in which those of one name have the same.
struct CommandLabel {
  std::string_view name;     // without scopes and template arguments
  std::uint32_t before = 0;  // commands of that name before it in Commands
};

// Of commands with these names, in the order of Commands.
template <std::size_t kCount>
consteval std::array<CommandLabel, kCount> LabelsOf(
    const std::array<std::string_view, kCount>& names) {
  std::array<CommandLabel, kCount> labels{};
  for (std::size_t i = 0; i < kCount; ++i) {
    labels[i] = {names[i], 0};
    for (std::size_t before = 0; before < i; ++before) {
      labels[i].before += names[before] == names[i] ? 1U : 0U;
    }
  }
  return labels;
}

// An aggregate type without its type.
struct AggregateTraits {
  TypeTag tag;
  std::string_view category;
  std::size_t slot_bytes;
  std::size_t slot_align;
  void (*construct)(StreamSlot* slot) noexcept;  // placement-new of slot and State
  void (*destroy)(StreamSlot* slot) noexcept;
  std::span<const EventTraits> events;             // by index in the aggregate's Events
  std::span<const DecideRunFunction> decides;      // by index in the aggregate's Commands
  std::span<const std::string_view> commands{};    // their names, for people
  std::span<const std::uint32_t> command_bytes{};  // their sizes
  // Adds the State to a hash; nullptr: it cannot be hashed.
  void (*hash)(const StreamSlot& slot, StateHasher& into) noexcept = nullptr;
  // The versions before those in `events`, of each one together, the newest first: they are
  // evolved, never emitted.
  std::span<const EventTraits> older{};
  std::span<const TimerTraits> timers{};   // by index in the aggregate's Timers
  std::span<const CommandLabel> labels{};  // by index in the aggregate's Commands
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
    const Group& group = GroupAt(hash);
    // Without a branch: which of them it is cannot be predicted.
    const unsigned matches = group.Match(Tag(hash));
    if (matches != 0) [[likely]]
      return At(group.places[static_cast<std::size_t>(std::countr_zero(matches))]);
    return FindFurther(key, hash);
  }

 private:
  friend class StreamStore;

  // Entries looked at together; a key that finds its group full goes to the next one.
  struct alignas(32) Group {
    static constexpr std::size_t kEntries = 4;
    std::array<std::uint32_t, kEntries> tags;  // from the hash; 0: empty
    std::array<std::uint32_t, kEntries> places;

    // Bit i: entry i has the tag.
    unsigned Match(std::uint32_t tag) const noexcept {
#if defined(__SSE2__)
      // All compared at once; the signs of what comes out are the bits.
      using Words [[gnu::vector_size(16)]] = std::uint32_t;
      using Floats [[gnu::vector_size(16)]] = float;
      const auto equal = std::bit_cast<Words>(tags) == tag;
      return static_cast<unsigned>(__builtin_ia32_movmskps(std::bit_cast<Floats>(equal)));
#else
      unsigned matches = 0;
      for (std::size_t i = 0; i < kEntries; ++i) matches |= (tags[i] == tag ? 1U : 0U) << i;
      return matches;
#endif
    }
  };

  // Probes one entry after the other: out of the way of keys that are found at once.
  [[gnu::noinline]] StreamSlot* FindFurther(const Key& key, std::uint64_t hash) const noexcept;
  Group& GroupAt(std::uint64_t at) const noexcept { return index_[at & index_mask_]; }
  // Entries as they are probed, one behind the other; the last one is followed by the first.
  std::uint32_t& TagAt(std::uint64_t at) const noexcept {
    return GroupAt(at / Group::kEntries).tags[at % Group::kEntries];
  }
  std::uint32_t& PlaceAt(std::uint64_t at) const noexcept {
    return GroupAt(at / Group::kEntries).places[at % Group::kEntries];
  }
  // Where the way of a key with this hash begins.
  std::uint64_t HomeOf(std::uint64_t hash) const noexcept {
    return (hash & index_mask_) * Group::kEntries;
  }
  std::uint64_t HomeOf(const Key& key) const noexcept { return HomeOf(Hash(key)); }
  StreamSlot* At(std::uint32_t place) const noexcept {
    return reinterpret_cast<StreamSlot*>(slots_ + place * slot_bytes_);
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
  Group* index_ = nullptr;
  std::uint64_t index_mask_ = 0;
  Key seed_;
  std::byte* slots_ = nullptr;
  std::size_t slot_bytes_ = 0;
};

// All aggregates of one category: slots in dense memory and an index by key. Everything is
// allocated, and its memory touched, when the store is made; nothing grows or is cleaned later, and
// Find(), Insert(), Remove() and Close() are O(1). A place is used again as soon as it is free.
//   threads   loop only
class StreamStore {
 public:
  StreamStore(const AggregateTraits& traits, std::uint32_t streams_max);
  StreamStore(const StreamStore&) = delete;
  StreamStore& operator=(const StreamStore&) = delete;
  ~StreamStore();

  const StreamLookup& lookup() const noexcept { return lookup_; }
  StreamSlot* Find(const Key& key) const noexcept { return lookup_.Find(key); }
  // Adds a key that Find() does not know, if there is a free place. nullptr: full.
  StreamSlot* Insert(const Key& key) noexcept;
  // Takes an Insert() back: the place is free, and its key 0, so that no guess of it is right.
  void Remove(StreamSlot& slot) noexcept;
  // The same, of an aggregate that was closed by the record at `position`.
  void Close(StreamSlot& slot, Position position) noexcept;
  // Where the newest aggregate with this key was closed, or with a key that shares a mark with it:
  // one of at least streams_max and 64 marks, the same after each open. 0: none was.
  Position ClosedAt(const Key& key) const noexcept { return closings_[MarkOf(key)]; }

  std::uint32_t size() const noexcept { return size_; }      // live aggregates
  std::uint64_t closed() const noexcept { return closed_; }  // so far, since the log began
  std::uint32_t streams_max() const noexcept { return streams_max_; }
  std::size_t memory_bytes() const noexcept;
  const AggregateTraits& traits() const noexcept { return traits_; }
  // Calls visit(StreamSlot&) for each live aggregate.
  template <class F>
  void ForEach(F&& visit) const {
    for (std::uint32_t place = 0; place < places_used_; ++place) {
      StreamSlot& slot = *lookup_.At(place);
      if (!slot.key.is_zero()) visit(slot);
    }
  }
  // Entries of the index that Find() looks at for `key`: how far it is from where it belongs.
  std::uint32_t CountProbes(const Key& key) const noexcept;

  // Numbers in this engine's log; set once at Open.
  std::uint16_t category_number = 0;
  std::vector<std::uint16_t> type_numbers;   // by index in traits().events
  std::vector<std::uint16_t> older_numbers;  // in traits().older; 0: the log has none
  std::vector<std::uint16_t> timer_numbers;  // in traits().timers

 private:
  static constexpr std::uint32_t kNoPlace = UINT32_MAX;
  static constexpr std::uint32_t kMarksMin = 64;

  std::uint32_t TakePlace() noexcept;
  void RemoveEntry(const StreamSlot& slot) noexcept;
  std::uint32_t PlaceOf(const StreamSlot& slot) const noexcept;
  std::size_t marks() const noexcept { return std::size_t{1} << (64 - mark_shift_); }
  // Multiplied with the golden ratio, so that keys which follow each other are far apart: of so
  // many in a row as a third of the marks, no two share one.
  std::size_t MarkOf(const Key& key) const noexcept {
    constexpr std::uint64_t kOddWord = 0xC2B2'AE3D'27D4'EB4F;
    constexpr std::uint64_t kGoldenWord = 0x9E37'79B9'7F4A'7C15;
    return (key.low + key.high * kOddWord) * kGoldenWord >> mark_shift_;
  }

  const AggregateTraits& traits_;
  const std::uint32_t streams_max_;
  const int mark_shift_;
  StreamLookup lookup_;
  std::unique_ptr<StreamLookup::Group[]> index_;
  std::unique_ptr<Position[]> closings_;  // by mark
  std::uint32_t places_used_ = 0;         // those behind were never used
  std::uint32_t free_place_ = kNoPlace;   // the one left last; a list through the slots
  std::uint32_t size_ = 0;
  std::uint64_t closed_ = 0;
};

// Whether the stream `key` of a store is as a condition wants it.
//   slot      its own; nullptr: there is none. Without a version it has had a timer, and nothing
//   more
inline bool HoldsOn(Condition condition, const StreamStore& store, const Key& key,
                    const StreamSlot* slot) noexcept {
  return slot == nullptr || slot->version == Version()
             ? condition.Holds(Version(), store.ClosedAt(key))
             : condition.Holds(slot->version, slot->last);
}

}  // namespace pawl::inline v0
