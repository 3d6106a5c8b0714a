#include "pawl/producer.h"

#include <cstring>
#include <string>
#include <utility>

#include <absl/strings/cord.h>

#include "engine_parts.h"
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
  }
  return {absl::StatusCode::kInternal, "?"};
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
  std::string bytes(sizeof conflict, '\0');
  std::memcpy(bytes.data(), &conflict, sizeof conflict);
  status.SetPayload(kConflictUrl, absl::Cord(std::move(bytes)));
  return status;
}

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
  }
  return absl::InternalError("unknown verdict");
}

}  // namespace

absl::StatusCode Sent::code() const noexcept { return TextOf(fault_).code; }
std::string_view Sent::reason() const noexcept { return TextOf(fault_).reason; }

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

absl::Status Producer::StatusOf(SendFault fault) {
  return absl::Status(TextOf(fault).code, TextOf(fault).reason);
}

std::uint16_t Producer::StoreIndex(TypeTag aggregate) const noexcept {
  return lane_->StoreIndex(aggregate);
}
StagedCommands Producer::Stage(std::uint32_t wanted, SendFault& fault) noexcept {
  return lane_->Stage(wanted, fault);
}
Sent Producer::Send(Sequence resend) noexcept { return lane_->Send(resend); }
std::byte* Producer::PutParcel(CommandSlot& slot, std::size_t bytes, SendFault& fault) noexcept {
  return lane_->PutParcel(slot, bytes, fault);
}
SendFault Producer::PutConditions(CommandSlot& slot, std::span<const StreamCondition> others,
                                  std::span<const std::byte> command) noexcept {
  return lane_->PutConditions(slot, others, command);
}
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

namespace {

// Waits until the ring holds more than `seen` ranges, or `end`. Host-driven: runs the engine.
void WaitForMore(ProducerLane& lane, std::size_t seen,
                 std::chrono::steady_clock::time_point end) noexcept {
  EngineParts& engine = lane.engine();
  const auto has_more = [&lane, seen]() noexcept { return lane.answers.size() > seen; };
  if (engine.options.threads != Threads::kOwn) {
    while (!has_more() && std::chrono::steady_clock::now() < end) {
      if (engine.host.Round() == 0) std::this_thread::yield();
    }
    return;
  }
  for (int i = 0; i < kSpinRounds; ++i) {
    if (has_more()) return;
    std::this_thread::yield();
  }
  const auto left = end - std::chrono::steady_clock::now();
  lane.bell.Wait(has_more, std::max<std::int64_t>(0, std::chrono::nanoseconds(left).count()));
}

}  // namespace

void Producer::Wait(std::chrono::nanoseconds timeout) noexcept {
  WaitForMore(*lane_, 0, std::chrono::steady_clock::now() + timeout);
}

absl::StatusOr<Receipt> Producer::ExecuteBy(const SendAgain& send,
                                            std::chrono::nanoseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  Sent sent = send();
  while (!sent) {
    const bool may_pass = sent.code() == absl::StatusCode::kResourceExhausted;
    // With every answer of a full window in the ring only the caller's Poll() makes room.
    const bool is_window = sent.fault() == SendFault::kWindowFull;
    const bool is_parcels = sent.fault() == SendFault::kParcelsFull;
    const bool is_stuck = (is_window || is_parcels) && lane_->IsAllAnswered();
    if (!may_pass || is_stuck || std::chrono::steady_clock::now() >= end) {
      return StatusOf(sent.fault());
    }
    const auto slice = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
    WaitForMore(*lane_, lane_->answers.size(), std::min(end, slice));
    sent = send();
  }
  Completion completion;
  for (;;) {
    const std::size_t seen = lane_->answers.size();
    if (lane_->TakeOutOfTurn(sent.sequence(), completion)) return ResultOf(completion);
    if (std::chrono::steady_clock::now() >= end) {
      return absl::DeadlineExceededError(
          "no answer in time: the outcome is open; resend the sequence, or poll for it");
    }
    WaitForMore(*lane_, seen, end);
  }
}

}  // namespace pawl::inline v0
