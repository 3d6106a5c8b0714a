// What Engine::Stats() says: every count to the unit, every time to the nanosecond of a clock that
// the test owns.

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"
#include "manual_clock.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

constexpr SubmitOptions kPublished{.ack = Ack::kPublished};
constexpr SubmitOptions kDurable{.ack = Ack::kDurable};

class StatsTest : public BankTest {
 protected:
  EngineOptions Options(Threads threads = Threads::kHostAll) {
    EngineOptions options = directory_.Options(threads);
    options.clock = &clock_;
    options.stall_after = 0ns;
    return options;
  }
  void OpenGated() {
    EngineOptions options = Options(Threads::kHost);
    options.storage = &gate_;
    Open(options);
  }
  void Settle() {
    while (engine_->Poll() != 0) {
    }
  }
  // One turn for one command.
  void TurnOfOne(Producer& producer) {
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kPublished));
    Collect(producer, 1);
  }
  std::uint64_t CountOf(Stage stage) { return engine_->Stats().stage(stage).count; }

  ManualClock clock_;
  GateStorage gate_;
};

TEST_F(StatsTest, EveryOutcomeIsCountedOnce) {
  EngineOptions options = Options();
  options.streams_max = 2;
  Open(options);
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}).ok());
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}).ok());
  ASSERT_TRUE(teller.Execute<Account>(Key(2), Look{}).ok());
  EXPECT_FALSE(teller.Execute<Account>(Key(1), Withdraw{999}).ok());
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, {.resend = Sequence(1)}).ok());
  ASSERT_TRUE(teller.Execute<Account>(Key(2), Deposit{1}).ok());
  EXPECT_FALSE(teller.Execute<Account>(Key(3), Deposit{1}).ok()) << "a third stream";
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kPublished));
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kPublished));
  Producer successor = NewProducer("teller");
  Collect(teller, 2);

  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.commands_sent, 9U);
  EXPECT_EQ(stats.outcome(VerdictKind::kAccepted), 4U);
  EXPECT_EQ(stats.outcome(VerdictKind::kRefused), 1U);
  EXPECT_EQ(stats.outcome(VerdictKind::kLimitExceeded), 1U);
  EXPECT_EQ(stats.outcome(VerdictKind::kFenced), 2U);
  EXPECT_EQ(stats.outcome(VerdictKind::kUnavailable), 0U);
  EXPECT_EQ(stats.outcome(VerdictKind::kUnknown), 0U);
  EXPECT_EQ(stats.duplicates, 1U);
  EXPECT_EQ(stats.sessions, 1U);
  EXPECT_EQ(stats.producers, 2U);
}

// Whatever the condition was on, and whether there is such a stream.
TEST_F(StatsTest, ConflictsAreAnOutcome) {
  Open(Options());
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}).ok());
  const SubmitOptions exact{.ack = Ack::kPublished, .condition = Exact(Version(7))};
  const Sequence first = teller.last_sequence().Next();
  EXPECT_FALSE(teller.Execute<Account>(Key(1), Deposit{1}, exact).ok());
  EXPECT_FALSE(teller.Execute<Account>(Key(2), Deposit{1}, exact).ok());
  const std::vector<StreamCondition> others{ConditionOn<Account>(Key(1), NoStream())};
  const SubmitOptions on_other{.ack = Ack::kPublished, .others = others};
  EXPECT_FALSE(teller.Execute<Account>(Key(2), Deposit{1}, on_other).ok());
  const std::vector<StreamCondition> holding{ConditionOn<Account>(Key(1), Exists())};
  const SubmitOptions holds{.ack = Ack::kPublished, .others = holding};
  EXPECT_TRUE(teller.Execute<Account>(Key(2), Deposit{1}, holds).ok());
  // A conflict is remembered too.
  EXPECT_FALSE(teller.Execute<Account>(Key(1), Deposit{1}, {.resend = first}).ok());
  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.outcome(VerdictKind::kConflict), 3U);
  EXPECT_EQ(stats.outcome(VerdictKind::kAccepted), 2U);
  EXPECT_EQ(stats.duplicates, 1U);
  EXPECT_EQ(stats.commands_sent, 6U);
}

