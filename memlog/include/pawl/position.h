#pragma once

#include <compare>
#include <cstdint>

namespace pawl::inline v0 {

// A count or place that never mixes with another one: a Position is no Version, a Version no
// Sequence. Arithmetic is limited to what all of them mean: compare, step, distance.
template <class Tag, class Rep = std::uint64_t>
class Ordinal {
 public:
  using rep = Rep;

  constexpr Ordinal() noexcept = default;
  constexpr explicit Ordinal(Rep value) noexcept : value_(value) {}

  constexpr Rep value() const noexcept { return value_; }
  constexpr Ordinal Next() const noexcept { return Ordinal(value_ + 1); }
  constexpr Ordinal Plus(Rep count) const noexcept { return Ordinal(value_ + count); }

  friend constexpr auto operator<=>(Ordinal, Ordinal) noexcept = default;
  friend constexpr Rep operator-(Ordinal later, Ordinal earlier) noexcept {
    return later.value_ - earlier.value_;
  }

 private:
  Rep value_ = 0;
};

// Dense global number of a record: 1, 2, 3…; 0 means "before the first".
using Position = Ordinal<struct PositionTag>;
// Dense count of one stream's events: 1, 2, 3…; 0 means "no events yet".
using Version = Ordinal<struct VersionTag>;
// Dense number of a producer's commands: 1, 2, 3…; 0 means "none yet".
using Sequence = Ordinal<struct SequenceTag>;
// Byte offset in the log: segment index × segment bytes + offset in the segment. Internal.
using Address = Ordinal<struct AddressTag>;
// Number of the engine's incarnation, +1 at every open for writing.
using Epoch = Ordinal<struct EpochTag, std::uint32_t>;

}  // namespace pawl::inline v0
