// P8: what a producer does without room, as it chose: it says so, spins, or parks until a deadline.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "worker.h"

namespace pawl {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr minutes kForever{10};

// A disk behind a gate, few bytes ahead of it, and windows that no test fills by accident.
class WhenFullTest : public BankTest {
 protected:
  void OpenGated(Threads threads = Threads::kOwn) {
    EngineOptions options = directory_.Options(threads);
    options.undurable_bytes_max = std::uint64_t{2} << 20;
    options.session_window = std::uint32_t{1} << 16;
    options.producers_max = 4;
    options.storage = &gate_;
    Open(options);
    ASSERT_TRUE(Await([&] {
      if (threads != Threads::kOwn) engine_->Poll(kWholeTurns);
      return engine_->log().ready_segments() > 0;
    }));
  }
  Producer Make(WhenFull when_full, std::chrono::nanoseconds timeout = kForever) {
    auto made = engine_->NewProducer({.when_full = when_full, .full_timeout = timeout});
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  // Sends until that is the answer, to a producer that does not wait for it.
  void FillUntil(Producer& producer, SendFault wanted) {
    SubmitOptions options = kQuick;
    options.when_full = WhenFull::kFail;
    ASSERT_TRUE(Await([&] {
      const Sent sent = producer.Submit<Account>(Key(1), Deposit{1}, options);
      if (sent) ++sent_;
      producer.Poll([](const Completion&) noexcept {});
      if (engine_->threads() != Threads::kOwn) engine_->Poll(std::chrono::nanoseconds(0));
      return sent.fault() == wanted;
    })) << "never "
        << Sent(wanted).reason();
  }
  void ExpectAllExecuted() {
    EXPECT_TRUE(Await([&] {
      if (engine_->threads() != Threads::kOwn) engine_->Poll(kWholeTurns);
      return Balances()[0].second == sent_;
    })) << Balances()[0].second
        << " of " << sent_;
  }

  GateStorage gate_;
  std::int64_t sent_ = 0;
};

class WhenFullWaysTest : public WhenFullTest, public ::testing::WithParamInterface<WhenFull> {};

TEST_P(WhenFullWaysTest, ACommandGoesOnWhenTheDiskDoes) {
  OpenGated();
  {
    const GateOpener opener(gate_);
    Producer producer = Make(GetParam());
    gate_.Shut();
    FillUntil(producer, SendFault::kUndurable);
    SendFault fault = SendFault::kBadSequence;
    const Worker sender([&] { fault = producer.Submit<Account>(Key(1), Deposit{1}).fault(); });
    if (GetParam() == WhenFull::kPark) {
      EXPECT_TRUE(sender.Sleeps());
    }
    EXPECT_FALSE(sender.is_done());
    gate_.Open();
    ASSERT_TRUE(Await([&] { return sender.is_done(); })) << "nobody woke it";
    EXPECT_EQ(fault, SendFault::kNone);
    ++sent_;
  }
  ExpectAllExecuted();
}

TEST_P(WhenFullWaysTest, AtTheDeadlineItIsTheFaultThatFailGives) {
  OpenGated();
  const GateOpener opener(gate_);
  Producer producer = Make(GetParam(), milliseconds(20));
  gate_.Shut();
  FillUntil(producer, SendFault::kUndurable);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, kQuick).fault(), SendFault::kUndurable);
  EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(20));
  const std::vector<Addressed<Deposit>> two(2, {Key(1), {1}});
  const SentBatch batch =
      producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(two), kQuick);
  EXPECT_EQ(batch.fault, SendFault::kUndurable);
  EXPECT_EQ(batch.count, 0U);
  EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(40));
}

