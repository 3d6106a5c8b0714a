#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/aggregate.h"
#include "pawl/cache_line.h"
#include "pawl/command_slot.h"
#include "pawl/completion_range.h"
#include "pawl/condition.h"
#include "pawl/key.h"
#include "pawl/plain_struct.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

class ProducerLane;
class EngineParts;

// What a producer does with a command that finds no room, for a reason that passes: kQueueFull,
// kUndurable, kDiskLow. In a full window, and where its parcels are full, only the caller's own
// Poll() makes room: then kSpin and kPark wait until there is something to poll, and end as
// kWindowFull or kParcelsFull.
enum class WhenFull : std::uint8_t {
  kFail,  // says so at once
  kSpin,  // looks again and again: goes on soonest, takes a core meanwhile
  kPark,  // sleeps until the loop rings
};

struct ProducerOptions {
  // Names a session, whose commands the engine executes once: 1…128 bytes; empty: no session, and
  // then a resend is a new command. Opening a session again fences the producer that had it.
  std::string session{};
  // Which way its commands go. With a session: each of its lanes has one producer at a time, with
  // sequences and a generation of its own.
  SessionLane lane = SessionLane::kControl;
  WhenFull when_full = WhenFull::kFail;
  // How long one call of kSpin or kPark waits at most; then it ends with the fault that kFail
  // gives.
  std::chrono::nanoseconds full_timeout = std::chrono::seconds(1);
};

struct SubmitOptions {
  Ack ack = Ack::kDurable;  // a value that is none counts as this one
  // Sends a command of this session again under its first sequence; 0: a new command. The sequence
  // alone says which command it is: aggregate, key, type and bytes are not compared, and another
  // command under a sequence that was decided gets that one's answer and is not executed. What is
  // to be compared has an idempotency key.
  Sequence resend{};
  // On the stream that the command goes to: Any(), NoStream(), Exists(), Exact(version),
  // UnchangedSince(position). If it does not hold, the command is answered as a conflict.
  Condition condition{};
  // On other streams, whether the command writes to them or not: ConditionOn<A>(key, condition). At
  // most kConditionsMax; not with a batch. Borrowed until Submit() returned.
  std::span<const StreamCondition> others{};
  // Names what the command is for, whoever sends it: while the key is remembered (keys_max,
  // key_window), the same command with the same key gets the first receipt and is not executed;
  // another one is answered as kKeyReused. The same is: aggregate, key of the stream, type of the
  // command (by its name, without namespaces and template arguments; of several of one name, the
  // first, second… in Commands: add to these at the end, and leave their order) and bytes. Only
  // what was accepted is remembered. Not with a batch, nor for commands whose bytes have padding
  // (kIsKeyable). 0: none.
  Key idempotency_key{};
  std::optional<WhenFull> when_full{};  // of this call; none: as ProducerOptions say
};

enum class SendFault : std::uint8_t {
  kNone = 0,
  kWindowFull,   // as many commands are under way as the window holds: poll completions
  kQueueFull,    // the queue has no room just now
  kUndurable,    // published − durable is at undurable_bytes_max: the disk is behind
  kDiskLow,      // no room for the next segment
  kUnavailable,  // the engine stopped, or failed and must be opened again
  kNotInEngine,  // the engine was opened without this aggregate, or the key is 0
  kBadSequence,  // a resend of what this session never sent, or without a session
  kParcelsFull,  // no room for a large command, or one with conditions on others: poll completions
  kTooLarge,     // the command is larger than command_bytes_max
  kBadConditions,  // more than kConditionsMax conditions on others, or any with a batch
  kBadKey,         // an idempotency key with a batch, or for a command whose bytes have padding
};

// Whether a command may have an idempotency key: equal ones are equal byte by byte.
template <class C>
inline constexpr bool kIsKeyable =
    std::is_empty_v<C> || std::has_unique_object_representations_v<C> || PlainStruct<C>;

constexpr std::string_view ToString(SendFault fault) noexcept {
  switch (fault) {
    case SendFault::kNone: return "none";
    case SendFault::kWindowFull: return "window full";
    case SendFault::kQueueFull: return "queue full";
    case SendFault::kUndurable: return "undurable bytes at their bound";
    case SendFault::kDiskLow: return "disk low";
    case SendFault::kUnavailable: return "unavailable";
    case SendFault::kNotInEngine: return "not in the engine, or key 0";
    case SendFault::kBadSequence: return "bad sequence";
    case SendFault::kParcelsFull: return "parcels full";
    case SendFault::kTooLarge: return "too large";
    case SendFault::kBadConditions: return "bad conditions";
    case SendFault::kBadKey: return "bad key";
  }
  return "?";
}

