// Closings in the test kit: given, decided, expected, and told of when nobody expected them.

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "ending_aggregates.h"
#include "failure_log.h"
#include "pawl/testing.h"

namespace pawl {
namespace {

using testing::Given;

constexpr Key kOther(2);

TEST(KitCloseTest, AClosingIsExpectedAmongTheEvents) {
  Given<Sheet>(Scribbled{1}).When(End{}).Then(Closed<Sheet>{});
  Given<Sheet>(Scribbled{1}).When(WriteAndEnd{2}).Then(Scribbled{2}, Closed<Sheet>{});
  Given<Sheet>(Scribbled{1})
      .AndGiven<Sheet>(kOther, Scribbled{2})
      .When(EndOther{kOther, 0})
      .Then(Scribbled{100})
      .ThenOn<Sheet>(kOther, Closed<Sheet>{});
  Given<Sheet>()
      .AndGiven<Heap>(kOther, Piled{5})
      .When(EndPile{kOther})
      .ThenOn<Heap>(kOther, Closed<Heap>{});
}

TEST(KitCloseTest, WhatIsClosedIsThereNoMore) {
  Given<Sheet>(Scribbled{1})
      .When(End{})
      .ThenState([](const Sheet::State& s) { EXPECT_EQ(s.events, 0); })
      .When(End{})
      .ThenNothing()
      .When(Scribble{5})
      .ThenState([](const Sheet::State& s) { EXPECT_EQ(s.sum, 5); });
  Given<Sheet>(Scribbled{1}, Closed<Sheet>{}, Scribbled{7})
      .When(Observe{kOther, 0})
      .ThenOn<Sheet>(kOther, Observed{1, 7, 1});
  Given<Sheet>(Scribbled{1}, Closed<Sheet>{})
      .When(Observe{kOther, 0})
      .ThenOn<Sheet>(kOther, Observed{0, -1, 0});
}

TEST(KitCloseTest, AnEventBehindAClosingIsOverALimit) {
  Given<Sheet>(Scribbled{1}).When(EndAndWrite{}).ThenLimitExceeded();
  Given<Sheet>().When(EndAndWrite{}).Then(Scribbled{1});
}

TEST(KitCloseTest, AClosingThatNobodyExpectedIsNamed) {
  EXPECT_EQ(FailureOf([] { Given<Sheet>(Scribbled{1}).When(WriteAndEnd{2}).Then(Scribbled{2}); }),
            "WriteAndEnd{value: 2} on sheet 1: expected 1 event on sheet 1, and 2 events came:\n"
            "  unexpected: closed{}, number 2 of 2 that came");
  const std::string other = FailureOf([] {
    Given<Sheet>(Scribbled{1})
        .AndGiven<Sheet>(kOther, Scribbled{2})
        .When(EndOther{kOther, 0})
        .Then(Scribbled{100});
  });
  EXPECT_NE(other.find("no Then or ThenOn names"), std::string::npos) << other;
  EXPECT_NE(other.find("closed"), std::string::npos) << other;
}

TEST(KitCloseTest, AClosingThatDoesNotComeIsNamed) {
  const std::string missing =
      FailureOf([] { Given<Sheet>().When(Scribble{2}).Then(Scribbled{2}, Closed<Sheet>{}); });
  EXPECT_NE(missing.find("event 2 of 2: missing: closed"), std::string::npos) << missing;
}

}  // namespace
}  // namespace pawl