TEST_F(StatsTest, AnswersAfterAFailedSyncAreCountedAsWhatWasAnswered) {
  const GateOpener opener(gate_);
  OpenGated();
  Producer teller = NewProducer();
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}).ok());
  gate_.Shut();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kDurable));
  Settle();
  gate_.Break();
  ASSERT_TRUE(Await([&] { return engine_->log().health() == LogHealth::kFailed; }));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kDurable));
  Collect(teller, 5);
  EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.outcome(VerdictKind::kAccepted), 4U);
  EXPECT_EQ(stats.outcome(VerdictKind::kUnknown), 3U);
  EXPECT_EQ(stats.outcome(VerdictKind::kUnavailable), 2U);
  EXPECT_FALSE(teller.Submit<Account>(Key(1), Deposit{1}));
  stats = engine_->Stats();
  EXPECT_EQ(stats.refusal(SendFault::kUnavailable), 1U);
  EXPECT_EQ(stats.health, EngineHealth::kFailed);
}

TEST_F(StatsTest, RefusedAttemptsToSendAreSummedOverTheLanes) {
  Open(Options());
  Producer one = NewProducer("one");
  Producer other = NewProducer();
  for (Producer* producer : {&one, &other}) {
    while (producer->in_flight() < producer->window()) {
      ASSERT_TRUE(producer->Submit<Account>(Key(1), Deposit{1}, kPublished));
    }
  }
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(one.Submit<Account>(Key(1), Deposit{1}));
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(other.Submit<Account>(Key(1), Deposit{1}));
  EXPECT_EQ(engine_->Stats().refusal(SendFault::kWindowFull), 7U);
  EXPECT_EQ(engine_->Stats().commands_sent, std::uint64_t{one.window()} + other.window());
  Collect(one, one.window());
  EXPECT_FALSE(one.Submit<Account>(Key(1), Deposit{1}, {.resend = Sequence(100'000)}));
  EXPECT_EQ(engine_->Stats().refusal(SendFault::kBadSequence), 1U);
  EXPECT_EQ(engine_->Stats().refusal(SendFault::kUndurable), 0U);
}

// The log has the last word: frames that filled up inside a turn are counted like the last one.
TEST_F(StatsTest, TurnsFramesAndPositionAreThoseOfTheLog) {
  EngineOptions options = Options();
  options.session_window = 1024;
  Open(options);
  const auto frames = [this] {
    LogReader reader = engine_->log().NewReader();
    std::uint64_t count = 0;
    while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
      count += frame->kind == FrameKind::kData ? 1 : 0;
    }
    return count;
  };
  const std::uint64_t before = frames();
  Producer producer = NewProducer("teller");
  std::vector<Addressed<Deposit>> batch(1000);
  std::uint64_t turns = 0;
  for (const std::size_t count : {1000U, 256U, 255U, 1U, 700U}) {
    for (std::size_t i = 0; i < count; ++i) batch[i] = {Key(1 + i % 500), {1}};
    const std::span<const Addressed<Deposit>> some(batch.data(), count);
    ASSERT_EQ(producer.SubmitBatch<Account>(some, kPublished).count, count);
    Collect(producer, count);
    turns += (count + 255) / 256;
  }
  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.turns, turns);
  EXPECT_EQ(stats.frames, frames() - before);
  EXPECT_EQ(stats.position, Position(ReadLog(*engine_).back().position));
  EXPECT_EQ(stats.published, engine_->log().published());
  EXPECT_EQ(stats.durable, engine_->log().durable());
}

TEST_F(StatsTest, StreamsMemorySessionsAndProducersAreThoseOfNow) {
  Open(Options());
  EngineStats stats = engine_->Stats();
  ASSERT_EQ(stats.categories.size(), 1U);
  EXPECT_EQ(stats.categories[0].name, "account");
  EXPECT_EQ(stats.categories[0].streams, 0U);
  {
    Producer teller = NewProducer("teller");
    Producer nobody = NewProducer();
    for (std::uint64_t key = 1; key <= 5; ++key) {
      ASSERT_TRUE(teller.Execute<Account>(Key(key), Deposit{1}).ok());
    }
    EXPECT_EQ(engine_->Stats().producers, 2U);
  }
  Settle();
  stats = engine_->Stats();
  EXPECT_EQ(stats.producers, 0U);
  EXPECT_EQ(stats.sessions, 1U);
  EXPECT_EQ(stats.categories[0].streams, 5U);
  EXPECT_GT(stats.categories[0].memory_bytes, 1024U * 64);
  EXPECT_LT(stats.categories[0].memory_bytes, engine_->memory_bytes());

  // An engine that is opened again begins with what the log holds.
  engine_.reset();
  Open(Options());
  stats = engine_->Stats();
  EXPECT_EQ(stats.categories[0].streams, 5U);
  EXPECT_EQ(stats.sessions, 1U);
  EXPECT_EQ(stats.position, Position(ReadLog(*engine_).back().position));
  EXPECT_EQ(stats.outcome(VerdictKind::kAccepted), 0U);
}

TEST_F(StatsTest, QueueWaitIsFromSubmitToTheTurn) {
  Open(Options());
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kPublished));
  clock_.Advance(5ms);
  Collect(producer, 1);
  const StageTimes wait = engine_->Stats().stage(Stage::kQueueWait);
  EXPECT_EQ(wait.count, 1U);
  EXPECT_EQ(wait.least_ns, 5'000'000U);
  EXPECT_EQ(wait.most_ns, 5'000'000U);
  EXPECT_EQ(wait.p50_ns, 5'000'000U) << "never above the most";
  EXPECT_EQ(wait.mean_ns, 5'000'000.0);
}

