// The host's thread runs the engine: the same results as with threads of its own.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

class HostDrivenTest : public ::testing::TestWithParam<Threads> {};

struct Session {
  std::vector<SeenRecord> records;
  std::vector<Completion> completions;
};

// The same commands of one session, whoever runs the engine.
Session RunCommands(Threads threads) {
  const TestDirectory directory;
  auto opened = Engine::Open(directory.Options(threads), Aggregates<Account>{});
  EXPECT_TRUE(opened.ok()) << opened.status();
  Engine& engine = **opened;
  auto made = engine.NewProducer({.session = "teller"});
  EXPECT_TRUE(made.ok()) << made.status();
  Session outcome;
  const auto take = [&outcome](const Completion& c) noexcept { outcome.completions.push_back(c); };
  std::mt19937_64 random(7);
  std::size_t sent = 0;
  constexpr std::size_t kCommands = 5000;
  const auto submit = [&] {
    const Key key(1 + random() % 20);
    const auto cents = static_cast<std::int64_t>(random() % 100);
    const SubmitOptions options{.ack = sent % 10 == 0 ? Ack::kDurable : Ack::kPublished};
    switch (random() % 3) {
      case 0: return made->Submit<Account>(key, Deposit{cents}, options);
      case 1: return made->Submit<Account>(key, Withdraw{cents}, options);
      default: return made->Submit<Account>(key, Transfer{Key(1 + random() % 20), cents}, options);
    }
  };
  EXPECT_TRUE(Await([&] {
    const std::mt19937_64 before = random;
    if (sent < kCommands && submit()) {
      ++sent;
    } else {
      // The window is full, or the disk behind: the same command again later.
      random = before;
      if (threads != Threads::kOwn) engine.Poll();
    }
    made->Poll(take);
    return outcome.completions.size() == kCommands;
  }));
  std::sort(outcome.completions.begin(), outcome.completions.end(),
            [](const Completion& a, const Completion& b) { return a.sequence < b.sequence; });
  outcome.records = ReadLog(engine);
  return outcome;
}

TEST_P(HostDrivenTest, GivesTheSameLogAndTheSameAnswersAsOwnThreads) {
  const Session own = RunCommands(Threads::kOwn);
  const Session hosted = RunCommands(GetParam());
  ASSERT_EQ(own.completions.size(), hosted.completions.size());
  for (std::size_t i = 0; i < own.completions.size(); ++i) {
    ASSERT_EQ(own.completions[i].verdict, hosted.completions[i].verdict) << i;
    ASSERT_EQ(own.completions[i].receipt, hosted.completions[i].receipt) << i;
  }
  ASSERT_EQ(own.records.size(), hosted.records.size());
  for (std::size_t i = 0; i < own.records.size(); ++i) {
    // The first record of an epoch carries the log's id and time.
    if (own.records[i].kind == RecordKind::kEpochBegan) continue;
    ASSERT_EQ(own.records[i], hosted.records[i]) << "position " << i + 1;
  }
}

TEST_P(HostDrivenTest, NothingHappensWithoutPoll) {
  const TestDirectory directory;
  auto engine = *Engine::Open(directory.Options(GetParam()), Aggregates<Account>{});
  Producer producer = *engine->NewProducer();
  while (engine->Poll() != 0) {
  }
  const Address published = engine->log().published();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(producer.Poll([](const Completion&) noexcept {}), 0U);
  EXPECT_EQ(engine->log().published(), published);
  EXPECT_GT(engine->Poll(), 0);
  EXPECT_EQ(producer.Poll([](const Completion&) noexcept {}), 1U);
  EXPECT_GT(engine->log().published(), published);
}

TEST_P(HostDrivenTest, ABudgetOfZeroStillDoesOneBoundedStep) {
  const TestDirectory directory;
  EngineOptions options = directory.Options(GetParam());
  options.session_window = 4096;
  auto engine = *Engine::Open(options, Aggregates<Account>{});
  Producer producer = *engine->NewProducer();
  const std::vector<Addressed<Deposit>> many(4096, {Key(1), {1}});
  ASSERT_EQ(producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(many), kQuick).count,
            4096U);
  std::size_t answered = 0;
  int rounds = 0;
  while (answered < many.size()) {
    ASSERT_LT(++rounds, 10'000);
    engine->Poll(std::chrono::nanoseconds(0));
    const std::size_t got = producer.Poll([](const Completion&) noexcept {});
    EXPECT_LE(got, 256U) << "one step takes at most one turn's commands";
    answered += got;
  }
  EXPECT_GE(rounds, 16);
}

TEST_P(HostDrivenTest, ExecuteRunsTheEngineItself) {
  const TestDirectory directory;
  auto engine = *Engine::Open(directory.Options(GetParam()), Aggregates<Account>{});
  Producer producer = *engine->NewProducer();
  for (const Ack ack : {Ack::kPublished, Ack::kDurable}) {
    const auto receipt = producer.Execute<Account>(Key(1), Deposit{1}, {.ack = ack});
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    EXPECT_EQ(receipt->level, ack);
  }
  EXPECT_TRUE(engine->Stop().ok());
  EXPECT_EQ(producer.Execute<Account>(Key(1), Deposit{1}).status().code(),
            absl::StatusCode::kUnavailable);
}

INSTANTIATE_TEST_SUITE_P(Hosts, HostDrivenTest,
                         ::testing::Values(Threads::kHost, Threads::kHostAll),
                         [](const auto& param) {
                           return param.param == Threads::kHost ? "Loop" : "LoopAndDisk";
                         });

}  // namespace
}  // namespace pawl
