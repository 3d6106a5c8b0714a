#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "admission.h"
#include "command_queue.h"
#include "commit_timers.h"
#include "engine_clock.h"
#include "epoch_starts.h"
#include "input_guard.h"
#include "key_table.h"
#include "lane_turns.h"
#include "loop_meter.h"
#include "pawl/agent.h"
#include "pawl/commit_builder.h"
#include "pawl/log.h"
#include "pending_answers.h"
#include "producer_lane.h"
#include "session_table.h"
#include "turn_pace.h"

namespace pawl::inline v0 {

// What a cold call asks of the loop. One at a time; lives on the caller's stack.
struct ControlRequest {
  enum class Kind : std::uint8_t {
    kOpenLane,
    kCloseLane,
    kCloseSession,
    kCloseIdle,
    kAddBell,
    kRemoveBell,
    kVisit,
    kDrain
  };

  Kind kind;
  ProducerLane* lane = nullptr;                  // kCloseLane, kCloseSession; answer of kOpenLane
  Address opened_at{};                           // answer: end of what it rests on, with sessions
  std::string_view session{};                    // kOpenLane; kCloseSession without a lane
  SessionLane session_lane{};                    // kOpenLane
  std::uint64_t idle_ns = 0;                     // kCloseIdle
  std::uint32_t looked_at = 0;                   // kCloseIdle, and answer: numbers
  std::uint32_t closed = 0;                      // answer of kCloseIdle, added
  bool is_done = false;                          // answer of kCloseIdle: all were looked at
  bool lacks_room = false;                       // answer, with sessions: later there may be some
  Doorbell* bell = nullptr;                      // kAddBell, kRemoveBell
  const std::function<void()>* visit = nullptr;  // kVisit
  absl::Status status{};                         // the answer
};

// The event loop: takes commands in turns of up to 256, decides them, publishes each turn as one
// frame and answers at the level each command asked for. It never waits: not for the disk, not for
// readers, not for producers.
//   threads   DoWork, HasWork: one at a time, the loop's; Ask, Await: one caller at a time
//
// Memory ordering: what a caller did before Ask() is visible to the loop when it serves the
// request; what the loop did for it is visible after IsServed() said so.
class CommandLoop final : public Agent {
 public:
  static constexpr std::size_t kTurnCommandsMax = 256;
  // Timers fired in a turn, moved on to their place in the queue, and cleared of streams that
  // ended: each has its own bound. What has ended and was due before a timer is cleared before it
  // fires, if need be in several turns.
  static constexpr int kTurnFiresMax = 64;
  static constexpr std::uint32_t kTurnMovesMax = 128;
  static constexpr std::uint32_t kTurnClearsMax = 128;
  // While timers are set the loop looks at the clocks at least that often, so that a step of the
  // wall clock is noticed and followed.
  static constexpr std::int64_t kTimerLookNs = 10'000'000'000;

  struct Setup {
    Log* log;
    std::span<CommandQueue, kSessionLanes> queues;
    Admission* admission;
    SessionTable* sessions;
    KeyTable* keys;
    const EpochStarts* epochs;
    EngineClock* clock;
    StatsBlock* stats;
    bool is_counting;  // what it does, into `stats`
    InputGuard* guard;
    std::span<StreamStore* const> stores;
    CommitTimers* timers;                               // nullptr: no aggregate has any
    std::vector<std::unique_ptr<ProducerLane>>* lanes;  // sized once
    std::uint32_t next_stream;
    std::uint32_t producers_max;
    std::uint32_t answers_max;  // window × producers_max
    std::uint32_t bells_max;
    std::uint64_t undurable_bytes_max;
    std::uint64_t decide_budget_ns;
  };

  explicit CommandLoop(const Setup& setup);

  // What commands that are decided in one go may add to the published mark: a full frame, a commit
  // alone, and the rest of a segment that is too small for both. undurable_bytes_max must be
  // larger.
  static std::uint64_t CommitRoomBytes(const LogWriter& writer) noexcept {
    return 2 * writer.worst_case_bytes() + kSegmentHeaderBytes;
  }

  int DoWork() noexcept override { return Round(nullptr); }
  int DoWorkUntil(const Deadline& deadline) noexcept override { return Round(&deadline); }
  bool HasWork() noexcept override;
  Doorbell& bell() noexcept override { return bell_; }
  std::string_view name() const noexcept override { return "pawl-loop"; }
  std::int64_t sleep_ns() noexcept override { return timers_wait_for_room_ ? -1 : TimerDelayNs(); }

  // How long until a timer may be due, or the clocks are to be looked at; −1: no timer is set.
  std::int64_t TimerDelayNs() noexcept;
  bool timers_wait_for_room() const noexcept { return timers_wait_for_room_; }