TEST_P(WhenFullWaysTest, ALowDiskIsWaitedForToo) {
  OpenGated();
  {
    const GateOpener opener(gate_);
    Producer producer = Make(GetParam());
    gate_.OpenFull();
    FillUntil(producer, SendFault::kDiskLow);
    SendFault fault = SendFault::kBadSequence;
    const Worker sender([&] { fault = producer.Submit<Account>(Key(1), Deposit{1}).fault(); });
    if (GetParam() == WhenFull::kPark) {
      EXPECT_TRUE(sender.Sleeps());
    }
    gate_.Open();
    ASSERT_TRUE(Await([&] { return sender.is_done(); }));
    EXPECT_EQ(fault, SendFault::kNone);
    ++sent_;
  }
  ExpectAllExecuted();
}

// In a full window only the caller's own Poll() makes room: to wait for that would be for ever.
TEST_P(WhenFullWaysTest, AFullWindowIsToldAsSoonAsThereIsSomethingToPoll) {
  EngineOptions options = directory_.Options();
  options.storage = &gate_;
  Open(options);
  {
    const GateOpener opener(gate_);
    Producer producer = Make(GetParam());
    gate_.Shut();
    while (producer.Submit<Account>(Key(1), Deposit{1}, {.when_full = WhenFull::kFail})) ++sent_;
    ASSERT_EQ(producer.in_flight(), producer.window());
    SendFault fault = SendFault::kNone;
    {
      const Worker sender([&] { fault = producer.Submit<Account>(Key(1), Deposit{1}).fault(); });
      if (GetParam() == WhenFull::kPark) {
        EXPECT_TRUE(sender.Sleeps());
      }
      EXPECT_FALSE(sender.is_done()) << "nothing is answered yet";
      gate_.Open();
    }
    EXPECT_EQ(fault, SendFault::kWindowFull);
    EXPECT_GT(producer.Poll([](const Completion&) noexcept {}, 1), 0U);
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}));
    ++sent_;
    // Full again, with answers in the ring: at once.
    ASSERT_TRUE(Await([&] {
      return producer.Submit<Account>(Key(1), Deposit{1}).fault() == SendFault::kWindowFull;
    }));
    Collect(producer, producer.window());
  }
  ExpectAllExecuted();
}

// The credits of the range being read come back when the callback returns.
TEST_P(WhenFullWaysTest, WithinPollRangesAFullWindowIsToldAtOnce) {
  Open(Threads::kHost);
  Producer producer = Make(GetParam());
  while (producer.in_flight() != producer.window()) {
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
  }
  while (engine_->Poll(kWholeTurns) != 0) {
  }
  const auto send = [&](const CompletionRange& range) noexcept {
    EXPECT_EQ(range.count(), producer.window());
    EXPECT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, kQuick).fault(), SendFault::kWindowFull);
  };
  EXPECT_EQ(producer.PollRanges(send), producer.window());
}

TEST_P(WhenFullWaysTest, ABatchWaitsInTheMiddleAndAsksForEachCommandOnce) {
  OpenGated();
  constexpr std::uint32_t kCommands = 60'000;  // more than undurable_bytes_max holds
  {
    const GateOpener opener(gate_);
    Producer producer = Make(GetParam());
    gate_.Shut();
    FillUntil(producer, SendFault::kUndurable);
    std::uint32_t asked = 0;
    const auto fill = [&asked](std::uint32_t i, Key& key, Deposit& deposit) noexcept {
      EXPECT_EQ(i, asked++);
      key = Key(1);
      deposit.cents = 1;
    };
    SentBatch batch;
    const Worker sender(
        [&] { batch = producer.SubmitBatch<Account, Deposit>(kCommands, fill, kQuick); });
    if (GetParam() == WhenFull::kPark) {
      EXPECT_TRUE(sender.Sleeps());
    }
    gate_.Open();
    ASSERT_TRUE(Await([&] { return sender.is_done(); }));
    // It may have met the end of its window, whose answers nobody polled; nothing else ends it.
    EXPECT_TRUE(batch.fault == SendFault::kNone || batch.fault == SendFault::kWindowFull);
    EXPECT_EQ(asked, batch.count);
    EXPECT_GT(batch.count, 0U);
    sent_ += batch.count;
    Collect(producer, producer.in_flight());
  }
  ExpectAllExecuted();
}

