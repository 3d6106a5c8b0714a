#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "pawl/format.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

// When a command is answered. Chosen per command.
enum class Ack : std::uint8_t {
  kPublished = 1,  // readers may see it; survives the death of the process
  kDurable = 2,    // survives power loss
};

// The two ways in of a session, and of any producer. While both are waited on, the loop takes three
// commands of control for one of bulk; each has its own sequence, window and generation.
enum class SessionLane : std::uint8_t {
  kControl = 0,
  kBulk = 1,
};
inline constexpr std::size_t kSessionLanes = 2;

constexpr std::string_view ToString(SessionLane lane) noexcept {
  switch (lane) {
    case SessionLane::kControl: return "control";
    case SessionLane::kBulk: return "bulk";
  }
  return "?";
}

enum class VerdictKind : std::uint8_t {
  kAccepted = 0,
  kRefused = 1,  // by Decide, with the aggregate's code; 0: refused before a restart, code lost
  // The events did not fit commit_bytes_max, kCommitEventsMax or streams_max, or one of them is not
  // decoded by its own codec.
  kLimitExceeded = 2,
  kFenced = 3,       // the session was opened again by somebody else; not executed
  kUnavailable = 4,  // the engine stopped or failed before it came to this command; not executed
  kUnknown = 5,      // a sync failed: executed, but whether it survives is known after reopening
  kExpired = 6,      // a resend older than the session's window; it was executed once
  // A condition did not hold; not decided. The code says which: 0 the one on the addressed stream,
  // n the n-th one on others; the receipt's version and position are of that stream's newest event.
  kConflict = 7,
  kSessionUnknown = 8,  // the session was closed; not executed
  // The idempotency key was given to another command, which was executed; not executed.
  kKeyReused = 9,
  // It ended the process twice when it was decided, and is not tried again: Engine::Quarantined().
  kQuarantined = 14,
  kNotSent = 15,  // to who awaits a completion: it never left; the code is the SendFault
};

constexpr std::string_view ToString(VerdictKind kind) noexcept {
  switch (kind) {
    case VerdictKind::kAccepted: return "accepted";
    case VerdictKind::kRefused: return "refused";
    case VerdictKind::kLimitExceeded: return "limit exceeded";
    case VerdictKind::kFenced: return "fenced";
    case VerdictKind::kUnavailable: return "unavailable";
    case VerdictKind::kUnknown: return "unknown";
    case VerdictKind::kExpired: return "receipt expired";
    case VerdictKind::kConflict: return "conflict";
    case VerdictKind::kSessionUnknown: return "session unknown";
    case VerdictKind::kKeyReused: return "key reused";
    case VerdictKind::kQuarantined: return "quarantined";
    case VerdictKind::kNotSent: return "not sent";
  }
  return "?";
}

// What became of a command. Decide returns Accept() or Refuse(code); the engine adds the rest.
class [[nodiscard]] Verdict {
 public:
  constexpr Verdict() noexcept = default;
  constexpr Verdict(VerdictKind kind, std::uint16_t code) noexcept
      : bits_(kind == VerdictKind::kAccepted
                  ? 0
                  : static_cast<std::uint32_t>(kind) | std::uint32_t{code} << 16) {}

  constexpr VerdictKind kind() const noexcept { return static_cast<VerdictKind>(bits_ & 0xFF); }
  constexpr std::uint16_t code() const noexcept {  // of kRefused, kConflict, kNotSent
    return static_cast<std::uint16_t>(bits_ >> 16);
  }
  constexpr bool is_accepted() const noexcept { return bits_ == 0; }

  friend constexpr bool operator==(Verdict, Verdict) noexcept = default;

 private:
  // One word, to be returned in a register: kind, bits 0…7; code, bits 16…31. Accepted is 0.
  std::uint32_t bits_ = 0;
};
static_assert(static_cast<int>(VerdictKind::kAccepted) == 0);

constexpr Verdict Accept() noexcept { return {}; }

// Refuses with an application's code, 1…65,535: an enum of 16 bits or a number.
template <class Code>
requires(std::is_enum_v<Code> || std::integral<Code>) &&
    (sizeof(Code) <= sizeof(int)) constexpr Verdict Refuse(Code code) noexcept {
  return {VerdictKind::kRefused, static_cast<std::uint16_t>(code)};
}

// Where an accepted command is in the log; of a conflict, the event that it conflicts with.
struct Receipt {
  Position position{};  // of the commit's last record; 0 if nothing was appended
  Version version{};    // of the addressed stream after it; 0 if that was not touched
  Epoch epoch{};        // incarnation that appended it; positions are reused only by a newer
  Ack level = Ack::kPublished;  // reached when this was answered
  bool is_duplicate = false;    // the first receipt, given again for a resend or the same key

  friend bool operator==(const Receipt&, const Receipt&) noexcept = default;
};

// Whether the record that a receipt names is in the log.
enum class Presence : std::uint8_t {
  kPresent,
  kLost,     // a power cut took it before it was durable: the command has had no effect
  kUnknown,  // the log never gave this receipt, or it names no record
};

constexpr std::string_view ToString(Presence presence) noexcept {
  switch (presence) {
    case Presence::kPresent: return "present";
    case Presence::kLost: return "lost";
    case Presence::kUnknown: return "unknown";
  }
  return "?";
}

// What the log says of a receipt when it is asked.
struct Confirmation {
  Presence presence = Presence::kUnknown;
  bool is_durable = false;  // of kPresent: it survives power loss by now

  friend bool operator==(const Confirmation&, const Confirmation&) noexcept = default;
};

// What the receipts of one range do not share: two words, so that it is built in registers and
// stored at once.
struct PackedReceipt {
  static constexpr std::uint64_t kTaken = std::uint64_t{1} << 63;

  std::uint64_t position;
  // Version: bits 0…47; kTaken: read out of turn by Execute(), set by the producer's thread only.
  std::uint64_t version_and_taken;

  Version version() const noexcept { return Version(version_and_taken & kVersionMax); }
  bool is_taken() const noexcept { return (version_and_taken & kTaken) != 0; }
};
static_assert(sizeof(PackedReceipt) == 16);

// The answer to one command.
struct Completion {
  Sequence sequence{};
  Verdict verdict{};
  Receipt receipt{};
};

}  // namespace pawl::inline v0
