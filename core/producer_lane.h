#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "admission.h"
#include "command_queue.h"
#include "completion_ring.h"
#include "flight_layout.h"
#include "parcel_ring.h"
#include "pawl/cache_line.h"
#include "pawl/clock.h"
#include "pawl/command_slot.h"
#include "pawl/completion_range.h"
#include "pawl/doorbell.h"
#include "pawl/log.h"
#include "pawl/receipt.h"
#include "pawl/stats_layout.h"
#include "pawl/stream_store.h"
#include "queue_wait_sample.h"
#include "window_ring.h"

namespace pawl::inline v0 {

class EngineParts;

// Whether another command may be sent without the producer's doing: the loop or the disk makes the
// room.
constexpr bool PassesByItself(SendFault fault) noexcept {
  return fault == SendFault::kQueueFull || fault == SendFault::kUndurable ||
         fault == SendFault::kDiskLow;
}

// Whether the producer's own polls make the room: credits, and the parcels that go with them.
constexpr bool EndsByPolling(SendFault fault) noexcept {
  return fault == SendFault::kWindowFull || fault == SendFault::kParcelsFull;
}

// What a producer and the loop share: the way in (a ring of commands, whose tickets go through the
// queue), the way back (a ring of answer ranges, and for each level a ring of receipts).
// Owned by the engine; lives until the engine ends or the lane is reused.
//
// Memory ordering: see CommandQueue, WindowRing and CompletionRing; is_sending_ is ordered by the
// barrier in Engine::Stop().
class ProducerLane {
 public:
  // Commands that enter the queue together: as many as a turn of the loop takes.
  static constexpr std::uint32_t kBatchMax = 256;
  static constexpr std::uint32_t BatchOf(std::uint32_t window) noexcept {
    return window < kBatchMax ? window : kBatchMax;
  }

  struct Setup {
    EngineParts* engine;
    std::span<CommandQueue, kSessionLanes> queues;  // by session lane
    Admission* admission;
    Doorbell* loop_bell;
    Clock* clock;
    LaneWords* words;
    std::span<StreamStore* const> stores;
    std::uint16_t index;
    std::uint32_t window;  // a power of two
    std::uint32_t command_bytes_max;
    std::uint32_t parcel_bytes;  // a power of two
    CommandSlot* slots;          // room for the window; nullptr: the lane has its own
    std::byte* parcels;          // likewise
  };

  explicit ProducerLane(const Setup& setup);
  ProducerLane(const ProducerLane&) = delete;
  ProducerLane& operator=(const ProducerLane&) = delete;
  ~ProducerLane();

  // --- producer's thread ---

