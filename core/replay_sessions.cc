// What replay takes in of sessions and idempotency keys.

#include <cstring>
#include <string>

#include "replay.h"

namespace pawl::inline v0 {

namespace {

absl::Status Contradiction(Position position, std::string_view what) {
  return absl::DataLossError("position " + std::to_string(position.value()) + ": " +
                             std::string(what));
}

// What the record of an opened lane says.
struct Opening {
  std::uint32_t session = 0;
  std::uint32_t generation = 0;
  SessionLane lane = SessionLane::kControl;
  std::string_view name;
};

// False: no record of that kind.
bool ReadOpening(const RecordView& record, Opening& opening) noexcept {
  static_assert(sizeof(LaneOpened) == sizeof(SessionOpened) &&
                offsetof(LaneOpened, name_bytes) == offsetof(SessionOpened, name_bytes));
  LaneOpened read;
  if (record.header.payload_bytes() < sizeof read) return false;
  std::memcpy(&read, record.payload(), sizeof read);
  if (read.name_bytes == 0 || read.name_bytes > kSessionNameBytesMax ||
      sizeof read + read.name_bytes > record.header.payload_bytes()) {
    return false;
  }
  opening = {
      .session = read.session,
      .generation = read.generation,
      .name = {reinterpret_cast<const char*>(record.payload()) + sizeof read, read.name_bytes}};
  if (record.header.kind != RecordKind::kLaneOpened) return true;
  opening.lane = SessionLane::kBulk;
  return read.lane == static_cast<std::uint8_t>(SessionLane::kBulk);
}

// Extensions of a command's commit, as far as they are known.
struct Extensions {
  const std::byte* key = nullptr;    // IdempotencyKeyBlock
  const std::byte* first = nullptr;  // FirstReceiptBlock
  bool are_sound = true;
};

// Of a commit whose blocks fill the room before its records, which recovery has seen to.
Extensions ExtensionsOf(const CommitHeader& commit) noexcept {
  Extensions found;
  const std::byte* at = reinterpret_cast<const std::byte*>(&commit + 1);
  for (bool more = (commit.flags & kCommitHasExtensions) != 0; more;) {
    ExtensionHeader header;
    std::memcpy(&header, at, sizeof header);
    const std::size_t bytes = header.bytes - sizeof header;
    const auto take = [&](const std::byte*& into, std::size_t wanted) {
      if (into != nullptr || bytes != wanted) found.are_sound = false;
      into = at + sizeof header;
    };
    if (header.kind == static_cast<std::uint16_t>(ExtensionKind::kIdempotencyKey)) {
      take(found.key, sizeof(IdempotencyKeyBlock));
    } else if (header.kind == static_cast<std::uint16_t>(ExtensionKind::kFirstReceipt)) {
      take(found.first, sizeof(FirstReceiptBlock));
    }
    more = header.more != 0;
    at += header.bytes;
  }
  return found;
}

}  // namespace

absl::Status Replay::TakeOpening(const RecordView& record) {
  Opening opening;
  if (!ReadOpening(record, opening)) {
    return Contradiction(record.position, "session record of a wrong size, name or lane");
  }
  if (opening.session == 0 || opening.session > sessions_.numbers() + 1) {
    return Contradiction(record.position, "session number out of order");
  }
  if (opening.session > sessions_.sessions_max()) {
    return absl::ResourceExhaustedError(
        "the log had more sessions open at a time than sessions_max; raise the limit to at least " +
        std::to_string(opening.session));
  }
  const std::uint32_t known = sessions_.Find(opening.name);
  const bool is_open = sessions_.IsOpen(opening.session);
  if (known != (is_open ? opening.session : 0)) {
    return Contradiction(record.position, "session opened under another number or name");
  }
  const std::uint32_t next = sessions_.NextGeneration(known, opening.lane);
  if (next == 0 || opening.generation < next) {
    return Contradiction(record.position, "session's lane opened twice in one generation");
  }
  sessions_.Open(opening.session, opening.name, opening.lane, opening.generation);
  sessions_.Touch(opening.session, last_time_ns_);
  return absl::OkStatus();
}

absl::Status Replay::TakeSessionClosing(const RecordView& record) {
  SessionClosed closed;
  if (record.header.payload_bytes() != sizeof closed) {
    return Contradiction(record.position, "closing of a session of a wrong size");
  }
  std::memcpy(&closed, record.payload(), sizeof closed);
  if (!sessions_.IsOpen(closed.session)) {
    return Contradiction(record.position, "closing of a session that is not open");
  }
  if (closed.generation != sessions_.NewestGeneration(closed.session)) {
    return Contradiction(record.position, "closing of another generation of the session");
  }
  sessions_.Close(closed.session);
  return absl::OkStatus();
}

absl::Status Replay::EndCommit(const CommitHeader& commit) {
  if (commit.cause != CommitCause::kCommand) return absl::OkStatus();
  PackedReceipt receipt{commit_last_.value(), commit_version_.value()};
  const Extensions extensions = ExtensionsOf(commit);
  if (!extensions.are_sound) {
    return Contradiction(commit_last_, "idempotency key or first receipt of a wrong size");
  }
  if (extensions.key != nullptr) {
    IdempotencyKeyBlock block;
    std::memcpy(&block, extensions.key, sizeof block);
    const Key key(block.key_high, block.key_low);
    if (key.is_zero()) return Contradiction(commit_last_, "idempotency key 0");
    keys_.Remember(
        {.key = key, .body_hash = block.body_hash, .receipt = receipt, .time_ns = last_time_ns_});
  }
  if (extensions.first != nullptr) {
    FirstReceiptBlock block;
    std::memcpy(&block, extensions.first, sizeof block);
    if (block.position == 0 || block.position >= commit_last_.value() ||
        block.version > kVersionMax) {
      return Contradiction(commit_last_, "first receipt of a command that was not before");
    }
    receipt = {block.position, block.version};
  }
  return commit.session == 0 ? absl::OkStatus() : RestoreCommand(commit, receipt);
}

absl::Status Replay::RestoreCommand(const CommitHeader& commit, const PackedReceipt& receipt) {
  if (!sessions_.IsOpen(commit.session)) {
    return Contradiction(commit_last_, "command of a session that is not open");
  }
  const SessionLane lane =
      (commit.flags & kCommitBulkLane) != 0 ? SessionLane::kBulk : SessionLane::kControl;
  SessionTable::Session& session = sessions_.At(commit.session, lane);
  if (session.generation() == 0) {
    return Contradiction(commit_last_, "command on a lane that was never opened");
  }
  if (commit.sequence == static_cast<std::uint32_t>(session.last().value())) {
    return Contradiction(commit_last_, "command with the sequence of the one before");
  }
  sessions_.Touch(commit.session, last_time_ns_);
  sessions_.Restore(session, commit.sequence, receipt);
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
