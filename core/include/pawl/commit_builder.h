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

// What the commits of an engine need, one after the other: the log, the stores, and room to note
// what one of them did besides its first event, so that it can be evolved or taken back.
//   threads   loop only
class CommitBuilder {
 public:
  CommitBuilder(LogWriter& writer, std::span<StreamStore* const> stores,
                std::uint32_t next_stream) noexcept
      : writer_(writer), stores_(stores), next_stream_(next_stream) {}
  CommitBuilder(const CommitBuilder&) = delete;
  CommitBuilder& operator=(const CommitBuilder&) = delete;

  // An event of the open commit.
  struct Emitted {
    EvolveFunction evolve = nullptr;
    StreamSlot* slot = nullptr;
    const std::byte* event = nullptr;  // in the frame buffer, behind its record header
  };

  // Engine time of the commits from now on.
  void SetTime(std::uint64_t now_ns) noexcept { now_ns_ = now_ns; }
  std::uint64_t now_ns() const noexcept { return now_ns_; }

  // Commits from now on are of commands of session number `session` (0: none) to aggregates of
  // `store`.
  //   flags     of their commits
  void BeginRun(StreamStore& store, std::uint32_t session, std::uint8_t flags = 0) noexcept {
    own_store_ = &store;
    session_ = session;
    commit_flags_ = flags;
    head_bytes_ = sizeof(CommitHeader);
  }
  std::uint8_t commit_flags() const noexcept { return commit_flags_; }
  // The next commit of the run has the extension that was staged; `head_bytes` as of the writer.
  void BeginExtended(std::uint32_t head_bytes) noexcept {
    commit_flags_ |= kCommitHasExtensions;
    head_bytes_ = head_bytes;
  }
  void EndExtended() noexcept {
    commit_flags_ = static_cast<std::uint8_t>(commit_flags_ & ~kCommitHasExtensions);
    head_bytes_ = sizeof(CommitHeader);
  }
  std::uint32_t head_bytes() const noexcept { return head_bytes_; }
  bool is_extended() const noexcept { return head_bytes_ != sizeof(CommitHeader); }
  // A command that emits nothing is known by a record then: its resend, or its key.
  bool keeps_empty_commits() const noexcept { return session_ != 0 || is_extended(); }
  StreamStore& own_store() const noexcept { return *own_store_; }
  std::uint32_t session() const noexcept { return session_; }

  // The store of an aggregate type, or nullptr if the engine was opened without it.
  StreamStore* StoreOf(TypeTag tag) const noexcept {
    for (StreamStore* store : stores_) {
      if (store->traits().tag == tag) return store;
    }
    return nullptr;
  }
  // Binds a new stream in the open commit. nullptr: over a limit.
  [[gnu::noinline]] StreamSlot* Create(StreamStore& store, const Key& key) noexcept;
  // True for a stream that the open commit made: before the command there was none.
  bool IsNew(const StreamSlot& slot) const noexcept {
    return slot.number >= next_stream_ - created_count_;
  }

  // Notes the open commit's event number `index`, counted from 0; the first one is the caller's.
  void Note(std::uint32_t index, const Emitted& emitted) noexcept { emitted_[index] = emitted; }
  const Emitted& noted(std::uint32_t index) const noexcept { return emitted_[index]; }
  // Evolves the open commit's `count` events in order.
  [[gnu::noinline]] void Evolve(Emitted first, std::uint32_t count) noexcept;
  // The open commit ended.
  void EndCommit() noexcept { created_count_ = 0; }
  // Leaves no trace of the open commit in log, states and streams; nothing of it was evolved.
  [[gnu::noinline]] void TakeBack(Emitted first, std::uint32_t count) noexcept;

  LogWriter& writer() const noexcept { return writer_; }

 private:
  // Constant after construction.
  LogWriter& writer_;
  const std::span<StreamStore* const> stores_;

  StreamStore* own_store_ = nullptr;
  std::uint32_t session_ = 0;
  std::uint8_t commit_flags_ = 0;
  std::uint32_t head_bytes_ = sizeof(CommitHeader);
  std::uint64_t now_ns_ = 0;
  std::uint32_t next_stream_;  // number of the next new stream

  // Of the open commit.
  std::uint32_t created_count_ = 0;
  std::array<Emitted, kCommitEventsMax> emitted_;       // but the first one
  std::array<StreamStore*, kCommitEventsMax> created_;  // stores of streams made by it
};

// Collects what one Decide after the other emits. Users see it as Emit.
//
// It lives on the stack of the function that decides a run of commands, and no function that is
// not inlined sees its address: where Decide is inlined too, all of it stays in registers
// (measured: core/README.md, "A run of commands is decided by one function").
//   threads   loop only
class OpenCommit {
 public:
  //   head_bytes  as of the builder; without an extension a constant, so that it takes no register
  explicit OpenCommit(CommitBuilder& builder,
                      std::uint32_t head_bytes = sizeof(CommitHeader)) noexcept
      : builder_(builder),
        writer_(builder.writer()),
        own_types_(builder.own_store().type_numbers.data()),
        session_(builder.session()),
        head_bytes_(head_bytes),
        cause_and_flags_(LogWriter::WordOf(CommitCause::kCommand, builder.commit_flags())) {}
  OpenCommit(const OpenCommit&) = delete;
  OpenCommit& operator=(const OpenCommit&) = delete;

