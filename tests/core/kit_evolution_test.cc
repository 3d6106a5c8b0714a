// The kit and events that changed or have a codec: what an old log may hold can be given, only the
// newest comes, and both are shown to people.

#include <array>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "codec_domain.h"
#include "event_diff.h"
#include "failure_log.h"
#include "pawl/testing.h"
#include "upcast_domain.h"

namespace pawl {
namespace {

using testing::Given;

const Key kTwo(2);

TEST(KitUpcastTest, OlderVersionsThatAreGivenAreUpcast) {
  Given<PurseV3>(FundedV1{100}, FundedV2{50, 2}, FundedOf<FundedV3>(7), LockedV1{})
      .AndGiven<PurseV3>(kTwo, LockedV2{5}, FundedV1{10})
      .When(Fund{1})
      .Then(FundedOf<FundedV3>(1))
      .ThenState([](const PurseV3::State& s) {
        EXPECT_EQ(s.cents, (100 - 1) + (50 - 2) + 7 + 1);
        EXPECT_EQ(s.upcasts, 2U + 1U);
        EXPECT_EQ(s.reasons, 77U);
      })
      .ThenStateOf<PurseV3>(kTwo, [](const PurseV3::State& s) {
        EXPECT_EQ(s.cents, 9);
        EXPECT_EQ(s.reasons, 5U);
      });
}

TEST(KitUpcastTest, AnOlderVersionIsShownWithItsOwnFieldsAndVersion) {
  EXPECT_EQ(testing::EventText(testing::MakePastFact<PurseV3>(kTwo, FundedV1{5})),
            "purse.funded{cents: 5}");
  EXPECT_EQ(testing::EventText(testing::MakePastFact<PurseV3>(kTwo, FundedV2{5, 1})),
            "purse.funded v2{cents: 5, fee_cents: 1}");
  EXPECT_EQ(testing::EventText(testing::MakePastFact<PurseV3>(kTwo, LockedV1{})), "purse.locked{}");
}

TEST(KitCodecTest, EventsWithACodecAreGivenAndExpected) {
  Given<LetterV3>(Written{"ada", "hello"}, Torn{1})
      .AndGiven<LetterV3>(kTwo, PostedV1{{'b', 'o', 'b'}}, PostedV2{"eve"}, Posted{"dan", true})
      .When(WriteThere{kTwo, 3})
      .Then(Written{"here", "aaa"}, Torn{3}, Written{"here", "aaaaa"})
      .ThenOn<LetterV3>(kTwo, Written{"there", "bbbb"})
      .ThenState([](const LetterV3::State& s) { EXPECT_EQ(s.bytes, 5U + 1 + 3 + 3 + 5); })
      .ThenStateOf<LetterV3>(kTwo, [](const LetterV3::State& s) { EXPECT_EQ(s.events, 3U + 2); });
}

TEST(KitCodecTest, ADifferenceIsShownAsTheCodecTellsIt) {
  EXPECT_EQ(FailureOf([] {
              Given<LetterV3>().When(Write{3, 'a'}).Then(Written{"ada", "aab"});
            }),
            "Write on letter 1: expected 1 event on letter 1, and 1 "
            "event came:\n"
            "  event 1 of 1: letter.written: expected \"aab\" by ada, was \"aaa\" by ada (they "
            "differ from byte 13 on)");
}

TEST(KitCodecTest, ACodecThatTellsNothingIsShownByItsLength) {
  EXPECT_EQ(testing::EventText(testing::MakeFact<LetterV3>(kTwo, Posted{"dan", true})),
            "letter.posted v3{4 bytes}");
  EXPECT_EQ(testing::EventText(testing::MakeFact<LetterV3>(kTwo, Written{"ada", "x"})),
            "letter.written{\"x\" by ada}");
}

TEST(KitCodecTest, AnEventThatItsCodecDoesNotDecodeIsAFaultOfTheCase) {
  EXPECT_EQ(FailuresOf([] {
              Given<LetterV3>(Written{"ada", std::string_view("a\0b", 3)})
                  .ThenState([](const LetterV3::State& s) { EXPECT_EQ(s.events, 0U); });
            })
                .at(0)
                .text,
            "letter.written{no event}: its codec does not decode what it encoded");
}

TEST(KitCodecTest, EmittingOneIsALimitAsInTheEngine) {
  Given<LetterV3>().When(Write{3, '\0'}).ThenLimitExceeded();
  Given<LetterV3>().When(Write{300 * 1024, 'a'}).ThenLimitExceeded();
  Given<LetterV3>().When(WriteThenRefuse{100}).ThenRefused(9);
}

}  // namespace
}  // namespace pawl
