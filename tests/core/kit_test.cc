// Given, when, then: what each of them accepts, and what it says of what is wrong.

#include <array>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "failure_log.h"
#include "pawl/testing.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;
using testing::Given;
using testing::kKey;

const Key kBob(2);

// A second type: what it does to accounts, and what it is told of time and version.
struct Pay {
  Key account;
  std::int64_t cents;
};
struct Ask {};
struct Guess {};  // not deterministic
struct Recite {   // does not fit a slot of a lane's ring
  std::array<std::uint8_t, 100> text;
};
struct Answered {
  static constexpr EventType kType{"clerk.answered", 1};
  std::uint64_t now_ns;
  std::uint64_t version;
};
struct Clerk {
  using Commands = pawl::Commands<Pay, Ask, Guess, Recite>;
  using Events = pawl::Events<Answered>;
  static constexpr std::string_view kCategory = "clerk";
  struct State {
    std::uint64_t answers = 0;
  };
  static Verdict Decide(const State&, const Pay& c, Emit<Clerk>& emit) noexcept {
    emit.On<Account>(c.account, Deposited{c.cents});
    return Accept();
  }
  static Verdict Decide(const State& s, const Ask&, Emit<Clerk>& emit) noexcept {
    emit(Answered{emit.now_ns(), emit.version().value()});
    emit(Answered{s.answers, emit.version().value()});
    return Accept();
  }
  static Verdict Decide(const State&, const Guess&, Emit<Clerk>& emit) noexcept {
    static std::uint64_t count = 0;
    emit(Answered{++count, 0});
    return Accept();
  }
  static Verdict Decide(const State&, const Recite& c, Emit<Clerk>& emit) noexcept {
    emit(Answered{std::accumulate(c.text.begin(), c.text.end(), std::uint64_t{0}), 0});
    return Accept();
  }
  static void Evolve(State& s, const Answered&) noexcept { ++s.answers; }
};

TEST(KitTest, WhatCameIsWhatIsExpected) {
  Given<Account>(Deposited{500}, Withdrawn{100}).When(Withdraw{400}).Then(Withdrawn{400});
  Given<Account>().When(Deposit{1}).Then(Deposited{1});
  Given<Account>(kBob, Deposited{5}).When(Withdraw{5}).Then(Withdrawn{5});
}

TEST(KitTest, AnotherValueIsNamedByItsField) {
  EXPECT_EQ(
      FailureOf([] { Given<Account>(Deposited{500}).When(Withdraw{300}).Then(Withdrawn{500}); }),
      "Withdraw{cents: 300} on account 1: expected 1 event on account 1, and 1 event came:\n"
      "  event 1 of 1: bank.withdrawn: cents: expected 500, was 300");
}

TEST(KitTest, FailuresCarryTheLineOfTheThen) {
  const std::vector<SeenFailure> failures = FailuresOf([] {
    Given<Account>(Deposited{500})
        .When(Withdraw{300})
        .Then(Withdrawn{300})
        .When(Withdraw{100})
        .Then(Withdrawn{200});
  });
  const int here = __LINE__;
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures.front().line, here - 2);
}

TEST(KitTest, EventsThatDidNotComeAndThatCameTooMuch) {
  EXPECT_EQ(FailureOf([] { Given<Account>().When(Deposit{7}).Then(Deposited{7}, Withdrawn{1}); }),
            "Deposit{cents: 7} on account 1: expected 2 events on account 1, and 1 event came:\n"
            "  event 2 of 2: missing: bank.withdrawn{cents: 1}");
  EXPECT_EQ(FailureOf([] {
              Given<Probe>().When(EmitMany{3, 0, kBob}).Then(Probed{1});
            }),
            "EmitMany{own: 3, other: 0, to: key 2} on probe 1: expected 1 event on probe 1, and 3 "
            "events came:\n"
            "  unexpected: probe.probed{value: 0}, number 1 of 3 that came\n"
            "  unexpected: probe.probed{value: 2}, number 3 of 3 that came");
}

