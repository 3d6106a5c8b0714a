// Cases of the test kit that are none; the list of cases and their messages is in CMakeLists.txt.
#include <cstdint>
#include <string_view>

#include "pawl/testing.h"

struct Note {
  std::int64_t value;
};
struct Noted {
  static constexpr pawl::EventType kType{"test.noted", 1};
  std::int64_t value;
};
struct AddedV1 {
  static constexpr pawl::EventType kType{"test.added", 1};
  std::int32_t value;
};
struct Added {
  static constexpr pawl::EventType kType{"test.added", 2};
  using Older = AddedV1;
  std::int64_t value;
};
Added Upcast(const AddedV1& e) noexcept { return {e.value}; }
struct Unlisted {
  static constexpr pawl::EventType kType{"test.unlisted", 1};
  std::int64_t value;
};
struct Stranger {
  std::int64_t value;
};

struct Subject {
  using Commands = pawl::Commands<Note>;
  using Events = pawl::Events<Noted, Added>;
  static constexpr std::string_view kCategory = "subject";
  struct State {
    std::int64_t sum = 0;
  };
  static pawl::Verdict Decide(const State&, const Note& c, pawl::Emit<Subject>& emit) noexcept {
    emit(Noted{c.value});
    return pawl::Accept();
  }
  static void Evolve(State& s, const Noted& e) noexcept { s.sum += e.value; }
  static void Evolve(State& s, const Added& e) noexcept { s.sum += e.value; }
};

void Use() {
  using pawl::testing::Given;
#if defined(PAWL_CASE_GIVEN_UNLISTED_EVENT)
  Given<Subject>(Unlisted{1}).When(Note{1}).Then(Noted{1});
#elif defined(PAWL_CASE_GIVEN_KEY_BEHIND_EVENT)
  Given<Subject>(Noted{1}, pawl::Key(1)).When(Note{1}).Then(Noted{1});
#elif defined(PAWL_CASE_GIVEN_COMMAND)
  Given<Subject>(Note{1}).When(Note{1}).Then(Noted{1});
#elif defined(PAWL_CASE_WHEN_UNLISTED_COMMAND)
  Given<Subject>().When(Stranger{1}).Then(Noted{1});
#elif defined(PAWL_CASE_THEN_UNLISTED_EVENT)
  Given<Subject>().When(Note{1}).Then(Unlisted{1});
#elif defined(PAWL_CASE_THEN_SECOND_UNLISTED)
  Given<Subject>().When(Note{1}).Then(Noted{1}, Unlisted{1});
#elif defined(PAWL_CASE_THEN_OLDER_VERSION)
  Given<Subject>(AddedV1{1}).When(Note{1}).Then(AddedV1{1});
#elif defined(PAWL_CASE_THEN_ON_UNLISTED_EVENT)
  Given<Subject>().When(Note{1}).ThenOn<Subject>(pawl::Key(2), Unlisted{1});
#elif defined(PAWL_CASE_STATE_OF_ANOTHER)
  Given<Subject>().When(Note{1}).ThenState([](Stranger) {});
#else
  Given<Subject>(pawl::Key(7), Noted{1}, AddedV1{0})
      .AndGiven<Subject>(pawl::Key(8))
      .When(Note{1})
      .Then(Noted{1})
      .ThenState([](const auto& s) { EXPECT_EQ(s.sum, 2); });
#endif
}
