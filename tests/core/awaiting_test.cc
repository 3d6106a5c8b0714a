// co_await: a completion for each coroutine, in order, on the producer's own thread; suspended
// without room, ended by a stop, gone when destroyed.

#include "pawl/awaiting.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "coroutine.h"
#include "gate_storage.h"
#include "log_records.h"
#include "probe_aggregate.h"
#include "test_seed.h"

namespace pawl {
namespace {

using std::chrono::milliseconds;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

class AwaitingTest : public BankTest {
 protected:
  std::unique_ptr<AwaitingProducer> NewTeller(std::string_view session = "") {
    return std::make_unique<AwaitingProducer>(NewProducer(session));
  }
  // Runs until nobody is suspended any more.
  void RunAll(AwaitingProducer& teller) {
    EXPECT_TRUE(Await([&] {
      if (teller.Run() == 0) teller.Wait(milliseconds(10));
      return teller.suspended() == 0;
    })) << teller.suspended()
        << " are suspended for ever";
  }
  void RunEngine() {
    while (engine_->Poll(kWholeTurns) != 0) {
    }
  }
};

template <class C>
Coroutine SendOne(AwaitingProducer& teller, std::uint64_t key, C command, SubmitOptions options,
                  std::vector<Completion>& got) {
  got.push_back(co_await teller.Call<Account>(Key(key), command, options));
}

Coroutine SendMany(AwaitingProducer& teller, std::uint64_t key, int count, SubmitOptions options,
                   std::vector<Completion>& got) {
  for (int i = 0; i < count; ++i) {
    got.push_back(co_await teller.Call<Account>(Key(key), Deposit{1}, options));
  }
}

TEST_F(AwaitingTest, ACoroutineGetsTheCompletionOfItsCommand) {
  Open();
  const auto teller = NewTeller("teller");
  std::vector<Completion> got;
  const auto pay = [&]() -> Coroutine {
    got.push_back(co_await teller->Call<Account>(Key(1), Deposit{100}));
    got.push_back(co_await teller->Call<Account>(Key(1), Withdraw{1'000}, kQuick));
    got.push_back(co_await teller->Call<Account>(Key(1), Deposit{100},
                                                 {.ack = Ack::kPublished, .resend = Sequence(1)}));
  };
  const Coroutine paying = pay();
  EXPECT_FALSE(paying.is_done());
  EXPECT_EQ(teller->suspended(), 1U);
  RunAll(*teller);
  ASSERT_TRUE(paying.is_done());
  ASSERT_EQ(got.size(), 3U);
  EXPECT_TRUE(got[0].verdict.is_accepted());
  EXPECT_EQ(got[0].sequence, Sequence(1));
  EXPECT_EQ(got[0].receipt.level, Ack::kDurable);
  EXPECT_EQ(got[1].verdict, Refuse(Account::kInsufficientFunds));
  EXPECT_TRUE(got[2].receipt.is_duplicate);
  EXPECT_EQ(got[2].receipt.position, got[0].receipt.position);
  EXPECT_EQ(ResultOf(got[0])->version, Version(1));
  EXPECT_EQ(RefusalCode(ResultOf(got[1]).status()), Account::kInsufficientFunds);
  EXPECT_EQ(Balances()[0].second, 100);
}

TEST_F(AwaitingTest, NothingIsResumedButByRunOnItsThread) {
  Open();
  const auto teller = NewTeller();
  std::thread::id resumed_on;
  const auto look = [&]() -> Coroutine {
    static_cast<void>(co_await teller->Call<Account>(Key(1), Deposit{1}));
    resumed_on = std::this_thread::get_id();
  };
  const Coroutine looking = look();
  ASSERT_TRUE(Await([&] { return Balances().size() == 1; }));
  teller->Wait(std::chrono::seconds(10));
  EXPECT_FALSE(looking.is_done());
  EXPECT_EQ(teller->Run(), 1U);
  EXPECT_TRUE(looking.is_done());
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
}

TEST_F(AwaitingTest, AsManyAreUnderWayAsTheWindowHoldsAndOneMoreWaits) {
  Open(Threads::kHost);
  const auto teller = NewTeller("teller");
  const std::uint32_t window = teller->window();
  std::vector<Completion> got;
  std::vector<Coroutine> all;
  for (std::uint32_t i = 0; i < window; ++i) {
    all.push_back(SendOne(*teller, 1, Deposit{1}, kQuick, got));
  }
  EXPECT_EQ(teller->in_flight(), window);
  EXPECT_EQ(teller->waiting(), 0U);
  all.push_back(SendOne(*teller, 1, Deposit{1}, kQuick, got));
  EXPECT_EQ(teller->in_flight(), window);
  EXPECT_EQ(teller->waiting(), 1U);
  EXPECT_EQ(teller->Run(), 0U) << "nothing is answered yet";
  RunEngine();
  EXPECT_EQ(teller->Run(1), 1U);
  EXPECT_EQ(teller->waiting(), 0U) << "one credit came back, one was sent";
  EXPECT_EQ(teller->in_flight(), window);
  RunEngine();
  RunAll(*teller);
  ASSERT_EQ(got.size(), window + 1);
  for (std::uint32_t i = 0; i <= window; ++i) EXPECT_EQ(got[i].sequence, Sequence(i + 1));
}

// Who waits is sent before who comes later, also before one who was just resumed.
TEST_F(AwaitingTest, WhoWaitsForRoomIsServedInTheOrderOfComing) {
  EngineOptions options = directory_.Options(Threads::kHost);
  options.session_window = 4;
  Open(options);
  const auto teller = NewTeller();
  std::vector<int> order;
  const auto send = [&](int name, int count) -> Coroutine {
    for (int i = 0; i < count; ++i) {
      static_cast<void>(co_await teller->Call<Account>(Key(1), Deposit{1}, kQuick));
      order.push_back(name);
    }
  };
  std::vector<Coroutine> all;
  for (int name = 0; name < 10; ++name) all.push_back(send(name, 3));
  EXPECT_EQ(teller->waiting(), 6U);
  while (teller->suspended() != 0) {
    RunEngine();
    ASSERT_GT(teller->Run(), 0U);
    EXPECT_LE(teller->in_flight(), 4U);
  }
  ASSERT_EQ(order.size(), 30U);
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], static_cast<int>(i % 10)) << i;
}

TEST_F(AwaitingTest, CoroutinesThatCallAgainAtOnceGetTheirOwnAnswers) {
  for (const std::uint32_t window : {1U, 2U, 64U, 256U}) {
    SCOPED_TRACE(window);
    const TestDirectory directory;
    EngineOptions options = directory.Options(Threads::kHost);
    options.session_window = window;
    Open(options);
    {
      const auto teller = NewTeller("teller");
      std::vector<std::vector<Completion>> got(2 * window);
      std::vector<Coroutine> all;
      for (std::uint32_t i = 0; i < 2 * window; ++i) {
        all.push_back(SendMany(*teller, i + 1, 20, kQuick, got[i]));
      }
      while (teller->suspended() != 0) {
        RunEngine();
        ASSERT_GT(teller->Run(), 0U);
      }
      for (const std::vector<Completion>& one : got) {
        ASSERT_EQ(one.size(), 20U);
        for (std::size_t i = 0; i < one.size(); ++i) {
          ASSERT_EQ(one[i].receipt.version.value(), i + 1) << "another coroutine's answer";
        }
      }
    }
    engine_.reset();
  }
}

// Credits of a portion are back before its coroutines are resumed: what the first one starts is
// sent while the other answers of the portion still wait for their coroutines.
TEST_F(AwaitingTest, ACoroutineThatIsResumedMayStartAsManyOthersAsHaveRoom) {
  EngineOptions options = directory_.Options(Threads::kHost);
  options.session_window = 64;
  Open(options);
  const auto teller = NewTeller();
  std::vector<std::vector<Completion>> got(2 * options.session_window);
  std::vector<Coroutine> all;
  const auto start = [&](std::size_t name) {
    all.push_back(SendMany(*teller, name + 1, 1, kQuick, got[name]));
  };
  const auto fan_out = [&]() -> Coroutine {
    static_cast<void>(co_await teller->Call<Account>(Key(1000), Deposit{1}, kQuick));
    for (std::size_t name = 63; name < got.size(); ++name) start(name);
  };
  const Coroutine first = fan_out();
  for (std::size_t name = 0; name < 63; ++name) start(name);
  EXPECT_EQ(teller->in_flight(), 64U);
  while (teller->suspended() != 0) {
    RunEngine();
    ASSERT_GT(teller->Run(), 0U);
  }
  std::set<std::uint64_t> positions;
  for (const std::vector<Completion>& one : got) {
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].receipt.version, Version(1)) << "another coroutine's answer";
    EXPECT_TRUE(positions.insert(one[0].receipt.position.value()).second);
  }
}

// Answers of the two levels overtake each other; resends have a sequence for the second time.
TEST_F(AwaitingTest, EachGetsItsOwnAnswerWhateverTheLevelsAndResends) {
  EngineOptions options = directory_.Options();
  options.session_window = 32;
  Open(options);
  const auto teller = NewTeller("teller");
  constexpr std::uint64_t kCoroutines = 100;
  constexpr std::uint64_t kCalls = 60;
  std::uint64_t wrong = 0;
  const auto work = [&](std::uint64_t name) -> Coroutine {
    std::uint64_t version = 0;
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      const SubmitOptions sent{.ack = (name + i) % 3 == 0 ? Ack::kDurable : Ack::kPublished};
      const Completion c = co_await teller->Call<Account>(Key(name), Deposit{1}, sent);
      wrong += c.verdict.is_accepted() && c.receipt.version.value() == ++version ? 0U : 1U;
      wrong += c.receipt.level == sent.ack ? 0U : 1U;
      if (i % 7 != 0) continue;
      const Completion again = co_await teller->Call<Account>(
          Key(name), Deposit{1}, {.ack = Ack::kPublished, .resend = c.sequence});
      const bool is_first = again.receipt.position == c.receipt.position;
      const bool is_expired = again.verdict.kind() == VerdictKind::kExpired;
      wrong += again.sequence == c.sequence && (is_first || is_expired) ? 0U : 1U;
    }
  };
  std::vector<Coroutine> all;
  for (std::uint64_t name = 1; name <= kCoroutines; ++name) all.push_back(work(name));
  RunAll(*teller);
  for (const Coroutine& one : all) EXPECT_TRUE(one.is_done());
  EXPECT_EQ(wrong, 0U);
  for (const auto& [key, cents] : Balances()) {
    EXPECT_EQ(cents, static_cast<std::int64_t>(kCalls));
  }
  EXPECT_EQ(teller->in_flight(), 0U);
}