  const TurnPace& pace() const noexcept { return pace_; }  // loop only

  // Hands a request over and returns a ticket for IsServed() and Await(). The request lives until
  // it is served.
  std::uint32_t Ask(ControlRequest& request) noexcept;
  bool IsServed(std::uint32_t ticket) const noexcept {
    // Acquire: the answer before the count. Pairs with the release in ServeControl().
    return served_.load(std::memory_order_acquire) != ticket;
  }
  // Blocks until the request is served by the loop's own thread.
  void Await(std::uint32_t ticket) const noexcept {
    // Acquire: as in IsServed().
    served_.wait(ticket, std::memory_order_acquire);
  }

 private:
  using Session = SessionTable::Session;

  // How far FindStreams() looks ahead: 48 commands, the time that some lines take from a far core.
  static constexpr std::size_t kAheadBytes = 48 * sizeof(CommandSlot);

  int Round(const Deadline* deadline) noexcept;
  int ServeControl() noexcept;
  absl::Status Serve(ControlRequest& request) noexcept;
  absl::StatusOr<ProducerLane*> OpenLane(const ControlRequest& request) noexcept;
  void CloseLanes() noexcept;
  absl::StatusOr<std::uint32_t> OpenSession(std::string_view name, SessionLane lane) noexcept;
  absl::Status CloseSession(ControlRequest& request) noexcept;
  absl::Status CloseIdle(ControlRequest& request) noexcept;
  void SetHeldSessions(bool are_held) noexcept;
  //   returns   as SessionTable::Close()
  std::uint32_t AppendClosing(std::uint32_t number) noexcept;
  void EndControl() noexcept;

  int TakeTurn(const Deadline* deadline) noexcept;
  void BeginTime() noexcept;
  void SetTurnTime() noexcept;
  [[gnu::noinline]] void AdoptClockStep() noexcept;
  bool TimersNeedTurn() noexcept;
  int FireTimers(const Deadline* deadline) noexcept;
  void PublishInTurn() noexcept;
  std::uint64_t FireTimer(std::uint32_t timer, std::uint64_t began_ns) noexcept;
  std::uint32_t DecideTurn() noexcept;
  void MeasureWait(ProducerLane& lane, std::uint64_t decided) noexcept;
  void TakeTickets() noexcept;
  std::uint32_t DecideRun(ProducerLane& lane, std::span<const CommandSlot> run) noexcept;
  Session& SessionOf(const ProducerLane& lane, Sequence next) noexcept;
  // Of the commits of its commands.
  static std::uint8_t FlagsOf(const ProducerLane& lane) noexcept {
    const bool is_bulk = lane.session_lane() == SessionLane::kBulk && lane.session() != 0;
    return is_bulk ? kCommitBulkLane : std::uint8_t{0};
  }
  [[gnu::noinline]] void RefuseStranger(ProducerLane& lane, const CommandSlot& slot) noexcept;
  std::size_t DecideAlike(ProducerLane& lane, Session& session,
                          std::span<const CommandSlot> run) noexcept;
  std::span<const CommandSlot> FindStreams(std::span<const CommandSlot> run,
                                           Sequence first) noexcept;
  DecidedRun DecideSome(ProducerLane& lane, Session& session, std::span<const CommandSlot> run,
                        StreamSlot* const* streams) noexcept;
  [[gnu::noinline]] DecidedRun DecideParcel(ProducerLane& lane, Session& session,
                                            const CommandSlot& slot,
                                            StreamSlot* const* stream) noexcept;
  DecidedRun DecidePlain(ProducerLane& lane, Session& session, const CommandSlot& slot,
                         StreamSlot* const* stream) noexcept;
  bool IsKeyKnown(const CommandSlot& slot) noexcept;
  DecidedRun DecideWithKey(ProducerLane& lane, Session& session, const CommandSlot& slot,
                           StreamSlot* const* stream) noexcept;
  Verdict JudgeOthers(const CommandSlot& slot) noexcept;
  DecidedRun AnswerByKey(ProducerLane& lane, Session& session, const CommandSlot& slot,
                         const PackedReceipt& first) noexcept;
  void AnswerAgain(ProducerLane& lane, const CommandSlot& slot, Verdict verdict,
                   const PackedReceipt& first) noexcept;
  [[gnu::noinline]] void DecideWatched(ProducerLane& lane, Session& session,
                                       const CommandSlot& slot, StreamSlot* const* stream) noexcept;
  PackedReceipt MetBy(const CommandSlot& slot, std::uint16_t condition) noexcept;
  [[gnu::noinline]] void Refuse(ProducerLane& lane, Session& session, const CommandSlot& slot,
                                Verdict verdict) noexcept;
  //   outcome   verdict, epoch and whether it is a duplicate
  void AnswerAlone(ProducerLane& lane, const CommandSlot& slot, const AnswerRange& outcome,
                   const PackedReceipt& receipt = {}) noexcept;
  void AnswerNotAccepted(ProducerLane& lane, const CommandSlot& slot, Verdict verdict) noexcept {
    meter_.Count(verdict.kind(), 1);
    AnswerAlone(lane, slot, {.epoch = writer_.epoch(), .verdict = verdict});
  }
  // Of the incarnation that gave a position; 0: this one's.
  Epoch EpochOf(Position position) const noexcept {
    return position == Position() ? writer_.epoch() : epochs_.Of(position);
  }
  std::span<PackedReceipt> ReceiptsFor(ProducerLane& lane, const CommandSlot& slot) noexcept;
  void OpenRange(ProducerLane& lane, const CommandSlot& slot) noexcept;
  void GiveRange(ProducerLane& lane) noexcept;
  [[gnu::noinline]] void RecallAnswer(ProducerLane& lane, const CommandSlot& slot) noexcept;
  bool HasRoom() const noexcept {
    return writer_.staged_end().value() < accept_below_ && writer_.CanBeginCommit();
  }
  // Position of the newest record that is staged or published.
  Position Newest() const noexcept { return Position(writer_.next_position().value() - 1); }
  void UpdateRoom() noexcept;
  // Why producers should hold on, if commands wait for room that is not there.
  SendFault Obstacle() const noexcept;
  void CheckHealth() noexcept;
  void SetAdmission(SendFault now) noexcept;
  void RingReaders() noexcept;