// Both hold the same eight bytes.
TEST(KitTest, AnotherEventIsNotTheSameForItsBytes) {
  EXPECT_EQ(FailureOf([] { Given<Account>().When(Deposit{7}).Then(Withdrawn{7}); }),
            "Deposit{cents: 7} on account 1: expected 1 event on account 1, and 1 event came:\n"
            "  event 1 of 1: missing: bank.withdrawn{cents: 7}\n"
            "  unexpected: bank.deposited{cents: 7}, number 1 of 1 that came");
}

TEST(KitTest, ARefusalIsExpectedByItsCode) {
  Given<Account>(Deposited{5}).When(Withdraw{6}).ThenRefused(Account::kInsufficientFunds);
  Given<Account>(Deposited{5})
      .When(Withdraw{6})
      .Then(testing::Refused(Account::kInsufficientFunds));
  Given<Account>(Deposited{5}).When(Withdraw{6}).ThenRefused(1);
  EXPECT_EQ(FailureOf([] {
              Given<Account>(Deposited{5}).When(Withdraw{6}).ThenRefused(Account::kNoSuchAccount);
            }),
            "Withdraw{cents: 6} on account 1: expected to be refused with kNoSuchAccount (2), was "
            "refused with kInsufficientFunds (1)");
  EXPECT_EQ(FailureOf([] { Given<Account>(Deposited{5}).When(Withdraw{5}).ThenRefused(77); }),
            "Withdraw{cents: 5} on account 1: expected to be refused with code 77, was accepted "
            "with 1 event\n"
            "  account 1: bank.withdrawn{cents: 5}");
  EXPECT_EQ(FailureOf([] { Given<Account>(Deposited{5}).When(Withdraw{6}).Then(Withdrawn{6}); }),
            "Withdraw{cents: 6} on account 1: expected 1 event on account 1, was refused with "
            "kInsufficientFunds (1); expected were:\n"
            "  account 1: bank.withdrawn{cents: 6}");
}

TEST(KitTest, NothingIsAcceptedWithoutAnEventOnAnyStream) {
  Given<Account>(Deposited{5}).When(Look{}).ThenNothing();
  EXPECT_EQ(FailureOf([] { Given<Account>().When(Deposit{5}).ThenNothing(); }),
            "Deposit{cents: 5} on account 1: expected to be accepted without an event, was "
            "accepted with 1 event\n"
            "  account 1: bank.deposited{cents: 5}");
  EXPECT_EQ(FailureOf([] { Given<Account>().When(Withdraw{5}).ThenNothing(); }),
            "Withdraw{cents: 5} on account 1: expected to be accepted without an event, was "
            "refused with kInsufficientFunds (1)");
  EXPECT_EQ(FailureOf([] { Given<Account>().When(Look{}).Then(Deposited{5}); }),
            "Look{} on account 1: expected 1 event on account 1, and 0 events came:\n"
            "  event 1 of 1: missing: bank.deposited{cents: 5}");
}

TEST(KitTest, SeveralStreamsAreComparedEachByItself) {
  Given<Account>(Deposited{500})
      .AndGiven<Account>(kBob, Deposited{1})
      .When(Transfer{kBob, 300})
      .Then(Withdrawn{300})
      .ThenOn<Account>(kBob, Deposited{300});
  EXPECT_EQ(FailureOf([] {
              Given<Account>(Deposited{500})
                  .AndGiven<Account>(kBob, Deposited{1})
                  .When(Transfer{kBob, 300})
                  .Then(Withdrawn{300})
                  .ThenOn<Account>(kBob, Deposited{200});
            }),
            "Transfer{to: key 2, cents: 300} on account 1: expected 1 event on account 2, and 1 "
            "event came:\n"
            "  event 1 of 1: bank.deposited: cents: expected 200, was 300");
}