TEST_F(AwaitingTest, MistakesAreToldAtOnceWithoutASuspension) {
  Open();
  const auto teller = NewTeller();
  std::vector<Completion> got;
  const auto err = [&]() -> Coroutine {
    got.push_back(co_await teller->Call<Account>(Key(0), Deposit{1}));
    got.push_back(co_await teller->Call<Probe>(Key(1), EmitEmpty{}));
    got.push_back(co_await teller->Call<Account>(Key(1), Deposit{1}, {.resend = Sequence(9)}));
  };
  const Coroutine erring = err();
  EXPECT_TRUE(erring.is_done());
  ASSERT_EQ(got.size(), 3U);
  for (const Completion& c : got) {
    EXPECT_EQ(c.verdict.kind(), VerdictKind::kNotSent);
    EXPECT_TRUE(absl::IsInvalidArgument(ResultOf(c).status())) << ResultOf(c).status();
  }
  EXPECT_EQ(got[0].verdict.code(), static_cast<std::uint16_t>(SendFault::kNotInEngine));
  EXPECT_EQ(got[2].verdict.code(), static_cast<std::uint16_t>(SendFault::kBadSequence));
}

TEST_F(AwaitingTest, WhoAsksForItIsToldInsteadOfWaitingForRoom) {
  Open(Threads::kHost);
  const auto teller = NewTeller();
  std::vector<Completion> got;
  std::vector<Completion> refused;
  std::vector<Coroutine> all;
  for (std::uint32_t i = 0; i < teller->window(); ++i) {
    all.push_back(SendOne(*teller, 1, Deposit{1}, kQuick, got));
  }
  SubmitOptions hasty = kQuick;
  hasty.when_full = WhenFull::kFail;
  all.push_back(SendOne(*teller, 1, Deposit{1}, hasty, refused));
  ASSERT_EQ(refused.size(), 1U);
  all.push_back(SendOne(*teller, 1, Deposit{1}, kQuick, got));  // waits
  all.push_back(SendOne(*teller, 1, Deposit{1}, hasty, refused));
  ASSERT_EQ(refused.size(), 2U);
  for (const Completion& c : refused) {
    EXPECT_EQ(c.verdict,
              Verdict(VerdictKind::kNotSent, static_cast<std::uint16_t>(SendFault::kWindowFull)));
  }
  while (teller->suspended() != 0) {
    RunEngine();
    teller->Run();
  }
  EXPECT_EQ(got.size(), teller->window() + 1);
}