TEST_F(StatsTest, OneTicketOfALaneInAMillisecondIsTimed) {
  Open(Options());
  Producer producer = NewProducer();
  for (int i = 0; i < 100; ++i) TurnOfOne(producer);
  // The first one is asked for at once. Then time stands still.
  EXPECT_EQ(CountOf(Stage::kQueueWait), 2U);
  clock_.Advance(1ms - 1ns);
  for (int i = 0; i < 100; ++i) TurnOfOne(producer);
  EXPECT_EQ(CountOf(Stage::kQueueWait), 2U) << "a nanosecond too early";
  clock_.Advance(1ns);
  for (int i = 0; i < 100; ++i) TurnOfOne(producer);
  EXPECT_EQ(CountOf(Stage::kQueueWait), 3U);
}

TEST_F(StatsTest, ATicketThatWasRefusedIsNotTheOneThatIsTimed) {
  EngineOptions options = Options();
  options.session_window = 2;
  Open(options);
  Producer producer = NewProducer();
  TurnOfOne(producer);
  // The next one is asked for. One that the window refuses is not sent, and not timed.
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kPublished));
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kPublished));
  ASSERT_FALSE(producer.Submit<Account>(Key(1), Deposit{1}, kPublished));
  clock_.Advance(3ms);
  Collect(producer, 2);
  const StageTimes wait = engine_->Stats().stage(Stage::kQueueWait);
  EXPECT_EQ(wait.count, 2U);
  EXPECT_EQ(wait.most_ns, 3'000'000U);
}

TEST_F(StatsTest, DecideAndPublishAreOneLookAtTheClockEach) {
  Open(Options());
  Producer producer = NewProducer();
  clock_.SetStep(1us);
  TurnOfOne(producer);
  clock_.SetStep(0ns);
  const EngineStats stats = engine_->Stats();
  for (const Stage stage : {Stage::kDecide, Stage::kPublish}) {
    EXPECT_EQ(stats.stage(stage).count, 1U) << ToString(stage);
    EXPECT_EQ(stats.stage(stage).least_ns, 1000U) << ToString(stage);
    EXPECT_EQ(stats.stage(stage).most_ns, 1000U) << ToString(stage);
  }
}

// Begin, end and what the stages need: the loop's pace and its statistics look together.
TEST_F(StatsTest, ATurnThatIsTimedIsOneLookMore) {
  EngineOptions options = Options();
  Open(options);
  Producer producer = NewProducer();
  for (int i = 0; i < 2; ++i) TurnOfOne(producer);  // their ways through the queue are timed
  clock_.SetStep(1ns);
  clock_.Advance(1ns);  // a loop whose clock stood still seems to have done nothing
  int timed = 0;
  for (int i = 0; i < 64; ++i) {
    const std::uint64_t looks = clock_.looks();
    const std::uint64_t decides = CountOf(Stage::kDecide);
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kPublished).ok());
    const std::uint64_t more = CountOf(Stage::kDecide) - decides;
    EXPECT_EQ(clock_.looks() - looks, 2 + more) << i;
    timed += more != 0 ? 1 : 0;
  }
  EXPECT_EQ(timed, 2);
}

TEST_F(StatsTest, SmallTurnsAreTimedOnceForSoManyCommandsOrInAMillisecond) {
  Open(Options());
  Producer producer = NewProducer();
  TurnOfOne(producer);
  EXPECT_EQ(CountOf(Stage::kDecide), 1U) << "the first one is";
  for (int i = 0; i < 31; ++i) TurnOfOne(producer);
  EXPECT_EQ(CountOf(Stage::kDecide), 1U);
  TurnOfOne(producer);
  EXPECT_EQ(CountOf(Stage::kDecide), 2U);
  clock_.Advance(1ms - 1ns);
  TurnOfOne(producer);
  EXPECT_EQ(CountOf(Stage::kDecide), 2U);
  clock_.Advance(1ns);
  TurnOfOne(producer);
  EXPECT_EQ(CountOf(Stage::kDecide), 3U);
  const std::vector<Addressed<Deposit>> many(32, {Key(1), {1}});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(
        producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(many), kPublished).count,
        32U);
    Collect(producer, 32);
  }
  EXPECT_EQ(CountOf(Stage::kDecide), 6U) << "turns of 32 are";
  EXPECT_EQ(engine_->Stats().turns, 1U + 31 + 1 + 1 + 1 + 3);
}

