#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "pawl/key.h"
#include "pawl/log_writer.h"
#include "pawl/receipt.h"
#include "pawl/stream_store.h"

namespace pawl::inline v0 {

// Events one command may emit, closings included.
inline constexpr std::uint32_t kCommitEventsMax = 1024;

// Timers that one command may set or cancel.
inline constexpr std::uint32_t kCommitTimersMax = 256;

class CommitTimers;
struct TimerName;

// A timer's type, as the functions that set and cancel need it.
struct TimerKind {
  std::uint16_t index;  // in the aggregate's Timers
  std::uint16_t size;   // bytes
};

// What the commits of an engine need, one after the other: the log, the stores, and room to note
// what one of them did besides its first event, so that it can be evolved or taken back.
//   threads   loop only
class CommitBuilder {
 public:
  CommitBuilder(LogWriter& writer, std::span<StreamStore* const> stores, std::uint32_t next_stream,
                CommitTimers* timers = nullptr) noexcept
      : writer_(writer), stores_(stores), timers_(timers), next_stream_(next_stream) {}
  CommitBuilder(const CommitBuilder&) = delete;
  CommitBuilder& operator=(const CommitBuilder&) = delete;

  // An event of the open commit, or the closing of a stream, whose `evolve` does nothing.
  struct Emitted {
    EvolveFunction evolve = nullptr;
    StreamSlot* slot = nullptr;
    const std::byte* event = nullptr;  // in the frame buffer, behind its record header

    const RecordHeader& header() const noexcept {
      return *(reinterpret_cast<const RecordHeader*>(event) - 1);
    }
    bool is_closing() const noexcept { return header().kind == RecordKind::kStreamClosed; }
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

