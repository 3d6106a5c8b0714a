// Visitors of typed events that are none, one per case; the list of cases and their messages is in
// CMakeLists.txt. Each case changes one thing of a visitor that compiles.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pawl/engine.h"

struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::int64_t value;
};
struct Erased {
  static constexpr pawl::EventType kType{"test.erased", 1};
};
struct Unlisted {
  static constexpr pawl::EventType kType{"test.unlisted", 1};
  std::int64_t value;
};

struct Note {};

struct Subject {
  using Commands = pawl::Commands<Note>;
  using Events = pawl::Events<Noted, Erased>;
  static constexpr std::string_view kCategory = "subject";
  struct State {};
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>&) noexcept {
    return pawl::Accept();
  }
  static void Evolve(State&, const Noted&) noexcept {}
  static void Evolve(State&, const Erased&) noexcept {}
};

struct Visitor {
#if defined(PAWL_CASE_NOT_NOEXCEPT)
  void operator()(const Noted& e, const pawl::Meta&) { sum += e.value; }
#elif defined(PAWL_CASE_WITHOUT_META)
  void operator()(const Noted& e) noexcept { sum += e.value; }
#elif defined(PAWL_CASE_CHANGES_EVENT)
  void operator()(Noted& e, const pawl::Meta&) noexcept { e.value = 0; }
#else
  void operator()(const Noted& e, const pawl::Meta&) noexcept { sum += e.value; }
#endif
#if !defined(PAWL_CASE_LACKS_EVENT) && !defined(PAWL_CASE_LACKS_EVENT_NOT_READ)
  void operator()(const Erased&, const pawl::Meta&) noexcept { sum = 0; }
#endif
  std::int64_t sum = 0;
};

std::size_t Use(pawl::Engine& engine) {
  Visitor visitor;
#if defined(PAWL_CASE_LACKS_EVENT_NOT_READ)
  return engine.NewEventReader<Subject, Noted>()->Forward(visitor);
#elif defined(PAWL_CASE_READS_UNLISTED_EVENT)
  return engine.NewEventReader<Subject, Unlisted>()->Forward(visitor);
#elif defined(PAWL_CASE_LAMBDA)
  return engine.NewHistory<Subject>(pawl::Key(1))
      ->Backward([](const auto&, const pawl::Meta&) noexcept {});
#else
  return engine.NewHistory<Subject>(pawl::Key(1))->Forward(visitor);
#endif
}