  std::uint16_t StoreIndex(TypeTag aggregate) const noexcept;
  // Room for a new command, where the loop will read it; empty with a fault if there is none. To be
  // filled and sent before the next call.
  StagedCommands Stage(SendFault& fault) noexcept;
  // Sends it, or the same one under a sequence that was sent before.
  Sent Send(Sequence resend) noexcept;
  // Room for up to `wanted` new commands, likewise, but not where the loop reads.
  StagedCommands StageBatch(std::uint32_t wanted, SendFault& fault) noexcept;
  // Copies the first `count` commands of the batch there, as a whole.
  void PlaceBatch(std::uint32_t count) noexcept;
  // Sends those, again and again if need be.
  void SendStaged(std::uint32_t count, SentBatch& sent) noexcept;
  // Room outside of its slot for a staged command; nullptr: none, and why. Goes with the slot.
  std::byte* PutParcel(CommandSlot& slot, std::size_t bytes, SendFault& fault) noexcept;
  // Makes a staged command a parcel with the conditions on others and the key of `options`.
  SendFault PutParcel(CommandSlot& slot, const SubmitOptions& options,
                      std::span<const std::byte> command) noexcept;
  // Takes up to `answers_max` of the oldest answers that share a range; empty: there are none, or
  // the range before is still held: its commands leave the window with ReturnCredits(), until when
  // its receipts stay where they are.
  CompletionRange TakeRange(std::size_t answers_max) noexcept;
  void ReturnCredits() noexcept;
  // Takes the answer to `sequence` out of turn; false: it is not there yet.
  bool TakeOutOfTurn(Sequence sequence, Completion& into) noexcept;
  // Whether there is an answer to take, or one taken whose credit is still out: only the caller
  // makes room in a full window then.
  bool HasAnswer() noexcept { return held_ != 0 || answers.Peek(0) != nullptr; }
  // Whether what refused a command with `fault` may be over, or only the caller can end it. What it
  // reads is rung for: by answers, by CommandLoop::SetAdmission(), by Engine::Stop().
  bool MayBeOver(SendFault fault) noexcept;
  // Whether what refused the last command is over, and it was not the window.
  bool IsRefusalOver() noexcept { return PassesByItself(refused_) && MayBeOver(refused_); }
  // Whether the engine stopped, and the caller was not woken for it yet.
  bool IsStopNews() const noexcept {
    // Relaxed: guards nothing. Engine::Stop() rings behind it, which orders it before the sleep.
    return !knows_of_stop_ && admission_->is_closed.load(std::memory_order_relaxed);
  }
  // Whether who sleeps until Poll() or Submit() may get on need not: see Producer::Wait().
  bool HasNews() noexcept { return answers.Peek(0) != nullptr || IsRefusalOver() || IsStopNews(); }
  // The caller was told: it is not woken for that again.
  void ForgetNewsButAnswers() noexcept {
    if (IsRefusalOver()) refused_ = SendFault::kNone;
    if (IsStopNews()) knows_of_stop_ = true;
  }

  std::uint32_t in_flight() const noexcept { return static_cast<std::uint32_t>(sent_ - polled_); }
  std::uint32_t window() const noexcept { return window_; }
  Sequence last_sequence() const noexcept { return last_sequence_; }
  std::uint32_t session() const noexcept { return session_; }
  SessionLane session_lane() const noexcept { return session_lane_; }
  std::uint32_t generation() const noexcept { return generation_; }
  // Who sends, as the guard knows inputs and as the flight file has it.
  std::uint64_t flight_sender() const noexcept {
    return FlightSender(session_, session_lane_, generation_);
  }
  std::uint32_t guard_session() const noexcept {
    return static_cast<std::uint32_t>(flight_sender());
  }
  WhenFull when_full() const noexcept { return when_full_; }
  std::int64_t full_timeout_ns() const noexcept { return full_timeout_ns_; }
  std::uint16_t index() const noexcept { return index_; }
  std::uint64_t sent() const noexcept { return sent_; }
  EngineParts& engine() const noexcept { return *engine_; }

  // --- the engine, before the lane is handed out or after it came back ---

  struct Use {
    std::uint32_t session = 0;
    SessionLane session_lane = SessionLane::kControl;
    std::uint32_t generation = 0;
    Sequence last{};
  };
  void BeginUse(const Use& use) noexcept;
  // Before each use: makes the lane's token of the queue that it goes through, if it never went
  // there. A queue takes turns between all tokens that were ever made, so that lanes never used
  // must have none.
  //   returns   false: no memory
  bool PrepareToSend() noexcept;
  // What the owner chose.
  void SetWhenFull(WhenFull when_full, std::int64_t timeout_ns) noexcept {
    when_full_ = when_full;
    full_timeout_ns_ = timeout_ns;
  }

  // True while a Send or SendStaged is under way. Read by Engine::Stop() behind a heavy barrier.
  bool is_sending() const noexcept {
    // Acquire: the enqueue before it ended. Pairs with the release in EndSending().
    return is_sending_.load(std::memory_order_acquire);
  }

  // --- both ---

  WindowRing<CommandSlot> commands;                   // producer writes, loop reads
  CompletionRing<AnswerRange> answers;                // loop pushes, producer polls
  std::array<WindowRing<PackedReceipt>, 2> receipts;  // loop writes, producer reads; by level
  QueueWaitSample wait;                               // loop asks, producer writes
  Doorbell bell;                                      // the producer sleeps, the loop rings