TEST(KitTest, EventsThatNobodyNamesAreAFailure) {
  EXPECT_EQ(FailureOf([] {
              Given<Account>(Deposited{500})
                  .AndGiven<Account>(kBob, Deposited{1})
                  .When(Transfer{kBob, 300})
                  .Then(Withdrawn{300});
            }),
            "Transfer{to: key 2, cents: 300} on account 1: events on streams that no Then or "
            "ThenOn names:\n"
            "  account 2: bank.deposited{cents: 300}");
  // Also of a command in the middle.
  EXPECT_EQ(FailuresOf([] {
              Given<Account>(Deposited{500})
                  .AndGiven<Account>(kBob, Deposited{1})
                  .When(Transfer{kBob, 300})
                  .Then(Withdrawn{300})
                  .When(Look{})
                  .ThenNothing();
            }).size(),
            1U);
}

TEST(KitTest, OthersAreThoseThatAreGiven) {
  Given<Account>(Deposited{500}).When(Transfer{kBob, 1}).ThenRefused(Account::kNoSuchAccount);
  Given<Probe>(Probed{7})
      .AndGiven<Probe>(kBob, Probed{9})
      .When(AskOthers{kBob})
      .Then(Probed{100}, Probed{7}, Probed{7}, Probed{9})
      .ThenOn<Probe>(kBob, Probed{100});
  // Made by the command itself: not there yet.
  Given<Probe>()
      .When(AskOthers{kBob})
      .Then(Probed{100}, Probed{0}, Probed{Probe::kNothing}, Probed{Probe::kNothing})
      .ThenOn<Probe>(kBob, Probed{100});
}

TEST(KitTest, ATypeIsKnownIfItIsGivenOrNamed) {
  Given<Clerk>()
      .With(Aggregates<Clerk, Account>{})
      .When(Pay{kBob, 5})
      .ThenOn<Account>(kBob, Deposited{5});
  Given<Clerk>().AndGiven<Account>(kBob).When(Pay{kBob, 5}).ThenOn<Account>(kBob, Deposited{5});
  // As an engine that was opened without it.
  Given<Clerk>().When(Pay{kBob, 5}).ThenLimitExceeded();
  const std::string text = FailureOf([] {
    Given<Clerk>().When(Pay{kBob, 5}).ThenOn<Account>(kBob, Deposited{5});
  });
  EXPECT_NE(text.find("was refused for a limit"), std::string::npos) << text;
  EXPECT_NE(text.find("With(pawl::Aggregates<…>{})"), std::string::npos) << text;
}

TEST(KitTest, WhatACommandEmittedHasHappenedForTheNext) {
  Given<Account>(Deposited{500})
      .When(Withdraw{300})
      .Then(Withdrawn{300})
      .When(Withdraw{300})
      .ThenRefused(Account::kInsufficientFunds)
      .AndGiven<Account>(kKey, Deposited{100})
      .When(Withdraw{300})
      .Then(Withdrawn{300})
      .WhenOn<Account>(kBob, Deposit{9})
      .ThenOn<Account>(kBob, Deposited{9})
      .ThenState([](const Account::State& s) { EXPECT_EQ(s.cents, 0); })
      .ThenStateOf<Account>(kBob, [](const Account::State& s) { EXPECT_EQ(s.cents, 9); });
}

TEST(KitTest, TheStateIsThatAfterTheCommand) {
  Given<Account>(Deposited{5}).ThenState([](const auto& s) { EXPECT_EQ(s.cents, 5); });
  Given<Account>().ThenState([](const auto& s) { EXPECT_EQ(s.cents, 0); });
  Given<Account>(Deposited{5}).When(Deposit{6}).ThenState([](const auto& s) {
    EXPECT_EQ(s.cents, 11);
  });
  Given<Account>(Deposited{5})
      .When(Withdraw{6})
      .ThenRefused(Account::kInsufficientFunds)
      .ThenState([](const auto& s) { EXPECT_EQ(s.cents, 5); });
  const std::string text = FailureOf([] {
    Given<Account>(Deposited{5}).When(Deposit{6}).ThenState([](const auto& s) {
      EXPECT_EQ(s.cents, 12);
    });
  });
  EXPECT_NE(text.find("11"), std::string::npos) << text;
  EXPECT_NE(text.find("the state of the case"), std::string::npos) << text;
  // Nothing else was said of the command: it is to be accepted.
  EXPECT_EQ(FailureOf([] { Given<Account>().When(Withdraw{6}).ThenState([](const auto&) {}); }),
            "Withdraw{cents: 6} on account 1: expected to be accepted, was refused with "
            "kInsufficientFunds (1)");
}

