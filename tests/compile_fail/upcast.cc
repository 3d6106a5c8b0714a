// Chains of versions that are none, one per case; the list of cases and their messages is in
// CMakeLists.txt. Each case changes one thing of a chain that compiles.
#include <cstdint>
#include <string_view>

#include "pawl/view.h"

#if defined(PAWL_CASE_OTHER_NAME)
struct NotedV1 {
  static constexpr pawl::EventType kType{"test.written", 1};
  std::int64_t value;
};
#elif defined(PAWL_CASE_OLDER_IS_NO_EVENT)
struct NotedV1 {
  static constexpr pawl::EventType kType{"test.noted", 1};
  const std::int64_t* value;
};
#elif defined(PAWL_CASE_OLDER_HAS_NO_TYPE)
struct NotedV1 {
  std::int64_t value;
};
#elif defined(PAWL_CASE_CIRCLE)
struct Noted;
struct NotedV1 {
  static constexpr pawl::EventType kType{"test.noted", 1};
  using Older = Noted;
  std::int64_t value;
};
#else
struct NotedV1 {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::int64_t value;
};
#endif

struct NotedV2 {
#if defined(PAWL_CASE_SAME_VERSION)
  static constexpr pawl::EventType kType{"test.noted", 1};
#else
  static constexpr pawl::EventType kType{"test.noted", 2};
#endif
  using Older = NotedV1;
  std::int64_t value;
  std::int64_t added;
};
#if defined(PAWL_CASE_GAP)
struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 3};
  using Older = NotedV1;
  std::int64_t sum;
};
Noted Upcast(const NotedV1& e) noexcept { return {e.value}; }
#elif defined(PAWL_CASE_OLDER_IS_ITSELF)
struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 3};
  using Older = Noted;
  std::int64_t sum;
};
Noted Upcast(const Noted& e) noexcept { return e; }
#else
struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 3};
  using Older = NotedV2;
  std::int64_t sum;
};
#endif

#if defined(PAWL_CASE_THROWING)
NotedV2 Upcast(const NotedV1& e) { return {e.value, 0}; }
#elif defined(PAWL_CASE_RETURNS_ANOTHER)
Noted Upcast(const NotedV1& e) noexcept { return {e.value}; }
#elif defined(PAWL_CASE_CHANGES_OLDER)
NotedV2 Upcast(NotedV1& e) noexcept { return {++e.value, 0}; }
#elif defined(PAWL_CASE_MISSPELT)
NotedV2 UpCast(const NotedV1& e) noexcept { return {e.value, 0}; }
#elif !defined(PAWL_CASE_MISSING_FIRST_LINK) && !defined(PAWL_CASE_GAP) && \
    !defined(PAWL_CASE_OLDER_IS_NO_EVENT)
NotedV2 Upcast(const NotedV1& e) noexcept { return {e.value, 0}; }
#endif
#if !defined(PAWL_CASE_MISSING_LAST_LINK)
Noted Upcast(const NotedV2& e) noexcept { return {e.value + e.added}; }
#endif

struct Note {};

struct Subject {
  using Commands = pawl::Commands<Note>;
#if defined(PAWL_CASE_OLDER_LISTED)
  using Events = pawl::Events<Noted, NotedV1>;
#else
  using Events = pawl::Events<Noted>;
#endif
  static constexpr std::string_view kCategory = "subject";
  struct State {
    std::int64_t sum = 0;
  };
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>& emit) noexcept {
#if defined(PAWL_CASE_EMITS_OLDER)
    emit(NotedV2{1, 2});
#elif defined(PAWL_CASE_EMITS_OLDER_ON_ANOTHER)
    emit.On<Subject>(pawl::Key(2), NotedV1{1});
#else
    emit(Noted{1});
#endif
    return pawl::Accept();
  }
#if defined(PAWL_CASE_EVOLVES_OLDER)
  static void Evolve(State& s, const NotedV1& e) noexcept { s.sum += e.value; }
#else
  static void Evolve(State& s, const Noted& e) noexcept { s.sum += e.sum; }
#endif
#if defined(PAWL_CASE_OLDER_LISTED)
  static void Evolve(State& s, const NotedV1& e) noexcept { s.sum += e.value; }
#endif
};

struct Projection {
#if defined(PAWL_CASE_PROJECTS_OLDER_TOO)
  using Events = pawl::Events<Noted, NotedV2>;
  void On(const NotedV2& e, const pawl::Meta&) noexcept { sum += e.value; }
#else
  using Events = pawl::Events<Noted>;
#endif
  static constexpr int kVersion = 1;
  std::int64_t sum = 0;
  void On(const Noted& e, const pawl::Meta&) noexcept { sum += e.sum; }
};

#if defined(PAWL_CASE_PROJECTION) || defined(PAWL_CASE_PROJECTS_OLDER_TOO)
std::int64_t Use(pawl::Engine& engine) {
  return pawl::Project<Projection>(engine).value().Read(
      [](const Projection& p) noexcept { return p.sum; });
}
#else
struct Visitor {
#if defined(PAWL_CASE_VISITS_OLDER)
  void operator()(const NotedV1&, const pawl::Meta&) noexcept {}
#else
  void operator()(const Noted&, const pawl::Meta&) noexcept {}
#endif
};
std::size_t Use(pawl::Engine& engine) {
  [[maybe_unused]] const auto traits = pawl::Aggregates<Subject>::Traits();
#if defined(PAWL_CASE_READS_OLDER)
  return engine.NewEventReader<Subject, NotedV1>()->Forward(Visitor{});
#else
  return engine.NewEventReader<Subject>()->Forward(Visitor{});
#endif
}
#endif
