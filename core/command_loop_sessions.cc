#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "command_loop.h"
#include "pawl/check.h"

// Sessions opened and closed, between two turns; commands that have conditions on other streams or
// an idempotency key.
namespace pawl::inline v0 {

namespace {

// Numbers that CloseIdle() looks at, sessions that it closes, and pages that it frees for them
// before it ends with the one at hand, in one go. With the windows that are default these are 1,283
// pages at most, with the largest ones 5,123.
constexpr std::uint32_t kLookedAtMax = 4096;
constexpr std::uint32_t kClosedMax = 128;
constexpr std::uint32_t kFreedMax = 1024;
constexpr std::uint32_t kClosingBytes = sizeof(RecordHeader) + sizeof(SessionClosed);

// Payload of the record that opens a lane, without the name.
std::array<std::byte, sizeof(SessionOpened)> OpeningOf(std::uint32_t number, std::string_view name,
                                                       SessionLane lane,
                                                       std::uint32_t generation) noexcept {
  static_assert(sizeof(SessionOpened) == sizeof(LaneOpened));
  const auto name_bytes = static_cast<std::uint16_t>(name.size());
  std::array<std::byte, sizeof(SessionOpened)> bytes;
  if (lane == SessionLane::kControl) {
    const SessionOpened opened{
        .session = number, .generation = generation, .name_bytes = name_bytes, .reserved = {}};
    std::memcpy(bytes.data(), &opened, sizeof opened);
  } else {
    const LaneOpened opened{.session = number,
                            .generation = generation,
                            .name_bytes = name_bytes,
                            .lane = static_cast<std::uint8_t>(lane),
                            .reserved = {}};
    std::memcpy(bytes.data(), &opened, sizeof opened);
  }
  return bytes;
}

}  // namespace

// --- opening and closing ---

absl::StatusOr<std::uint32_t> CommandLoop::OpenSession(std::string_view name,
                                                       SessionLane lane) noexcept {
  const std::uint32_t known = sessions_.Find(name);
  const std::uint32_t number = known != 0 ? known : sessions_.FreeNumber();
  if (number == 0) {
    return absl::ResourceExhaustedError(
        "sessions_max are open: close some (CloseSession, CloseIdleSessions) or raise the limit");
  }
  const std::uint32_t generation = sessions_.NextGeneration(known, lane);
  if (generation == 0) {
    return absl::ResourceExhaustedError(
        "generation 4,294,967,295 was given, the last one there is: " +
        (known != 0 ? "use a session with another name" : std::string("begin a new log")));
  }
  UpdateRoom();
  if (!HasRoom()) {
    return absl::ResourceExhaustedError("the disk is low or behind; try again later");
  }
  sessions_.Open(number, name, lane, generation);
  writer_.SetTime(clock_.Tick());
  sessions_.Touch(number, clock_.now_ns());
  writer_.BeginCommit();
  const auto opening = OpeningOf(number, name, lane, generation);
  std::byte* const room =
      writer_.AppendRecord({.kind = lane == SessionLane::kControl ? RecordKind::kSessionOpened
                                                                  : RecordKind::kLaneOpened},
                           static_cast<std::uint32_t>(opening.size() + name.size()));
  PAWL_CHECK(room != nullptr);
  std::memcpy(room, opening.data(), opening.size());
  std::memcpy(room + opening.size(), name.data(), name.size());
  EndControl();
  return number;
}

// Ends a commit of the engine's own and publishes it.
void CommandLoop::EndControl() noexcept {
  static_cast<void>(writer_.EndCommit({.cause = CommitCause::kControl}));
  pending_.EndTurn(writer_.Publish());
  meter_.CountFrame();
  meter_.SetSessions(sessions_.count());
  meter_.EndTurn(Newest());
  RingReaders();
}

std::uint32_t CommandLoop::AppendClosing(std::uint32_t number) noexcept {
  const SessionClosed closed{.session = number, .generation = sessions_.NewestGeneration(number)};
  std::byte* const room = writer_.AppendRecord({.kind = RecordKind::kSessionClosed}, sizeof closed);
  PAWL_CHECK(room != nullptr);
  std::memcpy(room, &closed, sizeof closed);
  if (guard_.is_watching()) guard_.ForgetSession(number);
  meter_.CountClosedSession();
  return sessions_.Close(number);
}

absl::Status CommandLoop::CloseSession(ControlRequest& request) noexcept {
  if (is_failed_ || is_draining_) {
    return absl::UnavailableError("the engine stopped or failed; open it again");
  }
  request.opened_at = writer_.published();
  const ProducerLane* const lane = request.lane;
  const bool is_known = lane == nullptr || sessions_.IsOf(lane->session(), lane->generation());
  const std::uint32_t number = lane == nullptr ? sessions_.Find(request.session) : lane->session();
  if (number == 0 || !is_known) return absl::NotFoundError("no such session is open");
  if (lane != nullptr &&
      sessions_.At(number, lane->session_lane()).generation() != lane->generation()) {
    return absl::CancelledError("the session was opened again elsewhere; it stays open");
  }
  UpdateRoom();
  if (!HasRoom()) {
    request.lacks_room = true;
    return absl::ResourceExhaustedError("the disk is low or behind; try again later");
  }
  writer_.SetTime(clock_.Tick());
  writer_.BeginCommit();
  static_cast<void>(AppendClosing(number));
  EndControl();
  request.opened_at = writer_.published();
  return absl::OkStatus();
}

// Who has a producer is not idle, although it may be silent.
void CommandLoop::SetHeldSessions(bool are_held) noexcept {
  for (const std::unique_ptr<ProducerLane>& lane : lanes_) {
    const bool has_session =
        lane->loop.is_open && sessions_.IsOf(lane->session(), lane->generation());
    if (has_session) sessions_.SetHeld(lane->session(), are_held);
  }
}

// Looks at some more sessions; all of them are looked at when `looked_at` has come to numbers().
absl::Status CommandLoop::CloseIdle(ControlRequest& request) noexcept {
  if (is_failed_ || is_draining_) {
    return absl::UnavailableError("the engine stopped or failed; open it again");
  }
  UpdateRoom();
  if (!HasRoom()) {
    request.lacks_room = true;
    return absl::ResourceExhaustedError("the disk is low or behind; try again later");
  }
  const std::uint64_t now_ns = clock_.Tick();
  SetHeldSessions(true);
  writer_.SetTime(now_ns);
  writer_.BeginCommit();
  std::uint32_t& number = request.looked_at;
  const std::uint32_t last =
      sessions_.numbers() - number > kLookedAtMax ? number + kLookedAtMax : sessions_.numbers();
  // What does not fit goes on in the next commit.
  const std::uint32_t most =
      std::min(kClosedMax,
               (writer_.commit_bytes_max() - std::uint32_t{sizeof(CommitHeader)}) / kClosingBytes);
  std::uint32_t freed = 0;
  while (number != last && writer_.commit_records() != most && freed < kFreedMax) {
    ++number;
    if (now_ns >= request.idle_ns && sessions_.IsIdle(number, now_ns - request.idle_ns)) {
      freed += AppendClosing(number);
    }
  }
  SetHeldSessions(false);
  if (writer_.commit_records() == 0) {
    writer_.AbandonCommit();
  } else {
    request.closed += writer_.commit_records();
    EndControl();
  }
  request.opened_at = writer_.published();
  request.is_done = number == sessions_.numbers();
  return absl::OkStatus();
}

// --- conditions on other streams, idempotency keys ---

// Decides a command with conditions on other streams or an idempotency key.
DecidedRun CommandLoop::DecideParcel(ProducerLane& lane, Session& session, const CommandSlot& slot,
                                     StreamSlot* const* stream) noexcept {
  // Only if the memory of commands was taken away: nothing is published then.
  if (slot.parcel() == nullptr) return {0, Verdict(VerdictKind::kLimitExceeded, 0)};
  if (!ConditionsParcel::In(slot).idempotency_key.is_zero()) {
    return DecideWithKey(lane, session, slot, stream);
  }
  if (const Verdict judged = JudgeOthers(slot); !judged.is_accepted()) return {0, judged};
  return DecidePlain(lane, session, slot, stream);
}

// Without what the parcel has beside the command. It stands where it is found if it ends the
// process.
DecidedRun CommandLoop::DecidePlain(ProducerLane& lane, Session& session, const CommandSlot& slot,
                                    StreamSlot* const* stream) noexcept {
  CommandSlot& plain = guard_.flight().PlainOf(lane.flight_sender());
  plain = WithoutConditions(slot);
  return DecideSome(lane, session, {&plain, 1}, stream);
}

Verdict CommandLoop::JudgeOthers(const CommandSlot& slot) noexcept {
  std::uint16_t number = 0;
  for (const ConditionsParcel::OnStream& each : ConditionsParcel::In(slot).on_streams()) {
    ++number;
    const StreamStore& store = *stores_[each.aggregate];
    if (!HoldsOn(each.condition, store, each.key, store.Find(each.key))) {
      return {VerdictKind::kConflict, number};
    }
  }
  return Accept();
}

// Whether its idempotency key says what to answer, without a decision.
bool CommandLoop::IsKeyKnown(const CommandSlot& slot) noexcept {
  if (!slot.has_conditions() || slot.parcel() == nullptr) return false;
  const Key& key = ConditionsParcel::In(slot).idempotency_key;
  return !key.is_zero() && keys_.Find(key, builder_.now_ns()) != nullptr;
}

DecidedRun CommandLoop::DecideWithKey(ProducerLane& lane, Session& session, const CommandSlot& slot,
                                      StreamSlot* const* stream) noexcept {
  const ConditionsParcel& parcel = ConditionsParcel::In(slot);
  // Before any condition: what was executed once made some of them false.
  if (const KeyTable::Entry* first = keys_.Find(parcel.idempotency_key, builder_.now_ns())) {
    if (first->body_hash != parcel.body_hash) return {0, Verdict(VerdictKind::kKeyReused, 0)};
    return AnswerByKey(lane, session, slot, first->receipt);
  }
  if (const Verdict judged = JudgeOthers(slot); !judged.is_accepted()) return {0, judged};
  const IdempotencyKeyBlock block{.key_high = parcel.idempotency_key.high,
                                  .key_low = parcel.idempotency_key.low,
                                  .body_hash = parcel.body_hash};
  std::memcpy(writer_.StageExtension(ExtensionKind::kIdempotencyKey, sizeof block), &block,
              sizeof block);
  builder_.BeginExtended(LogWriter::HeadBytesWith(sizeof block));
  const DecidedRun done = DecidePlain(lane, session, slot, stream);
  builder_.EndExtended();
  if (done.accepted != 0) {
    keys_.Remember({.key = parcel.idempotency_key,
                    .body_hash = parcel.body_hash,
                    .receipt = receipts_next_[-1],
                    .time_ns = builder_.now_ns()});
  }
  return done;
}

// Answers a command that was executed before, under its key. A session remembers that by a record.
DecidedRun CommandLoop::AnswerByKey(ProducerLane& lane, Session& session, const CommandSlot& slot,
                                    const PackedReceipt& first) noexcept {
  if (lane.session() != 0) {
    const FirstReceiptBlock block{.position = first.position, .version = first.version().value()};
    std::memcpy(writer_.StageExtension(ExtensionKind::kFirstReceipt, sizeof block), &block,
                sizeof block);
    writer_.BeginCommit(LogWriter::HeadBytesWith(sizeof block));
    PAWL_CHECK(writer_.AppendRecord({.kind = RecordKind::kAccepted}, 0) != nullptr);
    const auto flags = static_cast<std::uint8_t>(builder_.commit_flags() | kCommitHasExtensions);
    const Address before = writer_.published();
    static_cast<void>(
        writer_.EndCommit({.session = lane.session(), .sequence = slot.sequence, .flags = flags}));
    if (writer_.published() != before) meter_.CountFrame();
  }
  sessions_.RememberAccepted(session, {&first, 1});
  meter_.CountKeyDuplicate();
  AnswerAgain(lane, slot, Accept(), first);
  return {1, Accept()};
}

}  // namespace pawl::inline v0
