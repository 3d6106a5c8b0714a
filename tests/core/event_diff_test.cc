// Two sequences of events: what is the same stays in line.

#include "event_diff.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pawl/aggregate.h"

namespace pawl {
namespace {

using testing::DiffEvents;
using testing::Fact;

struct Touch {};
struct Opened {
  static constexpr EventType kType{"diff.opened", 1};
  std::int32_t a;
  std::int32_t b;
};
struct OpenedAgain {
  static constexpr EventType kType{"diff.opened", 2};
  std::int32_t a;
};
struct Closed {
  static constexpr EventType kType{"diff.closed", 1};
};
struct Door {
  using Commands = pawl::Commands<Touch>;
  using Events = pawl::Events<Opened, OpenedAgain, Closed>;
  static constexpr std::string_view kCategory = "door";
  struct State {};
  static Verdict Decide(const State&, const Touch&, Emit<Door>&) noexcept { return Accept(); }
  static void Evolve(State&, const Opened&) noexcept {}
  static void Evolve(State&, const OpenedAgain&) noexcept {}
  static void Evolve(State&, const Closed&) noexcept {}
};

template <class... Es>
std::vector<Fact> Facts(const Es&... events) {
  return {testing::MakeFact<Door>(Key(1), events)...};
}

TEST(EventDiffTest, TheSameIsNothing) {
  EXPECT_EQ(DiffEvents({}, {}), "");
  EXPECT_EQ(DiffEvents(Facts(Opened{1, 2}, Closed{}), Facts(Opened{1, 2}, Closed{})), "");
}

TEST(EventDiffTest, EachFieldThatDiffersHasALine) {
  EXPECT_EQ(DiffEvents(Facts(Closed{}, Opened{1, 2}), Facts(Closed{}, Opened{3, 4})),
            "\n  event 2 of 2: diff.opened: a: expected 1, was 3"
            "\n  event 2 of 2: diff.opened: b: expected 2, was 4");
}

TEST(EventDiffTest, WhatIsMissingAtTheFrontDoesNotMoveTheRest) {
  EXPECT_EQ(
      DiffEvents(Facts(Closed{}, Opened{1, 2}, Opened{3, 4}), Facts(Opened{1, 2}, Opened{3, 4})),
      "\n  event 1 of 3: missing: diff.closed{}");
}

TEST(EventDiffTest, WhatIsTooMuchInTheMiddleDoesNotMoveTheRest) {
  EXPECT_EQ(DiffEvents(Facts(Opened{1, 2}, Opened{3, 4}),
                       Facts(Opened{1, 2}, Closed{}, Closed{}, Opened{3, 4})),
            "\n  unexpected: diff.closed{}, number 2 of 4 that came"
            "\n  unexpected: diff.closed{}, number 3 of 4 that came");
}

TEST(EventDiffTest, AnotherTypeIsOneMissingAndOneUnexpected) {
  EXPECT_EQ(DiffEvents(Facts(Closed{}), Facts(Opened{1, 2})),
            "\n  event 1 of 1: missing: diff.closed{}"
            "\n  unexpected: diff.opened{a: 1, b: 2}, number 1 of 1 that came");
}

TEST(EventDiffTest, TwoVersionsOfOneNameAreToldApart) {
  EXPECT_EQ(DiffEvents(Facts(OpenedAgain{1}), Facts(Opened{1, 2})),
            "\n  event 1 of 1: missing: diff.opened v2{a: 1}"
            "\n  unexpected: diff.opened{a: 1, b: 2}, number 1 of 1 that came");
}

TEST(EventDiffTest, OfTwoInAnotherOrderOneMoves) {
  EXPECT_EQ(DiffEvents(Facts(Closed{}, Opened{1, 2}), Facts(Opened{1, 2}, Closed{})),
            "\n  event 1 of 2: missing: diff.closed{}"
            "\n  unexpected: diff.closed{}, number 2 of 2 that came");
}

TEST(EventDiffTest, LongListsAreCounted) {
  const std::vector<Fact> many(1024, Facts(Closed{}).front());
  const std::string text = DiffEvents(many, {});
  EXPECT_NE(text.find("event 20 of 1024: missing"), std::string::npos) << text;
  EXPECT_EQ(text.find("event 21 of 1024"), std::string::npos) << text;
  EXPECT_NE(text.find("and 1004 lines more"), std::string::npos) << text;
}

}  // namespace
}  // namespace pawl
