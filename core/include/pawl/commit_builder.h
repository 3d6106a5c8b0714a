#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "pawl/key.h"
#include "pawl/log_writer.h"
#include "pawl/receipt.h"
#include "pawl/stream_store.h"

namespace pawl::inline v0 {

// Events one command may emit.
inline constexpr std::uint32_t kCommitEventsMax = 1024;

// Collects what one Decide emits, applies it or takes it back. Users see it as Emit and Others.
//   threads   loop only
class CommitBuilder {
 public:
  CommitBuilder(LogWriter& writer, std::span<StreamStore* const> stores,
                std::uint32_t next_stream) noexcept
      : writer_(writer), stores_(stores), next_stream_(next_stream) {}
  CommitBuilder(const CommitBuilder&) = delete;
  CommitBuilder& operator=(const CommitBuilder&) = delete;

  // Where an accepted command is: both 0 if nothing was appended.
  struct Applied {
    Position position{};  // of the commit's last record
    Version version{};    // of the addressed stream; 0 if it was not touched
  };

  // Engine time of the commits from now on.
  void SetTime(std::uint64_t now_ns) noexcept { now_ns_ = now_ns; }

  // Opens a commit for a command to `key` of `store`.
  //   key       stays where it is until the commit ended
  //   slot      what store.Find(key) said earlier; nullptr: looked up again, since a command in
  //             between may have made it
  void Begin(StreamStore& store, const Key& key, StreamSlot* slot) noexcept {
    own_store_ = &store;
    own_key_ = &key;
    own_slot_ = slot != nullptr ? slot : store.Find(key);
    emitted_count_ = 0;
    created_count_ = 0;
    touches_own_ = false;
    is_over_limit_ = false;
    writer_.BeginCommit();
  }

  // An event that Decide built, without its type.
  struct EventBytes {
    std::uint32_t index;  // in the aggregate's Events
    std::uint32_t size;
    const void* bytes;
    EvolveFunction evolve;
  };

  // Adds an event to the addressed stream (`store`, `key` from Begin) or another one.
  void EmitOwn(const EventBytes& event) noexcept {
    if (own_slot_ == nullptr) own_slot_ = Create(*own_store_, *own_key_);
    touches_own_ = true;
    EmitTo(*own_store_, own_slot_, kRecordOwnStream, event);
  }
  void EmitOther(StreamStore& store, const Key& key, const EventBytes& event) noexcept {
    if (&store == own_store_ && key == *own_key_) return EmitOwn(event);
    StreamSlot* slot = store.Find(key);
    if (slot == nullptr) slot = Create(store, key);
    EmitTo(store, slot, 0, event);
  }

  // Evolves the states of all emitted events, in order, and ends the commit. A session's command
  // that emitted nothing leaves a kAccepted record, so that its resend is known.
  Applied Apply(const CommitOrigin& origin) noexcept {
    if (emitted_count_ == 0) [[unlikely]] {
      if (origin.session == 0) {
        writer_.AbandonCommit();
        return {};
      }
      PAWL_CHECK(writer_.AppendRecord({.kind = RecordKind::kAccepted}, 0) != nullptr);
    }
    const Emitted* each = emitted_.data();
    for (std::uint32_t left = emitted_count_; left != 0; --left, ++each) {
      each->evolve(*each->slot, each->event);
    }
    return {.position = writer_.EndCommit(origin),
            .version = touches_own_ ? own_slot_->version : Version()};
  }
  // Leaves no trace in log, states and streams.
  void TakeBack() noexcept;

  // The command will be refused whole as kLimitExceeded.
  void FailLimit() noexcept { is_over_limit_ = true; }
  bool is_over_limit() const noexcept { return is_over_limit_; }
  const Key& key() const noexcept { return *own_key_; }
  StreamSlot* own_slot() const noexcept { return own_slot_; }
  std::uint64_t now_ns() const noexcept { return now_ns_; }
  // True for a stream that this commit made: before the command there was none.
  bool IsNew(const StreamSlot& slot) const noexcept {
    return slot.number >= next_stream_ - created_count_;
  }
  std::uint32_t next_stream() const noexcept { return next_stream_; }

  // The store of an aggregate type, or nullptr if the engine was opened without it.
  StreamStore* StoreOf(TypeTag tag) const noexcept {
    for (StreamStore* store : stores_) {
      if (store->traits().tag == tag) return store;
    }
    return nullptr;
  }

 private:
  struct Emitted {
    EvolveFunction evolve;
    StreamSlot* slot;
    const std::byte* event;  // in the frame buffer
    Position last_before;    // of the slot, to take it back
  };

  StreamSlot* Create(StreamStore& store, const Key& key) noexcept;

  // Copies an event that Decide built a moment ago. Word by word: wider loads would wait until the
  // narrower stores of its fields reach the cache (measured: half the time of an emit). Volatile
  // keeps the compiler from widening them.
  static void CopyEvent(std::byte* into, const void* event, std::uint32_t size) noexcept {
    constexpr std::uint32_t kWordsUpTo = 256;  // beyond, the wait is short beside the copy
    const auto address = reinterpret_cast<std::uintptr_t>(event);
    if (size > kWordsUpTo || ((address | size) & 7) != 0) {
      std::memcpy(into, event, size);
      return;
    }
    using Word [[gnu::may_alias]] = std::uint64_t;
    const auto* from = static_cast<const volatile Word*>(event);
    for (std::uint32_t i = 0; i < size / 8; ++i) {
      const std::uint64_t word = from[i];
      std::memcpy(into + i * 8, &word, 8);
    }
  }

  void EmitTo(StreamStore& store, StreamSlot* slot, std::uint8_t flags,
              const EventBytes& event) noexcept {
    if (slot == nullptr || is_over_limit_ || emitted_count_ == kCommitEventsMax) {
      is_over_limit_ = true;
      return;
    }
    const Position position = writer_.next_position();
    std::byte* room = writer_.AppendRecord({.kind = RecordKind::kEvent,
                                            .flags = flags,
                                            .type = store.type_numbers[event.index],
                                            .stream = slot->number,
                                            .version = slot->version.Next(),
                                            .back_link = slot->last},
                                           event.size);
    if (room == nullptr) {
      is_over_limit_ = true;
      return;
    }
    CopyEvent(room, event.bytes, event.size);
    emitted_[emitted_count_++] = {event.evolve, slot, room, slot->last};
    slot->version = slot->version.Next();
    slot->last = position;
  }

  // Constant after construction.
  LogWriter& writer_;
  const std::span<StreamStore* const> stores_;

  // Of the open commit.
  StreamStore* own_store_ = nullptr;
  StreamSlot* own_slot_ = nullptr;  // nullptr: the aggregate does not exist
  const Key* own_key_ = nullptr;
  std::uint64_t now_ns_ = 0;
  std::uint32_t emitted_count_ = 0;
  std::uint32_t created_count_ = 0;
  bool touches_own_ = false;
  bool is_over_limit_ = false;

  std::uint32_t next_stream_;  // number of the next new stream
  std::array<Emitted, kCommitEventsMax> emitted_;
  std::array<StreamStore*, kCommitEventsMax> created_;  // stores of streams made by this commit
};

}  // namespace pawl::inline v0
