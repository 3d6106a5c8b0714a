#include "pawl/producer.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include <absl/strings/cord.h>

#include "engine_parts.h"
#include "pause.h"
#include "pawl/deadline.h"
#include "pawl/parking.h"
#include "producer_lane.h"

namespace pawl::inline v0 {

namespace {

constexpr char kRefusalUrl[] = "pawl/refusal-code";
constexpr char kConflictUrl[] = "pawl/conflict";  // a Conflict as it stands in memory
// Looks at the ring before sleeping: a published answer comes within a few microseconds.
constexpr int kSpinRounds = 100;

struct FaultText {
  absl::StatusCode code;
  const char* reason;
};

constexpr FaultText TextOf(SendFault fault) noexcept {
  switch (fault) {
    case SendFault::kNone: return {absl::StatusCode::kOk, "sent"};
    case SendFault::kWindowFull:
      return {absl::StatusCode::kResourceExhausted,
              "the window is full: poll completions, then send again"};
    case SendFault::kQueueFull:
      return {absl::StatusCode::kResourceExhausted, "the queue is full: send again"};
    case SendFault::kUndurable:
      return {absl::StatusCode::kResourceExhausted,
              "undurable_bytes_max is reached, the disk is behind: send again later"};
    case SendFault::kDiskLow:
      return {absl::StatusCode::kResourceExhausted,
              "the disk is low, no next segment could be made: free some room"};
    case SendFault::kUnavailable:
      return {absl::StatusCode::kUnavailable,
              "the engine stopped or failed (Engine::error() says why): open it again"};
    case SendFault::kNotInEngine:
      return {absl::StatusCode::kInvalidArgument,
              "the engine was opened without this aggregate, or the key is 0"};
    case SendFault::kBadSequence:
      return {absl::StatusCode::kInvalidArgument,
              "a resend needs a session and a sequence that it sent before"};
    case SendFault::kParcelsFull:
      return {absl::StatusCode::kResourceExhausted,
              "parcel_bytes are under way: poll completions, then send again"};
    case SendFault::kTooLarge:
      return {absl::StatusCode::kInvalidArgument,
              "the command is larger than command_bytes_max: raise the limit or send less"};
    case SendFault::kBadConditions:
      return {absl::StatusCode::kInvalidArgument,
              "more than kConditionsMax conditions on other streams, or any with a batch"};
    case SendFault::kBadKey:
      return {absl::StatusCode::kInvalidArgument,
              "an idempotency key with a batch, or for a command whose bytes have padding"};
  }
  return {absl::StatusCode::kInternal, "?"};
}

absl::Status StatusOf(SendFault fault) {
  return absl::Status(TextOf(fault).code, TextOf(fault).reason);
}

absl::Status ConflictStatus(const Completion& completion) {
  const Conflict conflict{.condition = completion.verdict.code(),
                          .version = completion.receipt.version,
                          .position = completion.receipt.position};
  const std::string which = conflict.condition == 0
                                ? std::string("the command's stream")
                                : "other stream " + std::to_string(conflict.condition);
  absl::Status status = absl::AbortedError(
      "the condition on " + which + " does not hold: it has version " +
      std::to_string(conflict.version.value()) + ", last changed at position " +
      std::to_string(conflict.position.value()) + "; nothing was appended: read it, decide anew");
  const absl::string_view bytes(reinterpret_cast<const char*>(&conflict), sizeof conflict);
  status.SetPayload(kConflictUrl, absl::Cord(bytes));
  return status;
}

}  // namespace

absl::StatusCode Sent::code() const noexcept { return TextOf(fault_).code; }
std::string_view Sent::reason() const noexcept { return TextOf(fault_).reason; }

absl::StatusOr<Receipt> ResultOf(const Completion& completion) {
  switch (completion.verdict.kind()) {
    case VerdictKind::kAccepted: return completion.receipt;
    case VerdictKind::kRefused: {
      const std::string code = std::to_string(completion.verdict.code());
      absl::Status refused = absl::FailedPreconditionError("refused with code " + code);
      refused.SetPayload(kRefusalUrl, absl::Cord(absl::string_view(code.data(), code.size())));
      return refused;
    }
    case VerdictKind::kLimitExceeded:
      return absl::FailedPreconditionError(
          "the command's events exceed commit_bytes_max, kCommitEventsMax or streams_max; nothing "
          "was appended");
    case VerdictKind::kFenced:
      return absl::CancelledError("the session was opened again elsewhere; nothing was appended");
    case VerdictKind::kUnavailable:
      return absl::UnavailableError("the engine stopped or failed before this command");
    case VerdictKind::kUnknown:
      return absl::UnknownError(
          "a sync failed: open the engine again, then resend to learn the outcome");
    case VerdictKind::kExpired:
      return absl::AlreadyExistsError(
          "executed before; the receipt left the session's window of resends");
    case VerdictKind::kConflict: return ConflictStatus(completion);
    case VerdictKind::kQuarantined:
      return absl::FailedPreconditionError(
          "the command ended the process twice when it was decided: it is in quarantine "
          "(Engine::Quarantined()) and was not executed");
    case VerdictKind::kSessionUnknown:
      return absl::NotFoundError(
          "the session was closed; nothing was appended: open it anew, it begins at sequence 1");
    case VerdictKind::kKeyReused:
      return absl::AlreadyExistsError(
          "the idempotency key was given to another command before; nothing was appended: send "
          "this one with a key of its own");
    case VerdictKind::kNotSent: return StatusOf(static_cast<SendFault>(completion.verdict.code()));
  }
  return absl::InternalError("unknown verdict");
}

std::uint16_t RefusalCode(const absl::Status& status) {
  const auto payload = status.GetPayload(kRefusalUrl);
  if (!payload) return 0;
  return static_cast<std::uint16_t>(std::stoul(std::string(*payload)));
}

std::optional<Conflict> ConflictOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kConflictUrl);
  if (!payload || payload->size() != sizeof(Conflict)) return std::nullopt;
  Conflict conflict;
  const std::string bytes(*payload);
  std::memcpy(&conflict, bytes.data(), sizeof conflict);
  return conflict;
}

