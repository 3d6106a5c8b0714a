// How an application tests its aggregates: what happened, what is asked, what is to come of it.
// Nothing here opens a log or waits for anything; a case takes some twenty microseconds.

#include "copy.h"

#include <chrono>

#include <gtest/gtest.h>

#include <pawl/testing.h>

namespace library {
namespace {

using namespace std::chrono_literals;
using pawl::testing::Given;
using pawl::testing::TimerCancelled;
using pawl::testing::TimerSet;

constexpr pawl::Key kBook{1};  // the aggregate of a Given without a key is pawl::testing::kKey, 1
constexpr pawl::Key kAda{100};
constexpr Title kEmma = TitleOf("Emma");
constexpr Acquired kAcquired{kEmma, Condition::kNew, Language::kEnglish};
constexpr std::uint64_t kStartNs =
    static_cast<std::uint64_t>(pawl::testing::kStartOfTime.time_since_epoch().count());

TEST(CopyTest, IsAcquiredOnce) {
  Given<Copy>()
      .When(Acquire{kEmma, Language::kEnglish})
      .Then(kAcquired)
      .When(Acquire{kEmma, Language::kEnglish})
      .ThenRefused(Copy::kIsThere);
}

// [readme]
TEST(CopyTest, IsLentToAMember) {
  Given<Copy>(kAcquired)
      .AndGiven<Member>(kAda, Joined{})
      .When(Lend{kAda, 14})
      .Then(Lent{kAda, kStartNs + 14 * kDayNs})
      .ThenOn<Member>(kAda, Borrowed{kBook})
      .ThenState([](const Copy::State& s) { EXPECT_EQ(s.member, kAda); })
      .ThenStateOf<Member>(kAda, [](const Member::State& s) { EXPECT_EQ(s.loans, 1U); });
}

// Time is what the case says it is.
TEST(CopyTest, WhoIsLatePaysForEachDayBegun) {
  Given<Copy>(kAcquired, Lent{kAda, kStartNs + 14 * kDayNs})
      .AndGiven<Member>(kAda, Joined{}, Borrowed{kBook})
      .After(15 * 24h + 1s)
      .When(TakeBack{})
      .Then(TakenBack{2 * kFeePerDayCents})
      .ThenOn<Member>(kAda, GivenBack{kBook});
}
// [/readme]

TEST(CopyTest, IsNotLentTwice) {
  Given<Copy>(kAcquired, Lent{kAda, 0}).When(Lend{kAda, 14}).ThenRefused(Copy::kIsLent);
}

TEST(CopyTest, IsNotLentToStrangers) {
  Given<Copy>(kAcquired).When(Lend{kAda, 14}).ThenRefused(Copy::kNoSuchMember);
}

TEST(CopyTest, AMemberHasThreeCopiesAtATime) {
  Given<Copy>(kAcquired)
      .AndGiven<Member>(kAda, Joined{}, Borrowed{pawl::Key(2)}, Borrowed{pawl::Key(3)},
                        Borrowed{pawl::Key(4)})
      .When(Lend{kAda, 14})
      .ThenRefused(Copy::kTooManyLoans)
      .AndGiven<Member>(kAda, GivenBack{pawl::Key(3)})
      .When(Lend{kAda, 14})
      .Then(Lent{kAda, kStartNs + 14 * kDayNs})
      .ThenOn<Member>(kAda, Borrowed{kBook});
}

TEST(CopyTest, WhoIsInTimePaysNothing) {
  Given<Copy>(kAcquired, Lent{kAda, kStartNs + 14 * kDayNs})
      .AndGiven<Member>(kAda, Joined{}, Borrowed{kBook})
      .At(pawl::testing::kStartOfTime + 14 * 24h)
      .When(TakeBack{})
      .Then(TakenBack{0})
      .ThenOn<Member>(kAda, GivenBack{kBook});
}

// What an older program wrote can be given too; only the newest version is expected.
TEST(CopyTest, NobodyKnowsTheLanguageOfOlderCopies) {
  Given<Copy>(AcquiredV1{kEmma, Condition::kUsed}).ThenState([](const Copy::State& s) {
    EXPECT_TRUE(s.is_there);
    EXPECT_EQ(s.language, Language::kUnknown);
  });
}

// Timers that become due while time passes fire, each at its time.
TEST(CopyTest, IsReservedForThreeDays) {
  constexpr pawl::Key kBen{200};
  Given<Copy>(Acquired{kEmma, Condition::kNew, Language::kEnglish})
      .AndGiven<Member>(kAda, Joined{})
      .AndGiven<Member>(kBen, Joined{})
      .When(Reserve{kAda})
      .Then(Reserved{kAda}, TimerSet<ReservationOver>(3 * 24h))
      .When(Lend{kBen, 14})
      .ThenRefused(Copy::kIsReserved)
      .After(3 * 24h - 1s)
      .ThenNothing()
      .After(1s)
      .Then(Released{})
      .When(Reserve{kBen})
      .Then(Reserved{kBen}, TimerSet<ReservationOver>(3 * 24h));
}

TEST(CopyTest, WhoComesInTimeGetsWhatIsReserved) {
  Given<Copy>(Acquired{kEmma, Condition::kNew, Language::kEnglish}, Reserved{kAda},
              TimerSet<ReservationOver>(1h))
      .AndGiven<Member>(kAda, Joined{})
      .When(Lend{kAda, 14})
      .Then(Lent{kAda, kStartNs + 14 * kDayNs}, TimerCancelled<ReservationOver>())
      .ThenOn<Member>(kAda, Borrowed{kBook})
      .After(1h)
      .ThenNothing();
}

// Fails if an event of the program differs from layouts.txt. A new event gets its line by
//   PAWL_UPDATE_LAYOUTS=1 ctest -R LayoutsTest
TEST(LayoutsTest, AreThoseThatLogsHold) {
  pawl::testing::ExpectLayouts<Aggregates>(LIBRARY_LAYOUTS);
}

}  // namespace
}  // namespace library
