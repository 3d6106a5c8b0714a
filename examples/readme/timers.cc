// README's example of timers: what it says is what it does.
#include <chrono>
#include <cstdint>
#include <string_view>

#include <gtest/gtest.h>

#include <pawl/engine.h>
#include <pawl/testing.h>

namespace {

struct Hold {};
struct Buy {};
struct Held {
  static constexpr pawl::EventType kType{"seat.held", 1};
};
struct Released {
  static constexpr pawl::EventType kType{"seat.released", 1};
};
struct Bought {
  static constexpr pawl::EventType kType{"seat.bought", 1};
};

// clang-format off
// [readme]
// A timer is a plain struct like an event.
struct HoldOver { static constexpr pawl::EventType kType{"seat.hold-over", 1}; };

struct Seat {
  using Commands = pawl::Commands<Hold, Buy>;
  using Events = pawl::Events<Held, Released, Bought>;
  using Timers = pawl::Timers<HoldOver>;                  // each needs a Decide
  static constexpr std::string_view kCategory = "seat";
  enum Refusal : std::uint16_t { kTaken = 1, kNotHeld = 2 };
  struct State { bool is_held = false; bool is_sold = false; };
  static pawl::Verdict Decide(const State& s, const Hold&, pawl::Emit<Seat>& emit) noexcept {
    if (s.is_held || s.is_sold) return pawl::Refuse(kTaken);
    emit(Held{});
    emit.After(std::chrono::minutes(10), HoldOver{});     // or At(time_ns, …); with an id: several
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State& s, const Buy&, pawl::Emit<Seat>& emit) noexcept {
    if (!s.is_held) return pawl::Refuse(kNotHeld);
    emit(Bought{});
    emit.Cancel<HoldOver>();
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State&, const HoldOver&, pawl::Emit<Seat>& emit) noexcept {
    emit(Released{});                                     // even if the process died meanwhile
    return pawl::Accept();
  }
  static void Evolve(State& s, const Held&) noexcept { s.is_held = true; }
  static void Evolve(State& s, const Released&) noexcept { s.is_held = false; }
  static void Evolve(State& s, const Bought&) noexcept { s = {.is_held = false, .is_sold = true}; }
};
// [/readme]
// clang-format on

using namespace std::chrono_literals;
using pawl::testing::Given;
using pawl::testing::TimerCancelled;
using pawl::testing::TimerSet;

TEST(TimersExample, AHoldEndsAfterTenMinutes) {
  Given<Seat>()
      .When(Hold{})
      .Then(Held{}, TimerSet<HoldOver>(10min))
      .When(Hold{})
      .ThenRefused(Seat::kTaken)
      .After(10min)
      .Then(Released{})
      .When(Buy{})
      .ThenRefused(Seat::kNotHeld);
}

TEST(TimersExample, ASeatThatWasBoughtIsNotReleased) {
  Given<Seat>(Held{}, TimerSet<HoldOver>(10min))
      .When(Buy{})
      .Then(Bought{}, TimerCancelled<HoldOver>())
      .After(10min)
      .ThenNothing();
}

}  // namespace