// A mistake that is found only when there is room ends the one who made it, not who comes later.
TEST_F(AwaitingTest, AMistakeBehindAFullWindowIsToldAndHarmsNobody) {
  EngineOptions options = directory_.Options(Threads::kHost);
  options.session_window = 1;
  Open(options);
  const auto teller = NewTeller();
  std::vector<Completion> got;
  const Coroutine first = SendOne(*teller, 1, Deposit{1}, kQuick, got);
  std::vector<Completion> erred;
  const auto err = [&]() -> Coroutine {
    erred.push_back(co_await teller->Call<Account>(Key(0), Deposit{1}, kQuick));
    erred.push_back(co_await teller->Call<Account>(Key(1), Deposit{1}, kQuick));
  };
  const Coroutine erring = err();
  const Coroutine last = SendOne(*teller, 1, Deposit{1}, kQuick, got);
  EXPECT_EQ(teller->waiting(), 2U);
  while (teller->suspended() != 0) {
    RunEngine();
    ASSERT_GT(teller->Run(), 0U);
  }
  ASSERT_EQ(erred.size(), 2U);
  EXPECT_EQ(erred[0].verdict,
            Verdict(VerdictKind::kNotSent, static_cast<std::uint16_t>(SendFault::kNotInEngine)));
  EXPECT_TRUE(erred[1].verdict.is_accepted());
  EXPECT_EQ(got.size(), 2U);
  EXPECT_EQ(Balances()[0].second, 3);
}

