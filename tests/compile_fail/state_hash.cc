// See CMakeLists.txt beside this file.

#include <cstdint>
#include <string>
#include <string_view>

#include "pawl/engine.h"

struct Note {};
struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::int64_t value;
};

struct Subject {
  using Commands = pawl::Commands<Note>;
  using Events = pawl::Events<Noted>;
  static constexpr std::string_view kCategory = "subject";
  struct State {
#if defined(PAWL_CASE_PADDED)
    char letter = 'a';
#elif defined(PAWL_CASE_POINTER)
    const char* pointer = nullptr;
#elif defined(PAWL_CASE_STRING) || defined(PAWL_CASE_WITH_HASH_STATE) || \
    defined(PAWL_CASE_NOT_ASKED) || defined(PAWL_CASE_HASH_STATE_THROWS)
    std::string text;
#elif defined(PAWL_CASE_C_ARRAY)
    std::int64_t array[3] = {};
#endif
    std::int64_t sum = 0;
  };
  static pawl::Verdict Decide(const State&, const Note&, pawl::Emit<Subject>& emit) noexcept {
    emit(Noted{1});
    return pawl::Accept();
  }
  static void Evolve(State& s, const Noted& e) noexcept { s.sum += e.value; }
};

#if defined(PAWL_CASE_WITH_HASH_STATE)
void HashState(pawl::StateHasher& into, const Subject::State& state) noexcept {
  into.Add(state.text);
  into.Add(state.sum);
}
#elif defined(PAWL_CASE_HASH_STATE_THROWS)
void HashState(pawl::StateHasher& into, const Subject::State& state) { into.Add(state.text); }
#endif

bool Use(pawl::Engine& engine) {
  [[maybe_unused]] const auto traits = pawl::Aggregates<Subject>::Traits();
#if defined(PAWL_CASE_NOT_ASKED)
  return engine.StateHash().ok();
#else
  return engine.StateHash<Subject>().ok();
#endif
}