  // Opens a commit for a command to `key`.
  //   key       stays where it is until the commit ended
  //   slot      the aggregate's; nullptr: it does not exist
  void Begin(const Key& key, StreamSlot* slot) noexcept {
    key_ = &key;
    own_slot_ = slot;
    count_ = 0;
    touches_own_ = false;
    is_over_limit_ = false;
    writer_.BeginCommit(head_bytes_);
  }

  // What the engine needs of an event besides its bytes.
  struct EventKind {
    std::uint32_t index;  // in the aggregate's Events
    std::uint32_t size;
    EvolveFunction evolve;
  };

  // Adds an event to the addressed stream or another one.
  //   returns   where the event's bytes go, to be written before the commit ends; nullptr: the
  //             command went over a limit
  std::byte* EmitOwn(const EventKind& kind) noexcept {
    if (own_slot_ == nullptr) [[unlikely]]
      own_slot_ = is_over_limit_ ? nullptr : builder_.Create(builder_.own_store(), *key_);
    touches_own_ = true;
    return EmitTo(own_types_, own_slot_, kRecordOwnStream, kind);
  }
  std::byte* EmitOther(StreamStore& store, const Key& key, const EventKind& kind) noexcept {
    if (&store == &builder_.own_store() && key == *key_) return EmitOwn(kind);
    StreamSlot* slot = store.Find(key);
    if (slot == nullptr && !is_over_limit_) slot = builder_.Create(store, key);
    return EmitTo(store.type_numbers.data(), slot, 0, kind);
  }

  // Evolves what was emitted, in order, if `verdict` accepts it and nothing went over a limit.
  //   try_evolve  tried first if it is one event: bool(EvolveFunction, StreamSlot&,
  //               const std::byte* event), false if it is not for it
  //   returns   the verdict, or kLimitExceeded
  template <class TryEvolve>
  Verdict EvolveOrRefuse(Verdict verdict, TryEvolve&& try_evolve) const noexcept {
    if (is_over_limit_) [[unlikely]]
      return {VerdictKind::kLimitExceeded, 0};
    if (!verdict.is_accepted()) [[unlikely]]
      return verdict;
    if (count_ == 1 && try_evolve(first_.evolve, *first_.slot, first_.event)) [[likely]]
      return Accept();
    builder_.Evolve(first_, count_);
    return Accept();
  }

  // Ends the commit, whose events are evolved. A command that emitted nothing leaves a kAccepted
  // record if it has a session or a key, so that its resend is known.
  //   returns   position of the commit's last record, version of the addressed stream: 0 what was
  //             not appended, not touched
  PackedReceipt End(Sequence sequence) noexcept {
    if (count_ == 0) [[unlikely]] {
      if (!builder_.keeps_empty_commits()) {
        writer_.AbandonCommit();
        return {};
      }
      PAWL_CHECK(writer_.AppendRecord({.kind = RecordKind::kAccepted}, 0) != nullptr);
    }
    builder_.EndCommit();
    const Position last = writer_.EndCommit(cause_and_flags_, session_, sequence);
    return {last.value(), touches_own_ ? own_slot_->version.value() : 0};
  }
  // Leaves no trace in log, states and streams; nothing was evolved.
  void TakeBack() const noexcept { builder_.TakeBack(first_, count_); }

  // The command will be refused whole as kLimitExceeded.
  void FailLimit() noexcept { is_over_limit_ = true; }

  const Key& key() const noexcept { return *key_; }
  StreamSlot* own_slot() const noexcept { return own_slot_; }
  // The events so far, counted from 0: for who looks at a commit before it ends.
  std::uint32_t event_count() const noexcept { return count_; }
  const CommitBuilder::Emitted& event(std::uint32_t index) const noexcept {
    return index == 0 ? first_ : builder_.noted(index);
  }
  const CommitBuilder& builder() const noexcept { return builder_; }

 private:
  std::byte* EmitTo(const std::uint16_t* types, StreamSlot* slot, std::uint8_t flags,
                    const EventKind& kind) noexcept {
    if (slot == nullptr || is_over_limit_ || count_ == kCommitEventsMax) [[unlikely]] {
      FailLimit();
      return nullptr;
    }
    const Version version = slot->version.Next();
    const Position position = writer_.next_position();
    std::byte* room = writer_.AppendRecord({.kind = RecordKind::kEvent,
                                            .flags = flags,
                                            .type = types[kind.index],
                                            .stream = slot->number,
                                            .version = version,
                                            .back_link = slot->last},
                                           kind.size);
    if (room == nullptr) [[unlikely]] {
      FailLimit();
      return nullptr;
    }
    const CommitBuilder::Emitted emitted{kind.evolve, slot, room};
    if (count_ == 0) {
      first_ = emitted;
    } else {
      builder_.Note(count_, emitted);
    }
    ++count_;
    slot->version = version;
    slot->last = position;
    return room;
  }

  // Of the run.
  CommitBuilder& builder_;
  LogWriter& writer_;
  const std::uint16_t* own_types_;  // of the addressed aggregates' events
  std::uint32_t session_;
  const std::uint32_t head_bytes_;
  const std::uint64_t cause_and_flags_;  // as LogWriter::WordOf()

  // Of the commit.
  const Key* key_ = nullptr;
  StreamSlot* own_slot_ = nullptr;  // nullptr: the aggregate does not exist
  std::uint32_t count_ = 0;         // events emitted
  CommitBuilder::Emitted first_;    // of them
  bool touches_own_ = false;
  bool is_over_limit_ = false;
};

}  // namespace pawl::inline v0