// A coroutine that is destroyed while it awaits: nobody is resumed, the credit comes back, others
// get their own answers.
TEST_F(AwaitingTest, ADestroyedCoroutineLeavesNothingBehind) {
  const std::uint64_t seed = SeedOfTest();
  std::mt19937_64 random(seed);
  EngineOptions options = directory_.Options(Threads::kHost);
  options.session_window = 16;
  Open(options);
  const auto teller = NewTeller("teller");
  std::map<std::uint64_t, std::vector<Completion>> got;
  std::map<std::uint64_t, Coroutine> all;
  std::uint64_t last = 0;
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t name = ++last;
    all.emplace(name, SendMany(*teller, name % 1000 + 1, 3,
                               random() % 2 == 0 ? SubmitOptions{} : kQuick, got[name]));
    if (random() % 3 == 0 && !all.empty()) {
      const auto victim =
          std::next(all.begin(), static_cast<std::ptrdiff_t>(random() % all.size()));
      if (!victim->second.is_done()) got.erase(victim->first);
      all.erase(victim);
    }
    if (random() % 4 == 0) engine_->Poll(std::chrono::nanoseconds(0));
    if (random() % 2 == 0) teller->Run(random() % 8);
  }
  ASSERT_TRUE(Await([&] {
    engine_->Poll(kWholeTurns);
    teller->Run();
    return teller->suspended() == 0 && teller->in_flight() == 0;
  }));
  for (const auto& [name, completions] : got) {
    ASSERT_EQ(completions.size(), 3U) << name;
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(completions[i].receipt.version.value(), i + 1) << "coroutine " << name;
    }
  }
  EXPECT_EQ(teller->waiting(), 0U);
}

