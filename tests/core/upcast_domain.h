#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "pawl/aggregate.h"

namespace pawl {

// One event in three versions, as three releases of one program list it, and a second one of which
// the first version has no fields.

struct FundedV1 {
  static constexpr EventType kType{"purse.funded", 1};
  std::int64_t cents;
};
struct FundedV2 {
  static constexpr EventType kType{"purse.funded", 2};
  using Older = FundedV1;
  std::int64_t cents;
  std::int64_t fee_cents;
};
struct FundedV3 {
  static constexpr EventType kType{"purse.funded", 3};
  using Older = FundedV2;
  std::int64_t net_cents;
  std::array<char, 8> currency;
  std::uint32_t upcasts;  // how many led here
  std::uint32_t reserved;
};
inline FundedV2 Upcast(const FundedV1& e) noexcept { return {e.cents, 1}; }
inline FundedV3 Upcast(const FundedV2& e) noexcept {
  return {e.cents - e.fee_cents, {'E', 'U', 'R'}, e.fee_cents == 1 ? 2U : 1U, 0};
}

struct LockedV1 {
  static constexpr EventType kType{"purse.locked", 1};
};
struct LockedV2 {
  static constexpr EventType kType{"purse.locked", 2};
  using Older = LockedV1;
  std::uint64_t reason;
};
inline LockedV2 Upcast(const LockedV1&) noexcept { return {77}; }

struct Fund {
  std::int64_t cents;
};
struct Lock {};

template <class Funded>
Funded FundedOf(std::int64_t cents) noexcept;
template <>
inline FundedV1 FundedOf<FundedV1>(std::int64_t cents) noexcept {
  return {cents};
}
template <>
inline FundedV2 FundedOf<FundedV2>(std::int64_t cents) noexcept {
  return {cents, 2};
}
template <>
inline FundedV3 FundedOf<FundedV3>(std::int64_t cents) noexcept {
  return {cents, {'U', 'S', 'D'}, 0, 0};
}

// The aggregate of a release: the newest versions that it knows, whose fields its state sums up.
template <class Funded, class Locked>
struct Purse {
  using Commands = pawl::Commands<Fund, Lock>;
  using Events = pawl::Events<Funded, Locked>;
  static constexpr std::string_view kCategory = "purse";
  struct State {
    std::int64_t cents = 0;
    std::uint64_t upcasts = 0;
    std::uint64_t reasons = 0;
    std::uint64_t hash = 0;  // of what came, in its order
  };
  static Verdict Decide(const State&, const Fund& c, Emit<Purse>& emit) noexcept {
    emit(FundedOf<Funded>(c.cents));
    return Accept();
  }
  static Verdict Decide(const State&, const Lock&, Emit<Purse>& emit) noexcept {
    emit(Locked{});
    return Accept();
  }
  static void Evolve(State& s, const Funded& e) noexcept {
    if constexpr (requires { e.net_cents; }) {
      s.cents += e.net_cents;
      s.upcasts += e.upcasts;
      Mix(s, static_cast<std::uint64_t>(e.currency[0]));
    } else {
      s.cents += e.cents;
    }
    Mix(s, static_cast<std::uint64_t>(s.cents));
  }
  static void Evolve(State& s, const Locked& e) noexcept {
    if constexpr (requires { e.reason; }) s.reasons += e.reason;
    Mix(s, 1);
  }

 private:
  static void Mix(State& s, std::uint64_t value) noexcept {
    s.hash = (s.hash ^ value) * 0x9E37'79B9'7F4A'7C15;
  }
};
using PurseV1 = Purse<FundedV1, LockedV1>;
using PurseV2 = Purse<FundedV2, LockedV2>;
using PurseV3 = Purse<FundedV3, LockedV2>;

}  // namespace pawl
