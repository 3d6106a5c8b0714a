// Projections that are none, one per case; the list of cases and their messages is in
// CMakeLists.txt. Each case changes one thing of a projection that compiles.
#include <cstdint>
#include <string_view>

#include "pawl/view.h"

struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::int64_t value;
};

struct NotedAgain {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::int64_t value;
};

struct Ended {
  using Commands = pawl::Commands<>;
  using Events = pawl::Events<Noted>;
  static constexpr std::string_view kCategory = "ended";
  struct State {};
  static void Evolve(State&, const Noted&) noexcept {}
};

struct Subject {
#if defined(PAWL_CASE_EVENTS_NOT_DISTINCT)
  using Events = pawl::Events<Noted, NotedAgain>;
  void On(const NotedAgain& e, const pawl::Meta&) noexcept { sum += e.value; }
#elif defined(PAWL_CASE_CLOSED_WITHOUT_ON)
  using Events = pawl::Events<Noted, pawl::Closed<Ended>>;
#elif defined(PAWL_CASE_CLOSED)
  using Events = pawl::Events<Noted, pawl::Closed<Ended>>;
  void On(const pawl::Closed<Ended>&, const pawl::Meta&) noexcept { sum = 0; }
#else
  using Events = pawl::Events<Noted>;
#endif
#if !defined(PAWL_CASE_NO_VERSION)
  static constexpr int kVersion = 1;
#endif
  std::int64_t sum = 0;

#if defined(PAWL_CASE_ON_NOT_NOEXCEPT)
  void On(const Noted& e, const pawl::Meta&) { sum += e.value; }
#elif defined(PAWL_CASE_ON_MISSPELT)
  void OnEvent(const Noted& e, const pawl::Meta&) noexcept { sum += e.value; }
#elif defined(PAWL_CASE_ON_WITHOUT_META)
  void On(const Noted& e) noexcept { sum += e.value; }
#elif defined(PAWL_CASE_ON_CHANGES_EVENT)
  void On(Noted& e, const pawl::Meta&) noexcept { e.value = 0; }
#elif defined(PAWL_CASE_ON_RETURNS_BOOL)
  bool On(const Noted& e, const pawl::Meta&) noexcept { return (sum += e.value) > 0; }
#elif defined(PAWL_CASE_ON_WITH_OUTCOME)
  pawl::Outcome On(const Noted& e, const pawl::Meta&) noexcept {
    sum += e.value;
    return sum < 0 ? pawl::Fail(1, "negative") : pawl::Outcome();
  }
#else
  void On(const Noted& e, const pawl::Meta&) noexcept { sum += e.value; }
#endif
};

std::int64_t Use(pawl::Engine& engine) {
  return pawl::Project<Subject>(engine).value().Read(
      [](const Subject& s) noexcept { return s.sum; });
}