TEST(KitTest, TimeIsVirtual) {
  const auto start = static_cast<std::uint64_t>(testing::kStartOfTime.time_since_epoch().count());
  const std::chrono::sys_days day = std::chrono::year(2031) / 5 / 17;
  const auto later =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(day.time_since_epoch()).count());
  Given<Clerk>()
      .When(Ask{})
      .Then(Answered{start, 0}, Answered{0, 1})
      .At(day)
      .When(Ask{})
      .Then(Answered{later, 2}, Answered{2, 3})
      .After(90s)
      .When(Ask{})
      .Then(Answered{later + 90'000'000'000U, 4}, Answered{4, 5});
  EXPECT_EQ(FailureOf([day] {
              Given<Clerk>().At(day).At(day - std::chrono::days(1)).ThenState([](const auto&) {});
            }),
            "virtual time would go back by 86400000000000 ns; engine time never does");
  // Before 1970, and by a negative time, is back too.
  EXPECT_NE(FailureOf([] {
              Given<Clerk>().At(std::chrono::sys_days(std::chrono::year(1969) / 7 / 20));
            }).find("virtual time would go back by "),
            std::string::npos);
  EXPECT_EQ(FailureOf([] { Given<Clerk>().After(-1ns).ThenState([](const auto&) {}); }),
            "virtual time would go back by 1 ns; engine time never does");
  EXPECT_NE(FailureOf([] {
              Given<Clerk>().After(std::chrono::nanoseconds::min()).ThenState([](const auto&) {});
            }).find("virtual time would go back by "),
            std::string::npos);
}

TEST(KitTest, LimitsAreTheEngines) {
  Given<Probe>().When(EmitMany{kCommitEventsMax, 0, kBob}).ThenState([](const auto& s) {
    EXPECT_EQ(s.events, kCommitEventsMax);
  });
  Given<Probe>().When(EmitMany{kCommitEventsMax + 1, 0, kBob}).ThenLimitExceeded();
  Given<Probe>().When(EmitNewStreams{100, kCommitEventsMax}).ThenState([](const auto&) {});
  Given<Probe>().When(EmitNewStreams{100, kCommitEventsMax + 1}).ThenLimitExceeded();
  Given<Probe>().When(EmitNewStreams{0, 1}).ThenLimitExceeded();  // on key 0
  Given<Probe>().Within({.streams_max = 3}).When(EmitNewStreams{100, 3}).ThenState([](auto&) {});
  Given<Probe>().Within({.streams_max = 3}).When(EmitNewStreams{100, 4}).ThenLimitExceeded();
  // A record of 32 bytes each, and the first one that binds the stream: 40.
  Given<Probe>()
      .Within({.commit_bytes_max = 1024})
      .When(EmitMany{30, 0, kBob})
      .ThenState([](auto&) {});
  Given<Probe>().Within({.commit_bytes_max = 1024}).When(EmitMany{31, 0, kBob}).ThenLimitExceeded();
  EXPECT_EQ(FailureOf([] { Given<Probe>().When(EmitEmpty{}).ThenLimitExceeded(); }),
            "EmitEmpty{} on probe 1: expected to exceed a limit, was accepted with 1 event\n"
            "  probe 1: probe.emptied{}");
  EXPECT_EQ(FailureOf([] {
              Given<Probe>(Probed{1})
                  .AndGiven<Probe>(kBob, Probed{1})
                  .Within({.streams_max = 1})
                  .When(EmitEmpty{})
                  .Then(Emptied{});
            }),
            "EmitEmpty{} on probe 1: more streams of probe are given than streams_max, 1, allows");
}

TEST(KitTest, CommandsLargerThanASlotAreDecidedToo) {
  Recite recite;
  recite.text.fill(3);
  Given<Clerk>().When(recite).Then(Answered{300, 0});
}

TEST(KitTest, LargeEventsAreCompared) {
  static constexpr Filled<kFilledMax> kFull{};
  Given<Probe>(kFull).When(FillMax{}).Then(kFull);
  Given<Probe>().When(FillOver{}).ThenLimitExceeded();
  auto other = std::make_unique<Filled<kFilledMax>>();
  other->bytes[77] = 3;
  EXPECT_EQ(FailureOf([&other] { Given<Probe>().When(FillMax{}).Then(*other); }),
            "FillMax{} on probe 1: expected 1 event on probe 1, and 1 event came:\n"
            "  event 1 of 1: probe.filled-even: bytes[77]: expected 3, was 0");
}

TEST(KitTest, ACaseThatChecksNothingFails) {
  EXPECT_EQ(FailureOf([] { Given<Account>(Deposited{5}).When(Withdraw{6}); }),
            "Withdraw{cents: 6} on account 1: nothing was checked; say Then(…), ThenNothing(), "
            "ThenRefused(…) or ThenState(…)");
  EXPECT_EQ(FailureOf([] { const auto unfinished = Given<Account>(Deposited{5}); }),
            "nothing was checked: the case has neither When(…) nor ThenState(…)");
  EXPECT_EQ(FailureOf([] { Given<Account>(Deposited{5}).Then(Deposited{5}); }),
            "nothing was decided: Then comes after When");
  EXPECT_EQ(FailureOf([] { Given<Account>(Deposited{5}).ThenNothing(); }),
            "nothing was decided: ThenNothing comes after When");
  EXPECT_EQ(FailureOf([] { Given<Account>().ThenRefused(1); }),
            "nothing was decided: ThenRefused comes after When");
  EXPECT_EQ(FailureOf([] { Given<Account>().ThenLimitExceeded(); }),
            "nothing was decided: ThenLimitExceeded comes after When");
  // The first of two commands.
  EXPECT_EQ(FailuresOf([] {
              Given<Account>().When(Deposit{1}).When(Deposit{2}).Then(Deposited{2});
            }).size(),
            1U);
}

TEST(KitTest, ADecideThatIsNotDeterministicIsFound) {
  const std::vector<SeenFailure> failures =
      FailuresOf([] { Given<Clerk>().When(Guess{}).ThenState([](const auto&) {}); });
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures.front().text.find("Guess{} on clerk 1: Decide is not deterministic"), 0U)
      << failures.front().text;
}