TEST_P(WhenFullWaysTest, ACallMayChooseOtherwise) {
  OpenGated();
  const GateOpener opener(gate_);
  Producer patient = Make(GetParam());
  Producer hasty = Make(WhenFull::kFail, milliseconds(20));
  gate_.Shut();
  FillUntil(hasty, SendFault::kUndurable);
  SubmitOptions options = kQuick;
  options.when_full = WhenFull::kFail;
  EXPECT_EQ(patient.Submit<Account>(Key(1), Deposit{1}, options).fault(), SendFault::kUndurable);
  options.when_full = GetParam();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(hasty.Submit<Account>(Key(1), Deposit{1}, options).fault(), SendFault::kUndurable);
  EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(20));
}

TEST_P(WhenFullWaysTest, AFailedEngineEndsTheWait) {
  OpenGated();
  {
    const GateOpener opener(gate_);
    Producer producer = Make(GetParam());
    gate_.Shut();
    FillUntil(producer, SendFault::kUndurable);
    SendFault fault = SendFault::kNone;
    {
      const Worker sender([&] { fault = producer.Submit<Account>(Key(1), Deposit{1}).fault(); });
      if (GetParam() == WhenFull::kPark) {
        EXPECT_TRUE(sender.Sleeps());
      }
      gate_.Break();
    }
    EXPECT_EQ(fault, SendFault::kUnavailable);
  }
}