  // Index of a level in `receipts` and in counts of answers.
  static constexpr std::size_t LevelIndex(Ack level) noexcept {
    return level == Ack::kPublished ? 0 : 1;
  }

  // --- loop only ---

  struct LoopSide {
    std::uint64_t processed = 0;  // commands decided: cursor of the next one in `commands`
    std::uint32_t waiting = 0;    // commands behind it whose tickets the loop took
    std::array<std::uint64_t, 2> answered{};  // receipts written: cursors of the next ones
    std::uint64_t pending = 0;                // ranges that wait for the durable mark
    std::uint64_t closes_after = 0;           // the producer ended after so many commands
    std::uint64_t wait_asked_ns = 0;          // when `wait` was asked for last
    bool is_open = false;
    bool is_closing = false;
    bool is_touched = false;  // pushed to in this turn
  };
  alignas(kCacheLineBytes) LoopSide loop;

 private:
  SendFault Admit() noexcept;
  SendFault Refuse(SendFault fault) noexcept {
    refused_ = fault;
    return CountRefusal(fault);
  }
  void BeginSending() noexcept;
  void EndSending() noexcept {
    // Release: the enqueue before. Pairs with the acquire in is_sending().
    is_sending_.store(false, std::memory_order_release);
  }
  SendFault Enqueue(std::uint32_t count) noexcept;
  SendFault TryEnqueue(std::uint32_t count) noexcept;
  // Counts an attempt that was refused. Returns why.
  [[gnu::noinline]] SendFault CountRefusal(SendFault fault) noexcept;
  StagedCommands StageIn(std::span<CommandSlot> slots, SendFault& fault) noexcept;
  std::uint64_t CursorOf(const CommandSlot& staged) const noexcept;
  std::byte* NewParcel(CommandSlot& slot, std::size_t bytes, SendFault& fault) noexcept;
  PackedReceipt& ReceiptAt(Ack level, std::uint64_t ahead) noexcept {
    return receipts[LevelIndex(level)].At(read_[LevelIndex(level)] + ahead);
  }
  CompletionRange TakeFront(std::uint32_t count) noexcept;
  void DropTaken() noexcept;

  // Constant while in use.
  EngineParts* const engine_;
  const std::span<CommandQueue, kSessionLanes> queues_;
  Admission* const admission_;
  Doorbell* const loop_bell_;
  Clock* const clock_;
  LaneWords* const words_;
  const std::span<StreamStore* const> stores_;
  const std::uint16_t index_;
  const std::uint32_t window_;
  const std::uint32_t command_bytes_max_;
  const std::unique_ptr<CommandSlot[]> batch_;  // room for what enters the queue together
  std::array<CommandQueue::TokenPointer, kSessionLanes> tokens_;
  CommandQueue* queue_ = nullptr;
  CommandQueue::Token* token_ = nullptr;
  std::uint32_t session_ = 0;
  SessionLane session_lane_ = SessionLane::kControl;
  std::uint32_t generation_ = 0;
  std::int64_t full_timeout_ns_ = 0;
  WhenFull when_full_ = WhenFull::kFail;

  // Producer's thread.
  alignas(kCacheLineBytes) std::uint64_t sent_ = 0;
  const CommandSlot* staged_ = nullptr;  // the first one
  std::uint64_t polled_ = 0;
  std::array<std::uint64_t, 2> read_{};  // receipts taken: cursors of the oldest ones not taken
  std::uint32_t taken_ahead_ = 0;  // answers taken out of turn that stand behind others not taken
  std::uint32_t held_ = 0;         // answers of the range taken whose receipts may still be read
  Sequence last_sequence_;
  ParcelRing parcels_;
  SendFault refused_ = SendFault::kNone;  // why the last command was not sent
  bool knows_of_stop_ = false;            // woken for it, once
  // Writer: producer's thread. Reader: Engine::Stop(). Guards the end of enqueueing.
  std::atomic<bool> is_sending_{false};
};

}  // namespace pawl::inline v0
