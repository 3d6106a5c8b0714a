// Stop answers everything and hangs never; handles outlive it; lanes are used again.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

using StopTest = BankTest;

TEST_F(StopTest, HandlesAnswerUnavailableAfterwardsAndStopTwiceIsOk) {
  Open();
  Producer producer = NewProducer("teller");
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  EXPECT_TRUE(engine_->Stop().ok());
  EXPECT_TRUE(engine_->Stop().ok());
  const Sent sent = producer.Submit<Account>(Key(1), Deposit{1});
  EXPECT_EQ(sent.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(sent.reason().empty());
  const std::vector<Addressed<Deposit>> two(2, {Key(1), {1}});
  EXPECT_EQ(producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(two)).fault,
            SendFault::kUnavailable);
  EXPECT_EQ(producer.Execute<Account>(Key(1), Deposit{1}).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(producer.Poll([](const Completion&) noexcept {}), 0U);
  EXPECT_EQ(engine_->NewProducer().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Balances()[0].second, 1) << "state can be read after the stop";
  EXPECT_EQ(EventsOf(ReadLog(*engine_)).size(), 1U) << "so can the log";
}

TEST_F(StopTest, WhatWasPublishedIsDurableAndAnsweredWhatWasQueuedIsUnavailable) {
  EngineOptions options = directory_.Options(Threads::kHost);
  options.session_window = 2048;
  Open(options);
  Producer producer = NewProducer("teller");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}));
  engine_->Poll(std::chrono::nanoseconds(0));  // one round: decided
  // More than the loop takes in a few turns.
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}));
  EXPECT_TRUE(engine_->Stop().ok());
  std::vector<Completion> got;
  producer.Poll([&got](const Completion& c) noexcept { got.push_back(c); });
  ASSERT_EQ(got.size(), 2010U);
  std::int64_t accepted = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].sequence, Sequence(i + 1)) << "in order at their level";
    if (got[i].verdict.is_accepted()) {
      EXPECT_EQ(got[i].receipt.level, Ack::kDurable);
      ++accepted;
    } else {
      EXPECT_EQ(got[i].verdict.kind(), VerdictKind::kUnavailable);
    }
  }
  EXPECT_EQ(accepted, 10);
  EXPECT_EQ(engine_->log().durable(), engine_->log().published());
  EXPECT_EQ(Balances()[0].second, accepted);
}

// Sends until the engine says that it stopped, then waits for every answer. Returns how many
// commands were accepted.
std::int64_t SendUntilStopped(Producer& producer, Ack ack) {
  std::int64_t accepted = 0;
  const auto take = [&accepted](const Completion& c) noexcept {
    EXPECT_TRUE(c.verdict.is_accepted() || c.verdict.kind() == VerdictKind::kUnavailable);
    accepted += c.verdict.is_accepted() ? 1 : 0;
  };
  for (bool is_open = true; is_open;) {
    const Sent sent = producer.Submit<Account>(Key(1), Deposit{1}, {.ack = ack});
    is_open = sent || sent.fault() != SendFault::kUnavailable;
    producer.Poll(take);
  }
  EXPECT_TRUE(Await([&] {
    producer.Poll(take);
    return producer.in_flight() == 0;
  })) << producer.in_flight()
      << " commands were never answered";
  return accepted;
}

TEST_F(StopTest, EveryCommandSentWhileStoppingIsAnsweredOnce) {
  std::int64_t accepted_before = 0;
  for (int round = 0; round < 20; ++round) {
    ASSERT_NO_FATAL_FAILURE(Open());
    const Address begin = engine_->log().published();
    std::array<std::int64_t, 3> accepted{};
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < accepted.size(); ++p) {
      threads.emplace_back([&, p, producer = NewProducer("p" + std::to_string(p))]() mutable {
        accepted[p] = SendUntilStopped(producer, p == 0 ? Ack::kDurable : Ack::kPublished);
      });
    }
    EXPECT_TRUE(Await([&] { return engine_->log().published() - begin > 10'000; }));
    EXPECT_TRUE(engine_->Stop().ok());
    for (std::thread& thread : threads) thread.join();
    for (const std::int64_t count : accepted) accepted_before += count;
    ASSERT_EQ(Balances()[0].second, accepted_before) << "round " << round;
    engine_.reset();
  }
}

TEST_F(StopTest, AnExecuteUnderWayEndsWithTheStop) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.storage = &gate;
  Open(options);
  {
    const GateOpener opener(gate);
    gate.Shut();
    absl::Status outcome;
    std::thread caller([&outcome, producer = NewProducer()]() mutable {
      outcome = producer.Execute<Account>(Key(1), Deposit{1}).status();
    });
    EXPECT_TRUE(Await([&] { return gate.waiting() > 0; }));
    std::thread stopper([this] { EXPECT_TRUE(engine_->Stop().ok()); });
    gate.Open();
    stopper.join();
    caller.join();
    EXPECT_TRUE(outcome.ok() || absl::IsUnavailable(outcome)) << outcome;
  }
  engine_.reset();  // before its storage
}

TEST_F(StopTest, AStopWhoseSyncFailsAnswersUnknown) {
  GateStorage gate;
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.storage = &gate;
  Open(options);
  {
    Producer producer = NewProducer();
    const GateOpener opener(gate);
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    gate.Break();
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}));
    engine_->Poll(std::chrono::nanoseconds(0));
    EXPECT_FALSE(engine_->Stop().ok());
    std::vector<Completion> got;
    producer.Poll([&got](const Completion& c) noexcept { got.push_back(c); });
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got[0].verdict.kind(), VerdictKind::kUnknown);
  }
  engine_.reset();  // before its storage
}