// What Submit says at once: on its way with a sequence, or why not.
class [[nodiscard]] Sent {
 public:
  constexpr explicit Sent(Sequence sequence) noexcept : sequence_(sequence) {}
  constexpr explicit Sent(SendFault fault) noexcept : fault_(fault) {}

  constexpr explicit operator bool() const noexcept { return fault_ == SendFault::kNone; }
  constexpr Sequence sequence() const noexcept { return sequence_; }
  constexpr SendFault fault() const noexcept { return fault_; }
  // RESOURCE_EXHAUSTED try again after Poll(); UNAVAILABLE the engine is closed or failed;
  // INVALID_ARGUMENT a mistake of the caller.
  absl::StatusCode code() const noexcept;
  std::string_view reason() const noexcept;  // what, and what to do

 private:
  Sequence sequence_;
  SendFault fault_ = SendFault::kNone;
};

// What SubmitBatch says: the first `count` commands are on their way with the sequences
// first, first + 1, …; the rest was not sent, for the reason that `fault` gives.
struct [[nodiscard]] SentBatch {
  std::uint32_t count = 0;
  Sequence first{};
  SendFault fault = SendFault::kNone;
};

// A command and the aggregate it goes to.
template <class C>
struct Addressed {
  Key key;
  C command;
  Condition condition{};  // on that aggregate; Any(): the one of the batch's options
};

// Slots of a producer's ring for its next commands, and the sequence of the first of them.
struct StagedCommands {
  std::span<CommandSlot> slots{};
  Sequence first{};
};

// A handle to send commands with and get their completions back. Blocks only in Execute and Wait,
// and where WhenFull asks for it. Else Submit, SubmitBatch and Poll are lock-free and make no
// system call but the wake of a sleeping loop. None of them allocates. Completions awaited by
// coroutines: AwaitingProducer (pawl/awaiting.h).
//   threads   one at a time; may be moved to another thread between calls
//   lifetime  ends before its engine; may end with commands under way (they are executed)
class Producer {
 public:
  Producer(Producer&& other) noexcept;
  Producer& operator=(Producer&& other) noexcept;
  ~Producer();

  // Sends a command to the aggregate `key` of type A. Its completion comes through Poll().
  template <class A, class C>
  Sent Submit(const Key& key, const C& command, const SubmitOptions& options = {}) noexcept {
    const std::uint16_t store = StoreIndex(TagOf<A>());
    if (store == kNoStore || key.is_zero()) return Sent(SendFault::kNotInEngine);
    for (std::int64_t deadline_ns = kNotSet;;) {
      const Sent sent = TrySubmit<A>(store, key, command, options);
      if (sent) [[likely]]
        return sent;
      if (!Outlast(sent.fault(), options, deadline_ns)) return sent;
    }
  }

  // Sends commands of one type in order, with one operation on the queue for up to 256 of them.
  // A resend is sent alone: with `resend` the batch ends as kBadSequence. So is a command with
  // conditions on other streams: kBadConditions; or with an idempotency key: kBadKey.
  template <class A, class C>
  SentBatch SubmitBatch(std::span<const Addressed<C>> commands,
                        const SubmitOptions& options = {}) noexcept {
    const auto write = [this, &commands](std::uint32_t i, CommandSlot& slot) noexcept {
      slot.key = commands[i].key;
      if (!commands[i].condition.is_any()) slot.condition = commands[i].condition;
      return PutCommand(slot, commands[i].command);
    };
    return SendBatch<A, C>(static_cast<std::uint32_t>(commands.size()), write, options);
  }

