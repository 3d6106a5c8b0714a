#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pawl/aggregate.h"
#include "pawl/engine.h"
#include "pawl/key.h"

namespace pawl::inline v0 {

// One aggregate that is told 1, 2, 3…: whoever reads its events knows which must come next, and
// what is in it.
struct Tell {
  std::uint64_t number;
};
struct Told {
  static constexpr EventType kType{"kills.told", 1};
  std::uint64_t number;
  std::uint64_t word;  // of the number: other bytes are not taken for an event
};

constexpr std::uint64_t WordOf(std::uint64_t number) noexcept {
  return (number + 1) * 0x9E37'79B9'7F4A'7C15U;
}

struct Teller {
  using Commands = pawl::Commands<Tell>;
  using Events = pawl::Events<Told>;
  static constexpr std::string_view kCategory = "teller";
  struct State {
    std::uint64_t number = 0;
  };
  enum Refusal : std::uint16_t { kOutOfOrder = 1 };
  static Verdict Decide(const State& s, const Tell& c, Emit<Teller>& emit) noexcept {
    if (c.number != s.number + 1) return Refuse(kOutOfOrder);
    emit(Told{c.number, WordOf(c.number)});
    return Accept();
  }
  static void Evolve(State& s, const Told& e) noexcept { s.number = e.number; }
};

inline constexpr Key kTheTeller(1, 1);

}  // namespace pawl::inline v0
