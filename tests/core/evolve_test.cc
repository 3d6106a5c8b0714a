// Accept evolves what Decide emitted, once and in order, whoever's event it is: inlined for short
// lists of events, by address for long ones and for other aggregates.

#include <cstdint>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "pawl/engine.h"
#include "test_directory.h"

namespace pawl {
namespace {

inline constexpr const char* kNames[] = {"digit.zero",  "digit.one",  "digit.two",
                                         "digit.three", "digit.four", "digit.five"};

template <std::uint64_t kDigit>
struct Added {
  static constexpr EventType kType{kNames[kDigit], 1};
  std::uint64_t amount;
};

struct AddDigits {
  std::uint64_t digits;  // decimal, first one first; 0 ends
  Key to;                // on this stream of Long; 0: here
};

// Writes the digits that its events stand for, one behind the other.
struct DigitState {
  std::uint64_t digits = 0;
};

struct Long {  // more events than are compared one by one
  using Commands = pawl::Commands<AddDigits>;
  using Events = pawl::Events<Added<1>, Added<2>, Added<3>, Added<4>, Added<5>>;
  static constexpr std::string_view kCategory = "long";
  using State = DigitState;
  static Verdict Decide(const State&, const AddDigits& c, Emit<Long>& emit) noexcept {
    for (std::uint64_t left = c.digits; left != 0; left /= 10) {
      switch (left % 10) {
        case 1: emit(Added<1>{}); break;
        case 2: emit(Added<2>{}); break;
        case 3: emit(Added<3>{}); break;
        case 4: emit(Added<4>{}); break;
        default: emit(Added<5>{});
      }
    }
    return Accept();
  }
  template <std::uint64_t kDigit>
  static void Evolve(State& state, const Added<kDigit>&) noexcept {
    state.digits = state.digits * 10 + kDigit;
  }
};

struct Short {
  using Commands = pawl::Commands<AddDigits>;
  using Events = pawl::Events<Added<1>, Added<2>>;
  static constexpr std::string_view kCategory = "short";
  using State = DigitState;
  static Verdict Decide(const State&, const AddDigits& c, Emit<Short>& emit) noexcept {
    for (std::uint64_t left = c.digits; left != 0; left /= 10) {
      if (left % 10 == 1) emit(Added<1>{});
      if (left % 10 == 2) emit(Added<2>{});
      if (!c.to.is_zero()) emit.On<Long>(c.to, Added<3>{});
      if (!c.to.is_zero()) emit.On<Long>(c.to, Added<1>{});
    }
    return Accept();
  }
  template <std::uint64_t kDigit>
  static void Evolve(State& state, const Added<kDigit>&) noexcept {
    state.digits = state.digits * 10 + kDigit;
  }
};

class EvolveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Engine::Open(directory_.Options(Threads::kHost), Aggregates<Long, Short>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
  }

  template <class A>
  std::vector<std::uint64_t> Digits() {
    std::vector<std::uint64_t> all;
    const absl::Status visited = engine_->VisitAggregates<A>(
        [&all](const Key&, Version, const DigitState& state) { all.push_back(state.digits); });
    EXPECT_TRUE(visited.ok()) << visited;
    return all;
  }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EvolveTest, EventsOfShortAndLongListsEvolveInOrder) {
  Producer producer = *engine_->NewProducer();
  ASSERT_TRUE(producer.Execute<Long>(Key(1), AddDigits{54321, Key()}).ok());
  EXPECT_EQ(Digits<Long>(), std::vector<std::uint64_t>{12345});
  ASSERT_TRUE(producer.Execute<Short>(Key(1), AddDigits{2211, Key()}).ok());
  EXPECT_EQ(Digits<Short>(), std::vector<std::uint64_t>{1122});
}

TEST_F(EvolveTest, EventsOnAnotherAggregateEvolveItsState) {
  Producer producer = *engine_->NewProducer();
  ASSERT_TRUE(producer.Execute<Short>(Key(7), AddDigits{12, Key(9)}).ok());
  EXPECT_EQ(Digits<Short>(), std::vector<std::uint64_t>{21});
  EXPECT_EQ(Digits<Long>(), std::vector<std::uint64_t>{3131});
}

}  // namespace
}  // namespace pawl