  // The same, with commands that are written in place, into the batch:
  //   fill      void(std::uint32_t i, Key& key, C& command) noexcept, or with Condition& behind,
  //             which is the one of the options before; for i = 0, 1, 2…, only for commands that
  //             there is room for; what it wrote is lost if the batch ends with another fault than
  //             kWindowFull or kParcelsFull
  template <class A, class C, class Fill>
  requires(std::invocable<Fill, std::uint32_t, Key&, C&> ||
           std::invocable<Fill, std::uint32_t, Key&, C&, Condition&>) SentBatch
      SubmitBatch(std::uint32_t count, Fill&& fill, const SubmitOptions& options = {})
  noexcept {
    const auto write = [this, &fill](std::uint32_t i, CommandSlot& slot) noexcept {
      SendFault fault = SendFault::kNone;
      std::byte* const room = RoomFor(slot, sizeof(C), fault);
      if (room == nullptr) [[unlikely]]
        return fault;
      C& command = *::new (static_cast<void*>(room)) C;
      if constexpr (std::invocable<Fill, std::uint32_t, Key&, C&>) {
        fill(i, slot.key, command);
      } else {
        fill(i, slot.key, command, slot.condition);
      }
      return SendFault::kNone;
    };
    return SendBatch<A, C>(count, write, options);
  }

  // Calls f(const Completion&) noexcept for the completions that arrived, in order per ack level;
  // each gives one command of the window back. Returns how many: no more than were under way, so
  // that it ends although `f` sends again.
  template <class F>
  std::size_t Poll(F&& f, std::size_t completions_max = SIZE_MAX) noexcept {
    return PollCopies(
        [&f](const CompletionRange& range) noexcept {
          for (std::uint32_t i = 0; i < range.count(); ++i) f(range[i]);
        },
        completions_max);
  }

  // The same by the range, for who sends batches: accepted commands that were sent one behind the
  // other and answered together are one call of f(const CompletionRange&) noexcept, any other
  // answer is a range of its own. What a range has in common costs nothing per command; receipts
  // are fetched only for who asks. The range's commands leave the window when `f` returns: `f` may
  // send, and execute, but polls nothing.
  template <class F>
  std::size_t PollRanges(F&& f, std::size_t completions_max = SIZE_MAX) noexcept {
    const std::size_t most = std::min<std::size_t>(completions_max, in_flight());
    std::size_t total = 0;
    for (;;) {
      const CompletionRange range = TakeRange(most - total);
      if (range.empty()) return total;
      f(range);
      ReturnCredits();
      total += range.count();
    }
  }

  // Sends a command and waits for its completion; other completions stay for Poll().
  //   returns   the receipt
  //   errors    FAILED_PRECONDITION refused (RefusalCode() of the status), or a limit exceeded;
  //             ABORTED a condition did not hold (ConflictOf() the status);
  //             DEADLINE_EXCEEDED the answer did not come in time: the outcome is open, resend it;
  //             RESOURCE_EXHAUSTED back-pressure until the deadline; CANCELLED fenced;
  //             NOT_FOUND the session was closed; ALREADY_EXISTS the idempotency key was given to
  //             another command, or a resend is older than the window;
  //             UNKNOWN a sync failed; UNAVAILABLE the engine stopped or failed;
  //             INVALID_ARGUMENT a mistake of the caller
  template <class A, class C>
  absl::StatusOr<Receipt> Execute(const Key& key, const C& command,
                                  const SubmitOptions& options = {},
                                  std::chrono::nanoseconds timeout = std::chrono::seconds(10)) {
    const auto send = [&]() noexcept { return Submit<A>(key, command, options); };
    return ExecuteBy(
        {[](const void* by) noexcept { return (*static_cast<const decltype(send)*>(by))(); },
         &send},
        timeout);
  }

  // Commands under way: sent, their completion not yet polled.
  std::uint32_t in_flight() const noexcept;
  std::uint32_t window() const noexcept;
  // Of the newest command sent; after opening a session: the newest one that was decided, of an
  // earlier engine the newest one that the log holds.
  Sequence last_sequence() const noexcept;
  // Of the session's lane; 0 without one.
  std::uint32_t generation() const noexcept;
  SessionLane session_lane() const noexcept;

  // Engine::CloseSession() of this producer's session: both lanes, whoever has the other one. The
  // handle stays; what it sends, and what was sent and not decided before, ends as kSessionUnknown.
  //   errors    INVALID_ARGUMENT it has none; CANCELLED it is fenced; else as Engine::CloseSession
  //   threads   the producer's; blocks
  absl::Status CloseSession();

  // Sleeps until there is something to do, or for `timeout`: a completion to poll, or the end of
  // what refused the last command (not of a full window, which is the caller's to end). A stop of
  // the engine ends it too: once, so that a loop around it does not spin. Host-driven: runs the
  // engine.
  void Wait(std::chrono::nanoseconds timeout) noexcept;