  int ReleaseDurable() noexcept;
  void FailPending() noexcept;
  AnswerRange AsUnknown(const AnswerRange& answers) noexcept;
  void TakeAnswersBack() noexcept;
  int RefuseEverything() noexcept;
  void Push(ProducerLane& lane, const AnswerRange& answers) noexcept {
    lane.answers.Push(answers);
    Touch(lane);
  }
  // The lane's answers are to be published at the end of the turn.
  void Touch(ProducerLane& lane) noexcept {
    if (lane.loop.is_touched) return;
    lane.loop.is_touched = true;
    touched_.push_back(&lane);  // within the reserved room
  }
  void PublishAnswers() noexcept;

  // Constant after construction.
  Log& log_;
  LogWriter& writer_;
  const std::span<CommandQueue, kSessionLanes> queues_;
  Admission& admission_;
  SessionTable& sessions_;
  KeyTable& keys_;
  const EpochStarts& epochs_;
  EngineClock& clock_;
  InputGuard& guard_;
  const std::span<StreamStore* const> stores_;
  std::vector<std::unique_ptr<ProducerLane>>& lanes_;
  const std::uint64_t undurable_bytes_max_;
  const std::uint64_t commit_room_bytes_;

  // Loop only.
  TurnPace pace_;
  LoopMeter meter_;
  CommitBuilder builder_;
  CommitTimers* const timers_;  // nullptr: no aggregate has any
  PendingAnswers pending_;
  std::vector<ProducerLane*> touched_;
  std::vector<Doorbell*> reader_bells_;
  LaneTurns waiting_;
  std::size_t queues_used_ = 1;  // the bulk one, once a producer went there
  std::array<CommandQueue::Ticket, kTurnCommandsMax> tickets_;
  std::array<StreamSlot*, kTurnCommandsMax> streams_;  // guesses for the run being decided
  // Answers of the run that are not given yet: from range_.first on, one for each receipt written.
  AnswerRange range_;
  PackedReceipt* receipts_begin_ = nullptr;
  PackedReceipt* receipts_next_ = nullptr;  // where the next one goes
  PackedReceipt* receipts_end_ = nullptr;
  std::uint64_t accept_below_ = 0;  // address: nothing is decided while the log ends at or above it
  Position unpublished_;            // from here on records may not be, in this turn
  std::uint32_t closing_lanes_ = 0;
  bool timers_go_first_ = false;  // they did not come to their turn
  bool timers_wait_for_room_ = false;
  bool is_failed_ = false;
  bool is_draining_ = false;

  // Writer: a cold caller (release), the loop (takes it). Guards the request.
  alignas(kCacheLineBytes) std::atomic<ControlRequest*> control_{nullptr};
  // Writer: loop. Readers: cold callers. Counts requests served; guards their answers; only grows.
  std::atomic<std::uint32_t> served_{0};
  Doorbell bell_;
};

}  // namespace pawl::inline v0