// … also by another one, while Run() resumes.
TEST_F(AwaitingTest, ACoroutineMayDestroyOthersThatAreAboutToBeResumed) {
  Open(Threads::kHost);
  const auto teller = NewTeller();
  std::vector<Completion> got;
  std::vector<std::optional<Coroutine>> others;
  const auto kill = [&]() -> Coroutine {
    static_cast<void>(co_await teller->Call<Account>(Key(1), Deposit{1}, kQuick));
    others.clear();
  };
  const Coroutine killer = kill();
  for (std::uint32_t i = 0; i < teller->window() + 5; ++i) {
    others.emplace_back(SendOne(*teller, 2, Deposit{1}, kQuick, got));
  }
  RunEngine();
  teller->Run();
  EXPECT_TRUE(killer.is_done());
  EXPECT_TRUE(got.empty());
  EXPECT_EQ(teller->suspended(), 0U);
  EXPECT_EQ(teller->in_flight(), 0U) << "the credits are back";
}

TEST_F(AwaitingTest, TheProducerMayEndBeforeItsCoroutines) {
  Open(Threads::kHost);
  std::vector<Completion> got;
  std::vector<Coroutine> all;
  {
    const auto teller = NewTeller();
    for (std::uint32_t i = 0; i < teller->window() + 5; ++i) {
      all.push_back(SendOne(*teller, 1, Deposit{1}, kQuick, got));
    }
  }
  RunEngine();
  EXPECT_TRUE(got.empty());
  all.clear();
  EXPECT_EQ(Balances()[0].second, 256) << "what was sent is executed";
}

TEST_F(AwaitingTest, RunWithinACoroutineDoesNothing) {
  Open(Threads::kHost);
  const auto teller = NewTeller();
  std::size_t inner = 99;
  std::vector<Completion> got;
  const auto nest = [&]() -> Coroutine {
    static_cast<void>(co_await teller->Call<Account>(Key(1), Deposit{1}, kQuick));
    inner = teller->Run();
  };
  const Coroutine nesting = nest();
  const Coroutine other = SendOne(*teller, 1, Deposit{1}, kQuick, got);
  RunEngine();
  EXPECT_EQ(teller->Run(), 2U);
  EXPECT_EQ(inner, 0U);
  EXPECT_EQ(got.size(), 1U);
}

TEST_F(AwaitingTest, ItMovesToAnotherThreadWithItsCoroutines) {
  Open();
  const auto teller = NewTeller("teller");
  std::vector<Completion> got;
  const Coroutine sending = SendMany(*teller, 1, 30, kQuick, got);
  for (int i = 0; i < 10; ++i) {
    std::thread([&] {
      const std::size_t before = got.size();
      EXPECT_TRUE(Await([&] {
        if (teller->Run() == 0) teller->Wait(milliseconds(10));
        return got.size() >= before + 3 || sending.is_done();
      }));
    }).join();
  }
  RunAll(*teller);
  EXPECT_EQ(got.size(), 30U);
}