// A turn that publishes nothing has decided all the same.
TEST_F(StatsTest, ATurnOfRefusalsIsNoPublishing) {
  Open(Options());
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Withdraw{1}, kDurable));
  Collect(producer, 1);
  EXPECT_EQ(CountOf(Stage::kDecide), 1U);
  EXPECT_EQ(CountOf(Stage::kPublish), 0U);
  EXPECT_EQ(CountOf(Stage::kDurable), 0U);
  EXPECT_EQ(engine_->Stats().frames, 0U);
}

TEST_F(StatsTest, DurableIsFromThePublishedMarkToTheAnswer) {
  const GateOpener opener(gate_);
  OpenGated();
  Producer producer = NewProducer();
  gate_.Shut();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kDurable));
  Settle();
  EXPECT_GT(engine_->Stats().undurable_bytes(), 0U);
  EXPECT_EQ(CountOf(Stage::kDurable), 0U);
  clock_.Advance(7ms);
  gate_.Open();
  Collect(producer, 1);
  const StageTimes durable = engine_->Stats().stage(Stage::kDurable);
  EXPECT_EQ(durable.count, 1U);
  EXPECT_EQ(durable.least_ns, 7'000'000U);
  EXPECT_EQ(durable.most_ns, 7'000'000U);
  EXPECT_EQ(engine_->Stats().undurable_bytes(), 0U);
}

// A turn whose last commit filled the frame has published all of it when it is decided.
TEST_F(StatsTest, DurableIsMeasuredOfFullFramesToo) {
  const GateOpener opener(gate_);
  OpenGated();
  Producer producer = NewProducer();
  gate_.Shut();
  const std::vector<Addressed<Deposit>> many(256, {Key(1), {1}});
  ASSERT_EQ(
      producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(many), kDurable).count,
      256U);
  Settle();
  EXPECT_EQ(engine_->Stats().frames, 1U);
  EXPECT_EQ(CountOf(Stage::kPublish), 0U) << "it is a part of deciding";
  clock_.Advance(4ms);
  gate_.Open();
  Collect(producer, 256);
  EXPECT_EQ(engine_->Stats().stage(Stage::kDurable).count, 1U);
  EXPECT_EQ(engine_->Stats().stage(Stage::kDurable).least_ns, 4'000'000U);
}

TEST_F(StatsTest, SwitchedOffNothingIsCountedOrShown) {
  EngineOptions options = Options();
  options.stats = false;
  Open(options);
  Producer producer = NewProducer("teller");
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.outcome(VerdictKind::kAccepted), 0U);
  EXPECT_EQ(stats.turns, 0U);
  EXPECT_EQ(stats.frames, 0U);
  EXPECT_EQ(stats.producers, 0U);
  for (const StageTimes& stage : stats.stages) EXPECT_EQ(stage.count, 0U);
  EXPECT_EQ(stats.health, EngineHealth::kOpen);
  EXPECT_EQ(stats.published, engine_->log().published());
  EXPECT_GT(stats.agents.at(0).rounds, 0U);
  EXPECT_EQ(ReadStats(directory_.hot()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StatsTest, AgentsHaveNamesRoundsAndSleeps) {
  EngineOptions options = Options(Threads::kOwn);
  Open(options);
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  ASSERT_TRUE(Await([&] { return engine_->Stats().agents.at(0).sleeps > 0; }));
  const EngineStats stats = engine_->Stats();
  ASSERT_EQ(stats.agents.size(), 3U);
  EXPECT_EQ(stats.agents[0].name, "pawl-loop");
  EXPECT_EQ(stats.agents[1].name, "pawl-sync");
  EXPECT_EQ(stats.agents[2].name, "pawl-prepare");
  for (const AgentStats& agent : stats.agents) {
    EXPECT_GT(agent.rounds, 0U) << agent.name;
    EXPECT_FALSE(agent.is_stalled) << agent.name;
  }
}

}  // namespace
}  // namespace pawl