Producer::Producer(Producer&& other) noexcept : lane_(std::exchange(other.lane_, nullptr)) {}

Producer& Producer::operator=(Producer&& other) noexcept {
  std::swap(lane_, other.lane_);
  return *this;
}

Producer::~Producer() {
  if (lane_ == nullptr) return;
  EngineParts& engine = lane_->engine();
  const std::lock_guard lock(engine.cold);
  ControlRequest request{.kind = ControlRequest::Kind::kCloseLane, .lane = lane_};
  static_cast<void>(engine.Ask(request));  // Ok, or the loop runs no more
}

std::uint16_t Producer::StoreIndex(TypeTag aggregate) const noexcept {
  return lane_->StoreIndex(aggregate);
}
StagedCommands Producer::Stage(SendFault& fault) noexcept { return lane_->Stage(fault); }

StagedCommands Producer::StageBatch(std::uint32_t wanted, SendFault& fault) noexcept {
  return lane_->StageBatch(wanted, fault);
}
Sent Producer::Send(Sequence resend) noexcept { return lane_->Send(resend); }
std::byte* Producer::PutParcel(CommandSlot& slot, std::size_t bytes, SendFault& fault) noexcept {
  return lane_->PutParcel(slot, bytes, fault);
}
SendFault Producer::PutParcel(CommandSlot& slot, const SubmitOptions& options,
                              std::span<const std::byte> command) noexcept {
  return lane_->PutParcel(slot, options, command);
}
void Producer::PlaceBatch(std::uint32_t count) noexcept { lane_->PlaceBatch(count); }

void Producer::SendStaged(std::uint32_t count, SentBatch& sent) noexcept {
  lane_->SendStaged(count, sent);
}
CompletionRange Producer::TakeRange(std::size_t answers_max) noexcept {
  return lane_->TakeRange(answers_max);
}
void Producer::ReturnCredits() noexcept { lane_->ReturnCredits(); }

std::uint32_t Producer::in_flight() const noexcept { return lane_->in_flight(); }
std::uint32_t Producer::window() const noexcept { return lane_->window(); }
Sequence Producer::last_sequence() const noexcept { return lane_->last_sequence(); }
std::uint32_t Producer::generation() const noexcept { return lane_->generation(); }
SessionLane Producer::session_lane() const noexcept { return lane_->session_lane(); }