// Refused by a disk that is behind, nothing under way: no busy loop, woken when there is room.
TEST_F(AwaitingTest, WhoWaitsForTheDiskIsSentWhenThereIsRoom) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.undurable_bytes_max = std::uint64_t{2} << 20;
  options.session_window = std::uint32_t{1} << 16;
  options.storage = &gate;
  Open(options);
  {
    const GateOpener opener(gate);
    ASSERT_TRUE(Await([&] { return engine_->log().ready_segments() > 0; }));
    Producer filler = NewProducer();
    const auto teller = NewTeller();
    gate.Shut();
    ASSERT_TRUE(Await([&] {
      const Sent sent = filler.Submit<Account>(Key(1), Deposit{1}, kQuick);
      filler.Poll([](const Completion&) noexcept {});
      return sent.fault() == SendFault::kUndurable;
    }));
    std::vector<Completion> got;
    const Coroutine first = SendOne(*teller, 2, Deposit{1}, kQuick, got);
    const Coroutine second = SendOne(*teller, 2, Deposit{1}, kQuick, got);
    EXPECT_EQ(teller->waiting(), 2U);
    EXPECT_EQ(teller->Run(), 0U);
    const auto before = std::chrono::steady_clock::now();
    teller->Wait(milliseconds(5));
    EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(5)) << "nothing to do yet";
    gate.Open();
    RunAll(*teller);
    ASSERT_EQ(got.size(), 2U);
    for (const Completion& c : got) EXPECT_TRUE(c.verdict.is_accepted());
  }
  engine_.reset();  // before its storage
}

TEST_F(AwaitingTest, AStopEndsThemAll) {
  Open(Threads::kHost);
  const auto teller = NewTeller();
  std::vector<Completion> got;
  std::vector<Coroutine> all;
  for (int i = 0; i < 100; ++i) all.push_back(SendMany(*teller, 1, 2, {}, got));
  engine_->Poll(std::chrono::nanoseconds(0));  // a few are decided, not yet durable perhaps
  for (std::uint32_t i = 0; i < teller->window(); ++i) {
    all.push_back(SendOne(*teller, 1, Deposit{1}, {}, got));
  }
  EXPECT_GT(teller->waiting(), 0U);
  EXPECT_TRUE(engine_->Stop().ok());
  RunAll(*teller);
  std::int64_t accepted = 0;
  for (const Coroutine& one : all) EXPECT_TRUE(one.is_done());
  for (const Completion& c : got) {
    const VerdictKind kind = c.verdict.kind();
    EXPECT_TRUE(c.verdict.is_accepted() || kind == VerdictKind::kUnavailable ||
                kind == VerdictKind::kNotSent)
        << ToString(kind);
    if (kind == VerdictKind::kNotSent) {
      EXPECT_TRUE(absl::IsUnavailable(ResultOf(c).status()));
    }
    accepted += c.verdict.is_accepted() ? 1 : 0;
  }
  EXPECT_EQ(got.size(), 100U * 2 + teller->window());
  EXPECT_EQ(Balances()[0].second, accepted);
  EXPECT_GT(accepted, 0);
}

TEST_F(AwaitingTest, AFailedSyncEndsThemUnknown) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.storage = &gate;
  Open(options);
  {
    const GateOpener opener(gate);
    const auto teller = NewTeller();
    gate.Shut();
    std::vector<Completion> got;
    std::vector<Coroutine> all;
    for (std::uint32_t i = 0; i < teller->window() + 10; ++i) {
      all.push_back(SendOne(*teller, 1, Deposit{1}, {}, got));
    }
    ASSERT_TRUE(
        Await([&] { return Balances().size() == 1 && Balances()[0].second == teller->window(); }));
    gate.Break();
    RunAll(*teller);
    ASSERT_EQ(got.size(), teller->window() + 10);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].verdict.kind(),
                i < teller->window() ? VerdictKind::kUnknown : VerdictKind::kNotSent);
    }
  }
  engine_.reset();  // before its storage
}

// Found by reading: the answer to what it had sent before went to the coroutine that called first.
TEST_F(AwaitingTest, AProducerWithCommandsUnderWayIsNotTaken) {
  Open(Threads::kHostAll);
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Withdraw{5}, kQuick));
  EXPECT_DEATH(AwaitingProducer(std::move(producer)), "check failed");
  Collect(producer, 1);
  AwaitingProducer teller(std::move(producer));
  std::vector<Completion> got;
  const Coroutine sent = SendOne(teller, 1, Deposit{5}, kQuick, got);
  RunEngine();
  RunAll(teller);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_TRUE(got[0].verdict.is_accepted());
}

}  // namespace
}  // namespace pawl