// The host's own thread waits, so it runs the engine meanwhile.
TEST_P(WhenFullWaysTest, HostDrivenItRunsTheEngine) {
  OpenGated(Threads::kHost);
  {
    const GateOpener opener(gate_);
    Producer producer = Make(GetParam());
    gate_.Shut();
    FillUntil(producer, SendFault::kUndurable);
    gate_.Open();
    EXPECT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    ++sent_;
    while (producer.Submit<Account>(Key(1), Deposit{1}, kQuick)) {
      ++sent_;
      producer.Poll([](const Completion&) noexcept {});
      if (sent_ > 100'000) break;
    }
  }
  ExpectAllExecuted();
}

INSTANTIATE_TEST_SUITE_P(Ways, WhenFullWaysTest,
                         ::testing::Values(WhenFull::kSpin, WhenFull::kPark),
                         [](const auto& param) {
                           return param.param == WhenFull::kSpin ? "Spin" : "Park";
                         });

// One turn makes room for all: all are rung.
TEST_F(WhenFullTest, EverybodyWhoParksIsWoken) {
  OpenGated();
  {
    const GateOpener opener(gate_);
    std::vector<Producer> producers;
    for (int i = 0; i < 4; ++i) producers.push_back(Make(WhenFull::kPark));
    gate_.Shut();
    FillUntil(producers[0], SendFault::kUndurable);
    std::vector<std::unique_ptr<Worker>> senders;
    std::atomic<int> went{0};
    for (Producer& producer : producers) {
      senders.push_back(std::make_unique<Worker>([&producer, &went] {
        if (producer.Submit<Account>(Key(1), Deposit{1}, kQuick)) {
          went.fetch_add(1, std::memory_order_relaxed);
        }
      }));
    }
    for (const auto& sender : senders) EXPECT_TRUE(sender->Sleeps());
    gate_.Open();
    senders.clear();  // joined
    EXPECT_EQ(went.load(std::memory_order_relaxed), 4);
    sent_ += 4;
  }
  ExpectAllExecuted();
}

// They compete for the same room: each goes on until the other one has had its share.
TEST_F(WhenFullTest, WhoSpinsAndWhoParksBothGetThrough) {
  constexpr std::int64_t kShare = 30'000;  // both: more than undurable_bytes_max holds
  OpenGated();
  {
    const GateOpener opener(gate_);
    Producer filler = Make(WhenFull::kFail);
    Producer spins = Make(WhenFull::kSpin);
    Producer parks = Make(WhenFull::kPark);
    gate_.Shut();
    FillUntil(filler, SendFault::kUndurable);
    // All relaxed: counts and a flag, that guard nothing.
    std::atomic<bool> is_over{false};
    std::array<std::atomic<std::int64_t>, 2> went{};
    std::array<SendFault, 2> faults{};
    const auto is_through = [&went] {
      return went[0].load(std::memory_order_relaxed) >= kShare &&
             went[1].load(std::memory_order_relaxed) >= kShare;
    };
    const auto send = [&](Producer& producer, std::size_t index) {
      while (!is_over.load(std::memory_order_relaxed) && !is_through()) {
        const SendFault fault = producer.Submit<Account>(Key(1), Deposit{1}, kQuick).fault();
        producer.Poll([](const Completion&) noexcept {});
        if (fault == SendFault::kWindowFull) continue;  // it waited for something to poll
        faults[index] = fault;
        if (fault != SendFault::kNone) return;
        went[index].fetch_add(1, std::memory_order_relaxed);
      }
    };
    {
      const Worker spinner([&] { send(spins, 0); });
      const Worker parker([&] { send(parks, 1); });
      EXPECT_TRUE(parker.Sleeps());
      // The disk goes on in short steps: there is room now and then.
      const auto step = [&] {
        const Address durable = engine_->log().durable();
        gate_.Open();
        const bool moved =
            Await([&] { return is_through() || engine_->log().durable() > durable; });
        if (!is_through()) gate_.Shut();
        return moved;
      };
      EXPECT_TRUE(Await([&] { return !step() || is_through(); }));
      EXPECT_TRUE(is_through()) << went[0] << " by spinning, " << went[1] << " by parking";
      is_over.store(true, std::memory_order_relaxed);
      gate_.Open();
    }
    EXPECT_EQ(faults, (std::array<SendFault, 2>{}));
    sent_ += went[0] + went[1];
  }
  ExpectAllExecuted();
}

// Execute waits on the same bell, whatever the producer's own choice.
TEST_F(WhenFullTest, AnExecuteWithoutRoomIsWokenByRoom) {
  OpenGated();
  {
    const GateOpener opener(gate_);
    Producer producer = Make(WhenFull::kFail);
    gate_.Shut();
    FillUntil(producer, SendFault::kUndurable);
    absl::Status outcome = absl::UnknownError("not done");
    {
      const Worker caller([&] {
        outcome = producer.Execute<Account>(Key(1), Deposit{1}, kQuick, kForever).status();
      });
      EXPECT_TRUE(caller.Sleeps());
      gate_.Open();
    }
    EXPECT_TRUE(outcome.ok()) << outcome;
    ++sent_;
  }
  ExpectAllExecuted();
}

// Who was refused may sleep in Wait() until that is over, without a completion to come.
TEST_F(WhenFullTest, WaitEndsWhenWhatRefusedTheLastCommandIsOver) {
  OpenGated();
  {
    const GateOpener opener(gate_);
    Producer filler = Make(WhenFull::kFail);
    Producer refused = Make(WhenFull::kFail);
    gate_.Shut();
    FillUntil(filler, SendFault::kUndurable);
    ASSERT_EQ(refused.Submit<Account>(Key(1), Deposit{1}, kQuick).fault(), SendFault::kUndurable);
    {
      const Worker sleeper([&] { refused.Wait(kForever); });
      EXPECT_TRUE(sleeper.Sleeps());
      gate_.Open();
    }
    EXPECT_TRUE(refused.Submit<Account>(Key(1), Deposit{1}, kQuick));
    ++sent_;
  }
  ExpectAllExecuted();
}

}  // namespace
}  // namespace pawl
