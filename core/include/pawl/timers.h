#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "pawl/event.h"

namespace pawl::inline v0 {

// Bytes of one timer: every timer has room for as many as the largest type listed needs.
inline constexpr std::uint32_t kTimerBytesMax = 256;

// The timers that an aggregate sets itself, plain structs with a kType as events:
//   using Timers = pawl::Timers<HoldExpired>;
// When one is due, the engine's loop runs
//   static Verdict Decide(const State&, const HoldExpired&, Emit<A>&) noexcept;   or with Others
// like a command's, once, whatever happens to the process meanwhile.
template <class... Ts>
struct Timers {
  static constexpr std::size_t kSize = sizeof...(Ts);
  template <class T>
  static constexpr bool kHas = (std::same_as<T, Ts> || ...);
  // Index of T in the list.
  template <class T>
  static consteval std::uint16_t IndexOf() {
    std::uint16_t index = 0;
    (void)((std::same_as<T, Ts> ? true : (++index, false)) || ...);
    return index;
  }
};

namespace internal {

template <class A>
struct TimersOf {
  using Type = Timers<>;
};
template <class A>
requires requires { typename A::Timers; }
struct TimersOf<A> {
  using Type = typename A::Timers;
};

}  // namespace internal

// The timers that A lists, none if it has no Timers.
template <class A>
using TimersOf = typename internal::TimersOf<A>::Type;

}  // namespace pawl::inline v0