namespace {

// Waits until is_over() or the deadline. Host-driven: runs the engine.
//   returns   whether is_over() held
template <class IsOver>
bool WaitUntil(ProducerLane& lane, WhenFull how, std::int64_t deadline_ns,
               IsOver&& is_over) noexcept {
  EngineParts& engine = lane.engine();
  const bool is_hosted = engine.options.threads != Threads::kOwn;
  if (is_hosted || how == WhenFull::kSpin) {
    while (!is_over()) {
      if (KernelParking::NowNs() >= deadline_ns) return false;
      if (!is_hosted) {
        Pause();
      } else if (engine.host.Round() == 0) {
        std::this_thread::yield();
      }
    }
    return true;
  }
  for (int i = 0; i < kSpinRounds; ++i) {
    if (is_over()) return true;
    std::this_thread::yield();
  }
  return lane.bell.Wait(is_over, std::max<std::int64_t>(0, deadline_ns - KernelParking::NowNs()));
}

// Waits until what refused a command with `fault` may be over.
//   returns   whether to try again; false: it does not pass, or not without the caller, or not
//             before the deadline
bool WaitForRoom(ProducerLane& lane, SendFault fault, WhenFull how,
                 std::int64_t deadline_ns) noexcept {
  if (EndsByPolling(fault) ? lane.HasAnswer() : !PassesByItself(fault)) return false;
  if (KernelParking::NowNs() >= deadline_ns) return false;
  if (fault == SendFault::kQueueFull) {
    // Nobody rings for that, and nobody needs to: each turn of the loop makes room.
    if (lane.engine().options.threads == Threads::kOwn || lane.engine().host.Round() == 0) {
      std::this_thread::yield();
    }
    return true;
  }
  return WaitUntil(lane, how, deadline_ns,
                   [&lane, fault]() noexcept { return lane.MayBeOver(fault); });
}

}  // namespace

bool Producer::Outlast(SendFault fault, const SubmitOptions& options,
                       std::int64_t& deadline_ns) noexcept {
  const WhenFull how = options.when_full.value_or(lane_->when_full());
  if (how == WhenFull::kFail) return false;
  if (deadline_ns == kNotSet) deadline_ns = DeadlineAfter(lane_->full_timeout_ns());
  return WaitForRoom(*lane_, fault, how, deadline_ns);
}

void Producer::Wait(std::chrono::nanoseconds timeout) noexcept {
  WaitUntil(*lane_, WhenFull::kPark, DeadlineAfter(timeout.count()),
            [this]() noexcept { return lane_->HasNews(); });
  lane_->ForgetNewsButAnswers();
}

absl::StatusOr<int> Producer::EventFd() {
  if (lane_->bell.event_fd() >= 0) return lane_->bell.event_fd();
  const int event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) {
    return absl::ResourceExhaustedError("eventfd: " + std::string(std::strerror(errno)) +
                                        " (errno " + std::to_string(errno) +
                                        "): raise the limit of open files");
  }
  lane_->bell.SetEventFd(event_fd);
  return event_fd;
}

bool Producer::ArmEventFd() noexcept {
  PAWL_CHECK(lane_->bell.event_fd() >= 0);  // EventFd() comes first
  if (lane_->bell.Watch([this]() noexcept { return lane_->HasNews(); })) return true;
  lane_->ForgetNewsButAnswers();
  return false;
}

absl::StatusOr<Receipt> Producer::ExecuteBy(const SendAgain& send,
                                            std::chrono::nanoseconds timeout) {
  const std::int64_t deadline_ns = DeadlineAfter(timeout.count());
  Sent sent = send();
  while (!sent) {
    if (!WaitForRoom(*lane_, sent.fault(), WhenFull::kPark, deadline_ns)) {
      return StatusOf(sent.fault());
    }
    sent = send();
  }
  Completion completion;
  for (;;) {
    const std::size_t seen = lane_->answers.size();
    if (lane_->TakeOutOfTurn(sent.sequence(), completion)) return ResultOf(completion);
    const bool has_more = WaitUntil(*lane_, WhenFull::kPark, deadline_ns, [this, seen]() noexcept {
      return lane_->answers.size() > seen;
    });
    if (!has_more) {
      return absl::DeadlineExceededError(
          "no answer in time: the outcome is open; resend the sequence, or poll for it");
    }
  }
}

}  // namespace pawl::inline v0