  // For who sleeps in a loop of its own (epoll, poll, io_uring): a descriptor that becomes readable
  // when Wait() would return. Once for each ArmEventFd() that said true:
  //   for (;;) {
  //     while (producer.Poll(take) != 0) {}
  //     if (producer.ArmEventFd()) ::epoll_wait(…);
  //   }
  // Arming makes it unreadable again: the caller need not read it. It may become readable once too
  // often, never too rarely.
  //   returns   the engine's: the caller neither closes nor writes it, and takes it out of its loop
  //             before the handle ends. The same one at each call
  //   errors    RESOURCE_EXHAUSTED no descriptor to be had
  absl::StatusOr<int> EventFd();
  // Behind EventFd(), before each sleep: two system calls.
  //   returns   whether the caller may sleep; false: there is something to do
  bool ArmEventFd() noexcept;

 private:
  friend class Engine;
  friend class AwaitingProducer;
  static constexpr std::int64_t kNotSet = -1;
  static constexpr std::size_t kCopiesMax = 64;  // 1 KiB of stack

  explicit Producer(ProducerLane* lane) noexcept : lane_(lane) {}

  // Calls f(const CompletionRange&) with ranges that are copies: their credits are back.
  template <class F>
  std::size_t PollCopies(F&& f, std::size_t completions_max) noexcept {
    std::array<PackedReceipt, kCopiesMax> copies;
    const std::size_t most = std::min<std::size_t>(completions_max, in_flight());
    std::size_t total = 0;
    for (;;) {
      const CompletionRange range = TakeRange(std::min(copies.size(), most - total));
      if (range.empty()) return total;
      // Before `f` is called, which may send into the window that this gives back.
      const CompletionRange copy = range.CopyTo(copies);
      ReturnCredits();
      f(copy);
      total += copy.count();
    }
  }

  template <class A, class C>
  Sent TrySubmit(std::uint16_t store, const Key& key, const C& command,
                 const SubmitOptions& options) noexcept {
    SendFault fault = SendFault::kNone;
    const StagedCommands staged = Stage(fault);
    if (fault != SendFault::kNone) return Sent(fault);
    CommandSlot& slot = staged.slots.front();
    Describe<A, C>(slot, staged.first, store, options);
    slot.key = key;
    if (options.others.empty() && options.idempotency_key.is_zero()) [[likely]] {
      fault = PutCommand(slot, command);
    } else if (kIsKeyable<C> || options.idempotency_key.is_zero()) {
      // Of an empty command there is nothing to copy, and nothing to compare.
      fault = PutParcel(slot, options, {AsBytes(command), std::is_empty_v<C> ? 0 : sizeof command});
    } else {
      fault = SendFault::kBadKey;
    }
    if (fault != SendFault::kNone) [[unlikely]]
      return Sent(fault);
    return Send(options.resend);
  }
  // All of a slot but key and command.
  template <class A, class C>
  static void Describe(CommandSlot& slot, Sequence sequence, std::uint16_t store,
                       const SubmitOptions& options) noexcept {
    static_assert(A::Commands::template kHas<C>,
                  "pawl: this command is not in the aggregate's Commands");
    slot.sequence = sequence;
    slot.condition = options.condition;
    slot.aggregate = store;
    slot.type = A::Commands::template IndexOf<C>();
    slot.ack = options.ack == Ack::kPublished ? Ack::kPublished : Ack::kDurable;
  }
  // Where the bytes of a command go: into its slot, or into a parcel. nullptr with a fault:
  // nowhere.
  std::byte* RoomFor(CommandSlot& slot, std::size_t bytes, SendFault& fault) noexcept {
    return bytes <= kSlotCommandBytes ? slot.command.data() : PutParcel(slot, bytes, fault);
  }
  template <class C>
  SendFault PutCommand(CommandSlot& slot, const C& command) noexcept {
    SendFault fault = SendFault::kNone;
    std::byte* const room = RoomFor(slot, sizeof command, fault);
    if (room != nullptr) [[likely]]
      std::memcpy(room, &command, sizeof command);
    return fault;
  }
  template <class C>
  static const std::byte* AsBytes(const C& command) noexcept {
    return reinterpret_cast<const std::byte*>(&command);
  }