TEST(KitTest, KeyZeroIsRefused) {
  EXPECT_EQ(FailureOf([] { Given<Account>(Key(0)).When(Deposit{1}).ThenState([](auto&) {}); }),
            "Deposit{cents: 1} on account 0: key 0 is reserved; a producer would not send it");
  EXPECT_EQ(FailureOf([] {
              Given<Account>().AndGiven<Account>(Key(0), Deposited{1}).ThenState([](auto&) {});
            }),
            "key 0 is reserved: no event can be on it");
}

// More commits than a frame holds, and more bytes than one has.
TEST(KitTest, ThousandsOfCasesDoNotTouchEachOther) {
  static constexpr Filled<kFilledMax> kFull{};
  for (std::int64_t i = 0; i < 2'000; ++i) {
    Given<Account>(Deposited{i}).When(Withdraw{i}).Then(Withdrawn{i});
    Given<Account>(Deposited{i}).When(Withdraw{i + 1}).ThenRefused(Account::kInsufficientFunds);
    if (i % 500 == 0) Given<Probe>().When(FillMax{}).Then(kFull);
    if (i % 500 == 1) {
      Given<Probe>().Within({.commit_bytes_max = 4096}).When(FillMax{}).ThenLimitExceeded();
    }
  }
}

}  // namespace
}  // namespace pawl