// Has always work, wherever it runs.
class EndlessAgent final : public Agent {
 public:
  explicit EndlessAgent(std::thread::id stopper) : stopper_(stopper) {}
  int DoWork() noexcept override {
    if (std::this_thread::get_id() != stopper_) return 1;
    // Not for ever either: a stop that waits for more fails the test and does not hang it.
    return ++rounds_of_stop <= 2 * kStopRoundsMax ? 1 : 0;
  }
  bool HasWork() noexcept override { return true; }
  Doorbell& bell() noexcept override { return bell_; }
  std::string_view name() const noexcept override { return "endless"; }
  void EngineStopped() noexcept override { rounds_when_told.push_back(rounds_of_stop); }

  // Who stops the engine only.
  int rounds_of_stop = 0;
  std::vector<int> rounds_when_told;

 private:
  const std::thread::id stopper_;
  Doorbell bell_;
};

TEST_F(StopTest, AnAgentThatAlwaysHasWorkDoesNotHoldItUp) {
  for (const Threads threads : {Threads::kOwn, Threads::kHost, Threads::kHostAll}) {
    SCOPED_TRACE(static_cast<int>(threads));
    ASSERT_NO_FATAL_FAILURE(Open(threads));
    const auto endless = std::make_shared<EndlessAgent>(std::this_thread::get_id());
    ASSERT_TRUE(engine_->Attach(endless).ok());
    EXPECT_TRUE(engine_->Stop().ok());
    engine_->Poll();  // as a host may that does not know of it yet
    EXPECT_EQ(endless->rounds_when_told, std::vector{65'536});
    EXPECT_EQ(endless->rounds_of_stop, 65'536) << "it was told that it is over";
    engine_.reset();
  }
}

// --- handles ---

TEST_F(StopTest, AHandleDestroyedWithCommandsUnderWayLeavesThemExecuted) {
  Open(Threads::kHost);
  {
    Producer producer = NewProducer("teller");
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}));
  }
  ASSERT_TRUE(Await([&] {
    engine_->Poll(kWholeTurns);
    return EventsOf(ReadLog(*engine_)).size() == 100;
  }));
  Producer again = NewProducer("teller");
  EXPECT_EQ(again.last_sequence(), Sequence(100));
}

TEST_F(StopTest, AHandleMovesToAnotherThread) {
  Open();
  Producer producer = NewProducer("teller");
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    std::thread([moved = std::move(producer), &producer]() mutable {
      EXPECT_TRUE(moved.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
      producer = std::move(moved);
    }).join();
  }
  EXPECT_EQ(Collect(producer, 8).size(), 8U);
  EXPECT_EQ(producer.last_sequence(), Sequence(16));
  EXPECT_EQ(Balances()[0].second, 16);
}

TEST_F(StopTest, ALaneIsUsedAgainWithoutWhatItsLastOwnerLeft) {
  EngineOptions options = directory_.Options();
  options.producers_max = 2;
  options.session_window = 16;
  Open(options);
  std::int64_t cents = 0;
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    // The one before may still be closing: its last answers wait for the disk.
    absl::StatusOr<Producer> made = absl::UnknownError("not tried");
    ASSERT_TRUE(Await([&] {
      made = engine_->NewProducer();
      return made.ok();
    })) << made.status();
    Producer& producer = *made;
    ASSERT_EQ(producer.in_flight(), 0U);
    ASSERT_EQ(producer.Poll([](const Completion&) noexcept {}), 0U) << "another owner's answers";
    const std::int64_t before = cents;
    // The second answer is taken out of turn, behind one that stays.
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, {.ack = Ack::kPublished}));
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, {.ack = Ack::kPublished}).ok());
    cents += 2;
    for (std::uint32_t i = 2; i < producer.window(); ++i) {
      ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1},
                                           {.ack = i % 2 == 0 ? Ack::kDurable : Ack::kPublished}));
      ++cents;
    }
    if (round % 3 == 0) {
      for (const Completion& c : Collect(producer, producer.window() - 1)) {
        EXPECT_LE(c.sequence.value(), producer.window());
        EXPECT_EQ(c.receipt.version.value(),
                  static_cast<std::uint64_t>(before) + c.sequence.value());
      }
    } else if (round % 3 == 1) {
      Collect(producer, 3);
    }
  }
  ASSERT_TRUE(Await([&] { return Balances()[0].second == cents; }));
}

}  // namespace
}  // namespace pawl
