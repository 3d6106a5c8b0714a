// Aggregates that are none, one per case; the list of cases and their messages is in
// CMakeLists.txt. Each case changes one thing of an aggregate that compiles.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "pawl/engine.h"

struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::int64_t value;
};
struct NotedAgain {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::int64_t value;
};
struct Unlisted {
  static constexpr pawl::EventType kType{"test.unlisted", 1};
  std::int64_t value;
};

#if defined(PAWL_CASE_COMMAND_65_BYTES)
struct Note {  // does not fit a slot
  std::array<std::int8_t, 65> values;
};
#elif defined(PAWL_CASE_COMMAND_NOT_TRIVIALLY_COPYABLE)
struct Note {
  std::string text;
};
#elif defined(PAWL_CASE_COMMAND_OVERALIGNED)
struct alignas(16) Note {
  std::int64_t value;
};
#else
struct Note {
  std::int64_t value;
};
#endif

#if defined(PAWL_CASE_TIMER_NOT_PLAIN)
struct Woken {
  static constexpr pawl::EventType kType{"test.woken", 1};
  std::string text;
};
#elif defined(PAWL_CASE_TIMER_257_BYTES)
struct Woken {
  static constexpr pawl::EventType kType{"test.woken", 1};
  std::array<std::int8_t, 257> values;
};
#else
struct Woken {
  static constexpr pawl::EventType kType{"test.woken", 1};
  std::array<std::int8_t, 256> values;
};
#endif
struct WokenAgain {
  static constexpr pawl::EventType kType{"test.woken", 1};
};

struct Subject {
  struct State;
  using Commands = pawl::Commands<Note>;
#if defined(PAWL_CASE_EVENTS_NOT_DISTINCT)
  using Events = pawl::Events<Noted, NotedAgain>;
  static void Evolve(State& s, const NotedAgain& e) noexcept { s.sum += e.value; }
#else
  using Events = pawl::Events<Noted>;
#endif
#if defined(PAWL_CASE_TIMERS_NOT_DISTINCT)
  using Timers = pawl::Timers<Woken, WokenAgain>;
#elif !defined(PAWL_CASE_SETS_UNLISTED_TIMER)
  using Timers = pawl::Timers<Woken>;
#endif
  static constexpr std::string_view kCategory = "subject";

  struct State {
#if defined(PAWL_CASE_STATE_THROWS)
    State() {}
#endif
    std::int64_t sum = 0;
  };

#if defined(PAWL_CASE_DECIDE_NOT_NOEXCEPT)
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>&) {
    return pawl::Accept();
  }
#elif defined(PAWL_CASE_DECIDE_MISSING)
  static pawl::Verdict Decide(const State&, const Noted&, pawl::Emit<Subject>&) noexcept {
    return pawl::Accept();
  }
#elif defined(PAWL_CASE_DECIDE_RETURNS_BOOL)
  static bool Decide(const State&, const Note&, pawl::Emit<Subject>&) noexcept { return true; }
#elif defined(PAWL_CASE_DECIDE_CHANGES_STATE)
  static pawl::Verdict Decide(State& s, const Note&, pawl::Emit<Subject>&) noexcept {
    ++s.sum;
    return pawl::Accept();
  }
#elif defined(PAWL_CASE_EMITS_UNLISTED_EVENT)
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>& emit) noexcept {
    emit(Unlisted{1});
    return pawl::Accept();
  }
#elif defined(PAWL_CASE_EMITS_UNLISTED_EVENT_ON_ANOTHER)
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>& emit) noexcept {
    emit.On<Subject>(pawl::Key(2), Unlisted{1});
    return pawl::Accept();
  }
#elif defined(PAWL_CASE_WITH_OTHERS)
  static pawl::Verdict Decide(const State&, const Note&, const pawl::Others&,
                              pawl::Emit<Subject>&) noexcept {
    return pawl::Accept();
  }
#elif defined(PAWL_CASE_SETS_UNLISTED_TIMER)
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>& emit) noexcept {
    emit.At(1, Woken{});
    return pawl::Accept();
  }
#else
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>& emit) noexcept {
    emit(Noted{1});
    return pawl::Accept();
  }
#endif

#if defined(PAWL_CASE_TIMER_NOT_NOEXCEPT)
  static pawl::Verdict Decide(const State&, const Woken&, pawl::Emit<Subject>&) {
    return pawl::Accept();
  }
#elif defined(PAWL_CASE_TIMER_WITH_OTHERS)
  static pawl::Verdict Decide(const State&, const Woken&, const pawl::Others&,
                              pawl::Emit<Subject>&) noexcept {
    return pawl::Accept();
  }
#elif !defined(PAWL_CASE_TIMER_WITHOUT_DECIDE)
  static pawl::Verdict Decide(const State&, const Woken&, pawl::Emit<Subject>& emit) noexcept {
    emit(Noted{1});
    return pawl::Accept();
  }
#endif
#if defined(PAWL_CASE_TIMERS_NOT_DISTINCT)
  static pawl::Verdict Decide(const State&, const WokenAgain&, pawl::Emit<Subject>&) noexcept {
    return pawl::Accept();
  }
#endif

#if defined(PAWL_CASE_EVOLVE_NOT_NOEXCEPT)
  static void Evolve(State& s, const Noted& e) { s.sum += e.value; }
#elif defined(PAWL_CASE_EVOLVE_MISSING)
  static void Evolve(State& s, const Unlisted& e) noexcept { s.sum += e.value; }
#elif defined(PAWL_CASE_EVOLVE_RETURNS_BOOL)
  static bool Evolve(State& s, const Noted& e) noexcept { return (s.sum += e.value) > 0; }
#else
  static void Evolve(State& s, const Noted& e) noexcept { s.sum += e.value; }
#endif
};

struct Stranger {
  std::int64_t value;
};

pawl::Sent Use(pawl::Producer& producer) {
  [[maybe_unused]] const auto traits = pawl::Aggregates<Subject>::Traits();
#if defined(PAWL_CASE_SUBMITS_UNLISTED_COMMAND)
  return producer.Submit<Subject>(pawl::Key(1), Stranger{1});
#else
  return producer.Submit<Subject>(pawl::Key(1), Note{});
#endif
}