  //   write     SendFault(std::uint32_t i, CommandSlot& slot): key, condition and command
  template <class A, class C, class Write>
  SentBatch SendBatch(std::uint32_t count, const Write& write,
                      const SubmitOptions& options) noexcept {
    const std::uint16_t store = StoreIndex(TagOf<A>());
    SentBatch sent;
    if (store == kNoStore) sent.fault = SendFault::kNotInEngine;
    if (options.resend != Sequence()) sent.fault = SendFault::kBadSequence;
    if (!options.others.empty()) sent.fault = SendFault::kBadConditions;
    if (!options.idempotency_key.is_zero()) sent.fault = SendFault::kBadKey;
    std::int64_t deadline_ns = kNotSet;
    while (sent.count < count && sent.fault == SendFault::kNone) {
      const StagedCommands staged = StageBatch(count - sent.count, sent.fault);
      if (sent.fault != SendFault::kNone) {
        if (Outlast(sent.fault, options, deadline_ns)) sent.fault = SendFault::kNone;
        continue;
      }
      const auto room = static_cast<std::uint32_t>(staged.slots.size());
      std::uint32_t filled = 0;
      SendFault stopped = SendFault::kNone;
      for (; filled < room; ++filled) {
        CommandSlot& slot = staged.slots[filled];
        Describe<A, C>(slot, staged.first.Plus(filled), store, options);
        stopped = write(sent.count + filled, slot);
        if (stopped == SendFault::kNone && slot.key.is_zero()) stopped = SendFault::kNotInEngine;
        if (stopped != SendFault::kNone) [[unlikely]]
          break;
      }
      // What is placed stays so while it waits.
      PlaceBatch(filled);
      do SendStaged(filled, sent);
      while (sent.fault != SendFault::kNone && Outlast(sent.fault, options, deadline_ns));
      if (sent.fault != SendFault::kNone || stopped == SendFault::kNone) continue;
      if (!Outlast(stopped, options, deadline_ns)) sent.fault = stopped;
    }
    return sent;
  }

  // Waits, as asked, for the end of what refused a command.
  //   deadline_ns   of the call, once it has waited
  //   returns       whether to try again; false: the call ends with `fault`
  bool Outlast(SendFault fault, const SubmitOptions& options, std::int64_t& deadline_ns) noexcept;
  std::uint16_t StoreIndex(TypeTag aggregate) const noexcept;
  StagedCommands Stage(SendFault& fault) noexcept;
  StagedCommands StageBatch(std::uint32_t wanted, SendFault& fault) noexcept;
  Sent Send(Sequence resend) noexcept;
  void PlaceBatch(std::uint32_t count) noexcept;
  void SendStaged(std::uint32_t count, SentBatch& sent) noexcept;
  CompletionRange TakeRange(std::size_t answers_max) noexcept;
  void ReturnCredits() noexcept;
  std::byte* PutParcel(CommandSlot& slot, std::size_t bytes, SendFault& fault) noexcept;
  // With the conditions on others and the key of `options`.
  SendFault PutParcel(CommandSlot& slot, const SubmitOptions& options,
                      std::span<const std::byte> command) noexcept;
  // Sends a command, and again if it was refused.
  struct SendAgain {
    Sent (*send)(const void* by) noexcept;
    const void* by;
    Sent operator()() const noexcept { return send(by); }
  };
  absl::StatusOr<Receipt> ExecuteBy(const SendAgain& send, std::chrono::nanoseconds timeout);

  ProducerLane* lane_;  // owned by the engine; nullptr after a move
};

// What Execute says of such a completion.
absl::StatusOr<Receipt> ResultOf(const Completion& completion);
// The code that Decide refused with, from a status of Execute or ResultOf; 0: not a refusal.
std::uint16_t RefusalCode(const absl::Status& status);

// The condition that did not hold, and what its stream is like.
struct Conflict {
  std::uint16_t condition = 0;  // 0: SubmitOptions::condition; n: the n-th one of others
  Version version{};            // of the stream's newest event; 0: there is no such stream
  Position position{};          // likewise

  friend bool operator==(const Conflict&, const Conflict&) noexcept = default;
};
// From a status of Execute; nothing if it is no conflict.
std::optional<Conflict> ConflictOf(const absl::Status& status);

}  // namespace pawl::inline v0