  // Where it is noted what is being decided; borrowed.
  void UseNote(std::atomic<std::uint64_t>& note) noexcept { deciding_ = &note; }
  // Notes the command that is decided from here on, for who asks what ended the process.
  void BeginDecision(const CommandSlot& slot) const noexcept {
    // Relaxed: read when this process is no more. What it did until then is in memory, in whatever
    // order; the signal fence keeps the compiler from deciding first.
    deciding_->store(reinterpret_cast<std::uintptr_t>(&slot), std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // Nothing is being decided.
  void EndDecisions() const noexcept {
    // As in BeginDecision().
    std::atomic_signal_fence(std::memory_order_seq_cst);
    deciding_->store(0, std::memory_order_relaxed);
  }

  // The store of an aggregate type, or nullptr if the engine was opened without it.
  StreamStore* StoreOf(TypeTag tag) const noexcept {
    for (StreamStore* store : stores_) {
      if (store->traits().tag == tag) return store;
    }
    return nullptr;
  }
  // Whether a command to `key`, an aggregate of own_store(), finds it as its condition wants it.
  //   stream    the aggregate's; nullptr: it does not exist
  [[gnu::noinline]] bool Holds(Condition condition, const Key& key,
                               const StreamSlot* stream) const noexcept;
  // Binds a new stream in the open commit. nullptr: over a limit.
  [[gnu::noinline]] StreamSlot* Create(StreamStore& store, const Key& key) noexcept;
  // Appends the closing of a stream that is there and not closing, to which nothing can be emitted
  // any more. Its place is free and its timers have ended once the commit ended: see
  // CloseStreams().
  //   flags     of the record
  //   returns   to be noted; without a slot: over a limit
  [[gnu::noinline]] Emitted BeginClosing(const StreamStore& store, StreamSlot& slot,
                                         std::uint8_t flags) noexcept;
  // Sets or cancels a timer of `stream`, an aggregate of own_store(), in the open commit.
  //   returns   false: over a limit
  [[gnu::noinline]] bool SetTimer(StreamSlot& stream, TimerKind kind, std::uint64_t id,
                                  std::uint64_t due_ns, const std::byte* timer) noexcept;
  [[gnu::noinline]] bool CancelTimer(StreamSlot& stream, TimerKind kind, std::uint64_t id) noexcept;
  // What the open commit did to timers holds from now on.
  [[gnu::noinline]] void KeepTimers() noexcept;
  // The open commit is what the timer does that is being fired.
  [[gnu::noinline]] void RecordFired() noexcept;

  // Notes the open commit's event number `index`, counted from 0; the first one is the caller's.
  void Note(std::uint32_t index, const Emitted& emitted) noexcept { emitted_[index] = emitted; }
  const Emitted& noted(std::uint32_t index) const noexcept { return emitted_[index]; }
  // Evolves the open commit's `count` events in order.
  [[gnu::noinline]] void Evolve(Emitted first, std::uint32_t count) noexcept;
  // Takes the streams that the open commit closed out of their stores and ends their timers, once
  // all was evolved and kept.
  [[gnu::noinline]] void CloseStreams(Emitted first, std::uint32_t count) noexcept;
  // The streams that the open commit made stay.
  void KeepCreated() noexcept { created_count_ = 0; }
  // Leaves no trace of the open commit in log, states and streams; nothing of it was evolved.
  [[gnu::noinline]] void TakeBack(Emitted first, std::uint32_t count) noexcept;

  LogWriter& writer() const noexcept { return writer_; }

 private:
  TimerName NameOf(StreamSlot& stream, TimerKind kind, std::uint64_t id) const noexcept;

  // Constant after construction.
  LogWriter& writer_;
  const std::span<StreamStore* const> stores_;
  CommitTimers* const timers_;  // nullptr: no aggregate has any

  StreamStore* own_store_ = nullptr;
  std::uint32_t session_ = 0;
  std::uint8_t commit_flags_ = 0;
  std::uint32_t head_bytes_ = sizeof(CommitHeader);
  std::uint64_t now_ns_ = 0;
  // Writer: loop. Reader: who opens the log after this process ended. Guards nothing.
  std::atomic<std::uint64_t> no_note_{0};
  std::atomic<std::uint64_t>* deciding_ = &no_note_;
  std::uint32_t next_stream_;  // number of the next new stream

  // Of the open commit.
  std::uint32_t created_count_ = 0;
  struct Created {
    StreamStore* store;
    StreamSlot* slot;
  };
  std::array<Emitted, kCommitEventsMax> emitted_;  // but the first one
  std::array<Created, kCommitEventsMax> created_;  // streams made by it
};

// Collects what one Decide after the other emits. Users see it as Emit.
//
// It lives on the stack of the function that decides a run of commands, and no function that is
// not inlined sees its address: where Decide is inlined too, all of it stays in registers
// (measured: core/DECISIONS.md, "A run of commands is decided by one function"). So do the writer's
// cursors, which it holds while it lives: what works out of line has them meanwhile.
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
        cause_and_flags_(LogWriter::WordOf(CommitCause::kCommand, builder.commit_flags())),
        at_(builder.writer().cursors()) {}
  ~OpenCommit() { writer_.SetCursors(at_); }
  OpenCommit(const OpenCommit&) = delete;
  OpenCommit& operator=(const OpenCommit&) = delete;

  // Opens a commit for a command to `key`.
  //   key       stays where it is until the commit ended
  //   slot      the aggregate's; nullptr: it does not exist
  void Begin(const Key& key, StreamSlot* slot) noexcept {
    key_ = &key;
    own_slot_ = slot;
    count_ = 0;
    first_ = {};  // what the last commit left there is dead, and takes no place on the stack
    own_version_ = 0;
    has_created_ = false;
    needs_care_ = false;
    has_timers_ = false;
    is_over_limit_ = false;
    LogWriter::BeginCommit(at_, head_bytes_);
  }
  // Opens a commit for what a timer does that is being fired.
  void BeginFired(StreamSlot& slot) noexcept {
    Begin(slot.key, &slot);
    WithWriter([this]() noexcept { builder_.RecordFired(); });
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
      MakeOwn();
    std::byte* const room = EmitTo(own_types_, own_slot_, kRecordOwnStream, kind);
    if (room != nullptr) [[likely]]
      own_version_ = own_slot_->version.value();
    return room;
  }
  std::byte* EmitOther(StreamStore& store, const Key& key, const EventKind& kind) noexcept {
    if (&store == &builder_.own_store() && key == *key_) return EmitOwn(kind);
    StreamSlot* slot = store.Find(key);
    if (slot == nullptr && !is_over_limit_) slot = Create(store, key);
    return EmitTo(store.type_numbers.data(), slot, 0, kind);
  }

  // Closes the addressed stream or another one, once the commit ends. Nothing to do if there is
  // none, or if it was closed before. An event emitted to it behind that goes over a limit.
  void CloseOwn() noexcept {
    if (own_slot_ == nullptr) return;
    own_version_ = own_slot_->version.value();
    Close(builder_.own_store(), *own_slot_, kRecordOwnStream);
  }
  void CloseOther(StreamStore& store, const Key& key) noexcept {
    if (&store == &builder_.own_store() && key == *key_) return CloseOwn();
    StreamSlot* const slot = store.Find(key);
    if (slot != nullptr) Close(store, *slot, 0);
  }

  // Sets a timer of the addressed stream, which is made if it does not exist, in the place of the
  // one of this kind and id; cancels that one, if there is one.
  void SetTimer(TimerKind kind, std::uint64_t id, std::uint64_t due_ns,
                const std::byte* timer) noexcept {
    has_timers_ = true;
    if (own_slot_ == nullptr) MakeOwn();
    if (own_slot_ == nullptr || is_over_limit_ || own_slot_->is_closing()) return FailLimit();
    WithWriter([&]() noexcept {
      if (!builder_.SetTimer(*own_slot_, kind, id, due_ns, timer)) FailLimit();
    });
  }
  void CancelTimer(TimerKind kind, std::uint64_t id) noexcept {
    if (own_slot_ == nullptr || is_over_limit_ || own_slot_->is_closing()) return;
    has_timers_ = true;
    WithWriter([&]() noexcept {
      if (!builder_.CancelTimer(*own_slot_, kind, id)) FailLimit();
    });
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

  // Ends the commit, whose events are evolved. A command that appended nothing leaves a kAccepted
  // record if it has a session or a key, so that its resend is known.
  //   returns   position of the commit's last record, version of the addressed stream, also if the
  //             commit closed it: 0 what was not appended, not touched
  PackedReceipt End(Sequence sequence) noexcept {
    if (count_ == 0) [[unlikely]] {
      // A timer may have been set, or cancelled.
      if (records() == 0) {
        if (!builder_.keeps_empty_commits()) return {};
        PAWL_CHECK(writer_.AppendRecord(at_, {.kind = RecordKind::kAccepted}, 0) != nullptr);
      }
    }
    if (has_timers_) [[unlikely]]
      builder_.KeepTimers();
    if (needs_care_) [[unlikely]]
      builder_.CloseStreams(first_, count_);
    if (has_created_) [[unlikely]]
      builder_.KeepCreated();
    const Position last = writer_.EndCommit(at_, cause_and_flags_, session_, sequence);
    return {last.value(), own_version_};
  }
  // The same of a commit that a timer caused.
  void EndFired() noexcept {
    builder_.KeepTimers();
    if (needs_care_) builder_.CloseStreams(first_, count_);
    builder_.KeepCreated();
    constexpr std::uint64_t kWord = LogWriter::WordOf(CommitCause::kTimer, 0);
    static_cast<void>(writer_.EndCommit(at_, kWord, 0, Sequence()));
  }
  // Leaves no trace in log, states and streams; nothing was evolved.
  void TakeBack() noexcept {
    WithWriter([this]() noexcept { builder_.TakeBack(first_, count_); });
  }

  // The command will be refused whole as kLimitExceeded.
  void FailLimit() noexcept { needs_care_ = is_over_limit_ = true; }

  const Key& key() const noexcept { return *key_; }
  StreamSlot* own_slot() const noexcept { return own_slot_; }
  // Of the addressed stream, with what was emitted so far; 0: there is none, or no more.
  Version own_version() const noexcept {
    const bool is_there = own_slot_ != nullptr && !own_slot_->is_closing();
    return is_there ? own_slot_->version : Version();
  }
  // True for a stream to which nothing had happened before this commit.
  bool IsNew(const StreamSlot& slot) const noexcept {
    std::uint64_t events = 0;
    for (std::uint32_t i = 0; i < count_; ++i) {
      events += event(i).slot == &slot && !event(i).is_closing() ? 1U : 0U;
    }
    return slot.version.value() == events;
  }
  // So far, of every kind.
  std::uint32_t records() const noexcept { return at_.commit_records(); }
  // The events and closings so far, counted from 0: for who looks at a commit before it ends.
  std::uint32_t event_count() const noexcept { return count_; }
  const CommitBuilder::Emitted& event(std::uint32_t index) const noexcept {
    return index == 0 ? first_ : builder_.noted(index);
  }
  const CommitBuilder& builder() const noexcept { return builder_; }

 private:
  // Runs what appends or abandons by itself.
  template <class F>
  void WithWriter(F&& f) noexcept {
    writer_.SetCursors(at_);
    f();
    at_ = writer_.cursors();
  }
  StreamSlot* Create(StreamStore& store, const Key& key) noexcept {
    has_created_ = true;
    StreamSlot* slot = nullptr;
    WithWriter([&]() noexcept { slot = builder_.Create(store, key); });
    return slot;
  }
  void MakeOwn() noexcept {
    own_slot_ = is_over_limit_ ? nullptr : Create(builder_.own_store(), *key_);
  }
  std::byte* EmitTo(const std::uint16_t* types, StreamSlot* slot, std::uint8_t flags,
                    const EventKind& kind) noexcept {
    if (slot == nullptr || needs_care_ || count_ == kCommitEventsMax) [[unlikely]] {
      if (!MayEmitTo(slot)) {
        FailLimit();
        return nullptr;
      }
    }
    const Version version = slot->version.Next();
    const Position position = at_.next;
    std::byte* room = writer_.AppendRecord(at_,
                                           {.kind = RecordKind::kEvent,
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
    Note({kind.evolve, slot, room});
    slot->version = version;
    slot->last = position;
    return room;
  }
  bool MayEmitTo(const StreamSlot* slot) const noexcept {
    return slot != nullptr && !is_over_limit_ && count_ != kCommitEventsMax && !slot->is_closing();
  }
  void Close(const StreamStore& store, StreamSlot& slot, std::uint8_t flags) noexcept {
    if (is_over_limit_ || slot.is_closing()) return;
    if (count_ == kCommitEventsMax) return FailLimit();
    CommitBuilder::Emitted closing;
    WithWriter([&]() noexcept { closing = builder_.BeginClosing(store, slot, flags); });
    if (closing.slot == nullptr) return FailLimit();
    needs_care_ = true;
    Note(closing);
  }
  void Note(const CommitBuilder::Emitted& emitted) noexcept {
    if (count_ == 0) {
      first_ = emitted;
    } else {
      builder_.Note(count_, emitted);
    }
    ++count_;
  }

  // Of the run.
  CommitBuilder& builder_;
  LogWriter& writer_;
  const std::uint16_t* own_types_;  // of the addressed aggregates' events
  std::uint32_t session_;
  const std::uint32_t head_bytes_;
  const std::uint64_t cause_and_flags_;  // as LogWriter::WordOf()
  LogWriter::Cursors at_;

  // Of the commit.
  const Key* key_ = nullptr;
  StreamSlot* own_slot_ = nullptr;  // nullptr: the aggregate does not exist
  std::uint32_t count_ = 0;         // events emitted, streams closed
  CommitBuilder::Emitted first_;    // of them
  std::uint64_t own_version_ = 0;   // of the addressed stream, once it was touched
  bool has_created_ = false;        // a stream
  bool needs_care_ = false;  // over a limit, or a stream is closed: one look for the common case
  bool has_timers_ = false;  // set or cancelled
  bool is_over_limit_ = false;
};

}  // namespace pawl::inline v0
