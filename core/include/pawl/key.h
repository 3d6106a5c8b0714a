#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "pawl/plain_struct.h"

namespace pawl::inline v0 {

// Names one aggregate of a category: 128 bits, so that a UUID fits and integers extend. Key 0 is
// reserved and refused. May stand in commands and events.
struct Key {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  constexpr Key() noexcept = default;
  constexpr explicit Key(std::uint64_t integer) noexcept : low(integer) {}
  constexpr Key(std::uint64_t high_bits, std::uint64_t low_bits) noexcept
      : high(high_bits), low(low_bits) {}

  constexpr bool is_zero() const noexcept { return (high | low) == 0; }

  friend constexpr auto operator<=>(const Key&, const Key&) noexcept = default;

  // Found by absl::Hash; no Abseil header is needed for it.
  template <typename H>
  friend H AbslHashValue(H state, const Key& key) {
    return H::combine(std::move(state), key.high, key.low);
  }
};
static_assert(sizeof(Key) == 16);

// Keys may be fields of events although they have constructors.
template <>
inline constexpr std::size_t kDeclaredFields<Key> = 2;

}  // namespace pawl::inline v0

template <>
struct std::hash<pawl::Key> {
  std::size_t operator()(const pawl::Key& key) const noexcept {
    // Odd constants of the golden ratio and of splitmix64; spreads dense integers.
    const std::uint64_t mixed =
        (key.low ^ (key.high * 0x9E3779B97F4A7C15ULL)) * 0xBF58476D1CE4E5B9ULL;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
  }
};
