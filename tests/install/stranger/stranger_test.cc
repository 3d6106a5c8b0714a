// A stranger's first test.

#include <cstdint>
#include <string_view>

#include <gtest/gtest.h>

#include <pawl/testing.h>

namespace {

struct Add {
  std::int64_t amount;
};

struct Added {
  static constexpr pawl::EventType kType{"stranger.added", 1};
  std::int64_t amount;
};

struct Counter {
  using Commands = pawl::Commands<Add>;
  using Events = pawl::Events<Added>;
  static constexpr std::string_view kCategory = "counter";
  struct State {
    std::int64_t sum = 0;
  };
  static pawl::Verdict Decide(const State&, const Add& add, pawl::Emit<Counter>& emit) noexcept {
    emit(Added{add.amount});
    return pawl::Accept();
  }
  static void Evolve(State& state, const Added& added) noexcept { state.sum += added.amount; }
};

TEST(Counter, Adds) {
  pawl::testing::Given<Counter>(Added{40}).When(Add{2}).Then(Added{2}).ThenState(
      [](const Counter::State& s) { EXPECT_EQ(s.sum, 42); });
}

}  // namespace
