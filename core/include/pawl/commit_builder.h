#pragma once

#include <array>
#include <cstdint>
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

  // Commits from now on are of commands to aggregates of `store`.
  void SetStore(StreamStore& store) noexcept { own_store_ = &store; }

  // Opens a commit for a command to `key`.
  //   key       stays where it is until the commit ended
  //   slot      what the store's Find(key) said earlier; nullptr: looked up again, since a command
  //             in between may have made it
  void Begin(const Key& key, StreamSlot* slot) noexcept {
    own_key_ = &key;
    own_slot_ = slot;
    if (slot == nullptr) [[unlikely]]
      own_slot_ = FindAgain(key);
    emitted_end_ = emitted_.data();
    emitted_limit_ = emitted_.data() + emitted_.size();
    created_count_ = 0;
    touches_own_ = false;
    is_over_limit_ = false;
    writer_.BeginCommit();
  }

  // What the engine needs of an event besides its bytes.
  struct EventKind {
    std::uint32_t index;  // in the aggregate's Events
    std::uint32_t size;
    EvolveFunction evolve;
  };

  // Adds an event to the addressed stream (SetStore(), Begin()) or another one.
  //   returns   where the event's bytes go, to be written before the commit ends; nullptr: the
  //             command went over a limit
  std::byte* EmitOwn(const EventKind& kind) noexcept {
    if (own_slot_ == nullptr) [[unlikely]]
      own_slot_ = Create(*own_store_, *own_key_);
    touches_own_ = true;
    return EmitTo(*own_store_, own_slot_, kRecordOwnStream, kind);
  }
  std::byte* EmitOther(StreamStore& store, const Key& key, const EventKind& kind) noexcept {
    if (&store == own_store_ && key == *own_key_) return EmitOwn(kind);
    StreamSlot* slot = store.Find(key);
    if (slot == nullptr) slot = Create(store, key);
    return EmitTo(store, slot, 0, kind);
  }

  // If exactly one event was emitted and nothing is over a limit: what
  // try_evolve(EvolveFunction, StreamSlot&, const std::byte* event) says of it; else false.
  template <class TryEvolve>
  bool TryEvolveTheOne(TryEvolve&& try_evolve) const noexcept {
    if (emitted_end_ != emitted_.data() + 1 || is_over_limit_) [[unlikely]]
      return false;
    const Emitted& one = emitted_.front();
    return try_evolve(one.evolve, *one.slot, one.event);
  }
  // Evolves what was emitted, in order, if `verdict` accepts it.
  //   returns   the verdict, or kLimitExceeded
  [[gnu::noinline]] Verdict EvolveOrRefuse(Verdict verdict) const noexcept;

  // Ends the commit, whose events are evolved. A session's command that emitted nothing leaves a
  // kAccepted record, so that its resend is known.
  Applied Apply(const CommitOrigin& origin) noexcept {
    if (emitted_end_ == emitted_.data()) [[unlikely]] {
      if (origin.session == 0) {
        writer_.AbandonCommit();
        return {};
      }
      PAWL_CHECK(writer_.AppendRecord({.kind = RecordKind::kAccepted}, 0) != nullptr);
    }
    return {.position = writer_.EndCommit(origin),
            .version = touches_own_ ? own_slot_->version : Version()};
  }
  // Leaves no trace in log, states and streams.
  void TakeBack() noexcept;

  // The command will be refused whole as kLimitExceeded.
  void FailLimit() noexcept {
    is_over_limit_ = true;
    emitted_limit_ = emitted_end_;
  }
  const Key& key() const noexcept { return *own_key_; }
  StreamSlot* own_slot() const noexcept { return own_slot_; }
  std::uint64_t now_ns() const noexcept { return now_ns_; }
  // True for a stream that this commit made: before the command there was none.
  bool IsNew(const StreamSlot& slot) const noexcept {
    return slot.number >= next_stream_ - created_count_;
  }

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
    const std::byte* event;  // in the frame buffer, behind its record header
  };

  [[gnu::noinline]] StreamSlot* Create(StreamStore& store, const Key& key) noexcept;
  [[gnu::noinline]] StreamSlot* FindAgain(const Key& key) const noexcept;

  std::byte* EmitTo(StreamStore& store, StreamSlot* slot, std::uint8_t flags,
                    const EventKind& kind) noexcept {
    if (slot == nullptr || emitted_end_ == emitted_limit_) [[unlikely]] {
      FailLimit();
      return nullptr;
    }
    std::byte* room = writer_.AppendRecord({.kind = RecordKind::kEvent,
                                            .flags = flags,
                                            .type = store.type_numbers[kind.index],
                                            .stream = slot->number,
                                            .version = slot->version.Next(),
                                            .back_link = slot->last},
                                           kind.size);
    if (room == nullptr) [[unlikely]] {
      FailLimit();
      return nullptr;
    }
    *emitted_end_++ = {kind.evolve, slot, room};
    // Read again rather than kept: registers are few here.
    slot->version = slot->version.Next();
    slot->last = Position(writer_.next_position().value() - 1);
    return room;
  }

  // Constant after construction.
  LogWriter& writer_;
  const std::span<StreamStore* const> stores_;

  // Of the open commit.
  StreamStore* own_store_ = nullptr;
  StreamSlot* own_slot_ = nullptr;  // nullptr: the aggregate does not exist
  const Key* own_key_ = nullptr;
  std::uint64_t now_ns_ = 0;
  Emitted* emitted_end_ = nullptr;
  Emitted* emitted_limit_ = nullptr;  // emitted_end_, once the command is over a limit
  std::uint32_t created_count_ = 0;
  bool touches_own_ = false;
  bool is_over_limit_ = false;

  std::uint32_t next_stream_;                           // number of the next new stream
  std::array<Emitted, kCommitEventsMax> emitted_;       // up to emitted_end_
  std::array<StreamStore*, kCommitEventsMax> created_;  // stores of streams made by this commit
};

}  // namespace pawl::inline v0
