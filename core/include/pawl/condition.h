#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "pawl/event.h"
#include "pawl/key.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

// What a command expects of a stream when its turn comes. Otherwise it is not decided: it is
// answered as a conflict, which says what the stream is like.
class Condition {
 public:
  constexpr Condition() noexcept = default;  // Any()

  constexpr bool is_any() const noexcept { return bits_ == 0; }
  //   version, last   of the stream's newest event; of a stream that is not there 0, and where it
  //                   was closed, or 0
  constexpr bool Holds(Version version, Position last) const noexcept {
    const std::uint64_t value = bits_ & kValueMax;
    switch (static_cast<Kind>(bits_ >> kValueBits)) {
      case Kind::kAny: return true;
      case Kind::kExact: return version.value() == value;
      case Kind::kExists: return version != Version();
      case Kind::kUnchangedSince: return last.value() <= value;
    }
    return false;
  }

  friend constexpr bool operator==(Condition, Condition) noexcept = default;

 private:
  friend constexpr Condition Exact(Version version) noexcept;
  friend constexpr Condition Exists() noexcept;
  friend constexpr Condition UnchangedSince(Position position) noexcept;

  enum class Kind : std::uint8_t { kAny = 0, kExact = 1, kExists = 2, kUnchangedSince = 3 };
  static constexpr int kValueBits = 61;  // versions have 48, positions never come so far
  static constexpr std::uint64_t kValueMax = (std::uint64_t{1} << kValueBits) - 1;

  constexpr Condition(Kind kind, std::uint64_t value) noexcept
      : bits_(static_cast<std::uint64_t>(kind) << kValueBits | std::min(value, kValueMax)) {}

  // One word, tested for 0 by every decision: kind, bits 61…63; version or position below.
  std::uint64_t bits_ = 0;
};
static_assert(sizeof(Condition) == 8);

constexpr Condition Any() noexcept { return {}; }
// The stream's newest event has this version; 0: there is no such stream. A key that was closed and
// is used again has versions from 1 on: who must not take one life for the other says
// UnchangedSince().
constexpr Condition Exact(Version version) noexcept {
  return {Condition::Kind::kExact, version.value()};
}
constexpr Condition NoStream() noexcept { return Exact(Version()); }
constexpr Condition Exists() noexcept { return {Condition::Kind::kExists, 0}; }
// Nothing happened to the stream behind `position`, e.g. the one that a query answered for; closing
// it counts. True of a stream that never was. One that was closed is remembered by its key's mark,
// which other keys share (StreamStore::ClosedAt): if one of those was closed behind `position`,
// that is a conflict too, for who reads again at a newer position to send again.
constexpr Condition UnchangedSince(Position position) noexcept {
  return {Condition::Kind::kUnchangedSince, position.value()};
}

// A condition on another stream than the one a command goes to; written to or not.
struct StreamCondition {
  TypeTag aggregate;
  Key key;
  Condition condition;
};

// Of the aggregate `key` of type A.
template <class A>
constexpr StreamCondition ConditionOn(const Key& key, Condition condition) noexcept {
  return {TagOf<A>(), key, condition};
}

// Conditions on other streams that one command may have.
inline constexpr std::size_t kConditionsMax = 64;

}  // namespace pawl::inline v0
