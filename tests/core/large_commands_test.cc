// Commands that do not fit a slot of their lane's ring.

#include <array>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "pawl/engine.h"
#include "test_directory.h"
#include "test_seed.h"

namespace pawl {
namespace {

// `bytes` go into the event's sum, so that a byte which is not the sender's is seen.
template <std::size_t kBytes>
struct Write {
  std::array<std::uint8_t, kBytes> bytes;
};
struct Written {
  static constexpr EventType kType{"large.written", 1};
  std::uint64_t bytes;
  std::uint64_t sum;
};

struct Page {
  using Commands = pawl::Commands<Write<64>, Write<65>, Write<1000>, Write<4096>, Write<4097>>;
  using Events = pawl::Events<Written>;
  static constexpr std::string_view kCategory = "page";
  struct State {
    std::uint64_t bytes = 0;
    std::uint64_t sum = 0;
  };
  template <std::size_t kBytes>
  static Verdict Decide(const State&, const Write<kBytes>& c, Emit<Page>& emit) noexcept {
    emit(Written{kBytes, std::accumulate(c.bytes.begin(), c.bytes.end(), std::uint64_t{0})});
    return Accept();
  }
  static void Evolve(State& s, const Written& e) noexcept {
    s.bytes += e.bytes;
    s.sum += e.sum;
  }
};

template <std::size_t kBytes>
Write<kBytes> Filled(std::uint8_t with) {
  Write<kBytes> command;
  command.bytes.fill(with);
  return command;
}

class LargeCommandsTest : public ::testing::Test {
 protected:
  void Open(Threads threads, std::uint32_t parcel_bytes = 65'536) {
    EngineOptions options = directory_.Options(threads);
    options.parcel_bytes = parcel_bytes;
    engine_ = Engine::Open(options, Aggregates<Page>{}).value();
  }
  Page::State StateOf(const Key& key) {
    Page::State found;
    EXPECT_TRUE(
        engine_
            ->VisitAggregates<Page>([&](const Key& each, Version, const Page::State& state) {
              if (each == key) found = state;
            })
            .ok());
    return found;
  }
  // What a producer has under way ends.
  void Drain(Producer& producer) {
    while (producer.in_flight() != 0) {
      producer.Wait(std::chrono::milliseconds(10));
      producer.Poll([](const Completion& c) noexcept { EXPECT_TRUE(c.verdict.is_accepted()); });
    }
  }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(LargeCommandsTest, OfEverySizeUpToTheLimitArriveWhole) {
  Open(Threads::kHost);
  Producer producer = engine_->NewProducer().value();
  ASSERT_TRUE(producer.Execute<Page>(Key(1), Filled<64>(1)).ok());  // the last that fits its slot
  ASSERT_TRUE(producer.Execute<Page>(Key(1), Filled<65>(2)).ok());
  ASSERT_TRUE(producer.Execute<Page>(Key(1), Filled<1000>(3)).ok());
  ASSERT_TRUE(producer.Execute<Page>(Key(1), Filled<4096>(255)).ok());
  EXPECT_EQ(StateOf(Key(1)).bytes, 64U + 65 + 1000 + 4096);
  EXPECT_EQ(StateOf(Key(1)).sum, 64U + 2 * 65 + 3 * 1000 + 255 * 4096);
}

TEST_F(LargeCommandsTest, OneByteOverTheLimitIsRefusedAtSubmit) {
  Open(Threads::kHost);
  Producer producer = engine_->NewProducer().value();
  const Sent sent = producer.Submit<Page>(Key(1), Filled<4097>(1));
  EXPECT_EQ(sent.fault(), SendFault::kTooLarge);
  EXPECT_EQ(sent.code(), absl::StatusCode::kInvalidArgument);
  const std::array other{ConditionOn<Page>(Key(2), NoStream())};
  EXPECT_EQ(producer.Submit<Page>(Key(1), Filled<4097>(1), {.others = other}).fault(),
            SendFault::kTooLarge);
  const SentBatch batch = producer.SubmitBatch<Page, Write<4097>>(
      1, [](std::uint32_t, Key&, Write<4097>&) noexcept { ADD_FAILURE() << "there is no room"; });
  EXPECT_EQ(batch.fault, SendFault::kTooLarge);
  EXPECT_EQ(batch.count, 0U);
  EXPECT_EQ(producer.last_sequence(), Sequence());
  EXPECT_TRUE(producer.Execute<Page>(Key(1), Filled<4096>(1)).ok());
}

TEST_F(LargeCommandsTest, WhatIsRefusedIsCountedOnce) {
  Open(Threads::kHost, 16'384);
  Producer producer = engine_->NewProducer().value();
  const std::vector<StreamCondition> many(kConditionsMax + 1, ConditionOn<Page>(Key(2), Any()));
  EXPECT_FALSE(producer.Submit<Page>(Key(1), Filled<64>(1), {.others = many}));
  EXPECT_FALSE(producer.Submit<Page>(Key(1), Filled<4097>(1)));
  EXPECT_FALSE(producer.Submit<Page>(Key(1), Filled<4097>(1), {.others = {many.data(), 1}}));
  std::uint64_t sent = 0;
  while (producer.Submit<Page>(Key(1), Filled<4096>(1))) ++sent;
  EXPECT_FALSE(producer.Submit<Page>(Key(1), Filled<4096>(1)));
  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.refusal(SendFault::kBadConditions), 1U);
  EXPECT_EQ(stats.refusal(SendFault::kTooLarge), 2U);
  EXPECT_EQ(stats.refusal(SendFault::kParcelsFull), 2U);
  EXPECT_EQ(stats.commands_sent, sent);
}

TEST_F(LargeCommandsTest, LimitsThatContradictEachOtherAreRefusedAtOpen) {
  EngineOptions options = directory_.Options();
  options.command_bytes_max = kSlotCommandBytes - 1;
  EXPECT_EQ(Engine::Open(options, Aggregates<Page>{}).status().code(),
            absl::StatusCode::kInvalidArgument);
  options = directory_.Options();
  options.parcel_bytes = 65'535;
  EXPECT_EQ(Engine::Open(options, Aggregates<Page>{}).status().code(),
            absl::StatusCode::kInvalidArgument);
  options.parcel_bytes = 8'192;
  const absl::Status small = Engine::Open(options, Aggregates<Page>{}).status();
  EXPECT_EQ(small.code(), absl::StatusCode::kInvalidArgument);
  // It names the least that is enough, and that is enough.
  EXPECT_NE(small.message().find("at least 16384"), std::string::npos) << small;
  options.parcel_bytes = 16'384;
  EXPECT_TRUE(Engine::Open(options, Aggregates<Page>{}).ok());
}

TEST_F(LargeCommandsTest, AFullParcelRingIsBackPressureAndPollingMakesRoom) {
  Open(Threads::kHost, 16'384);
  Producer producer = engine_->NewProducer().value();
  std::uint64_t sent = 0;
  for (int round = 0; round < 50; ++round) {
    Sent last{SendFault::kNone};
    while ((last = producer.Submit<Page>(Key(1), Filled<4096>(7)))) ++sent;
    ASSERT_EQ(last.fault(), SendFault::kParcelsFull);
    ASSERT_EQ(last.code(), absl::StatusCode::kResourceExhausted);
    ASSERT_GE(producer.in_flight(), 2U);
    // Small ones need no parcel.
    ASSERT_TRUE(producer.Submit<Page>(Key(1), Filled<64>(0)));
    Drain(producer);
  }
  EXPECT_EQ(StateOf(Key(1)).sum, sent * 7 * 4096);
  // Execute waits for room, unless only the caller can make it.
  while (producer.Submit<Page>(Key(1), Filled<4096>(7))) {
  }
  const absl::StatusOr<Receipt> stuck = producer.Execute<Page>(Key(1), Filled<4096>(7));
  EXPECT_EQ(stuck.status().code(), absl::StatusCode::kResourceExhausted) << stuck.status();
}

TEST_F(LargeCommandsTest, ABatchSendsWhatThereIsRoomFor) {
  Open(Threads::kHost, 16'384);
  Producer producer = engine_->NewProducer().value();
  const std::vector<Addressed<Write<1000>>> batch(100, {Key(1), Filled<1000>(9)});
  const SentBatch sent = producer.SubmitBatch<Page>(std::span(batch));
  EXPECT_EQ(sent.fault, SendFault::kParcelsFull);
  EXPECT_GE(sent.count, 14U);
  EXPECT_LE(sent.count, 16U);
  EXPECT_EQ(producer.in_flight(), sent.count);
  Drain(producer);
  EXPECT_EQ(StateOf(Key(1)).sum, sent.count * 9000U);
}

// Each parcel of a batch goes with its own command: one credit back is room for one more.
TEST_F(LargeCommandsTest, ABatchGivesItsRoomBackCommandByCommand) {
  Open(Threads::kHost, 16'384);
  Producer producer = engine_->NewProducer().value();
  const std::vector<Addressed<Write<1000>>> batch(100, {Key(1), Filled<1000>(9)});
  const std::uint32_t first = producer.SubmitBatch<Page>(std::span(batch)).count;
  ASSERT_GE(first, 14U);
  std::uint32_t polled = 0;
  for (; polled < 5; ++polled) {
    while (producer.Poll([](const Completion&) noexcept {}, 1) == 0) {
      producer.Wait(std::chrono::milliseconds(10));
    }
    const SentBatch more = producer.SubmitBatch<Page>(std::span(batch));
    EXPECT_EQ(more.count, 1U);
    EXPECT_EQ(more.fault, SendFault::kParcelsFull);
  }
  Drain(producer);
  EXPECT_EQ(StateOf(Key(1)).sum, (first + polled) * 9000U);
}

TEST_F(LargeCommandsTest, WithConditionsOnOtherStreams) {
  Open(Threads::kHost);
  Producer producer = engine_->NewProducer().value();
  ASSERT_TRUE(producer.Execute<Page>(Key(2), Filled<1000>(1)).ok());
  const std::array good{ConditionOn<Page>(Key(2), Exact(Version(1)))};
  const std::array bad{ConditionOn<Page>(Key(2), NoStream())};
  ASSERT_TRUE(producer.Execute<Page>(Key(1), Filled<4096>(2), {.others = good}).ok());
  ASSERT_TRUE(producer.Execute<Page>(Key(1), Filled<64>(3), {.others = good}).ok());
  EXPECT_EQ(producer.Execute<Page>(Key(1), Filled<4096>(2), {.others = bad}).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(StateOf(Key(1)).sum, 2U * 4096 + 3 * 64);
}

// The loop reads a parcel in place while the producer writes others: every byte is the sender's.
TEST_F(LargeCommandsTest, ParcelsAreReadWholeWhileTheProducerWritesOn) {
  Open(Threads::kOwn, 16'384);
  std::vector<std::thread> threads;
  std::array<std::uint64_t, 3> sums{};
  for (std::size_t who = 0; who < sums.size(); ++who) {
    threads.emplace_back([this, who, &sums] {
      Producer producer = engine_->NewProducer().value();
      for (std::uint32_t i = 0; i < 3000; ++i) {
        const auto with = static_cast<std::uint8_t>(i);
        const auto send = [&]() noexcept {
          return i % 3 == 0 ? producer.Submit<Page>(Key(who + 1), Filled<4096>(with))
                            : producer.Submit<Page>(Key(who + 1), Filled<65>(with));
        };
        while (!send()) producer.Poll([](const Completion&) noexcept {});
        sums[who] += with * (i % 3 == 0 ? 4096U : 65U);
      }
      Drain(producer);
    });
  }
  for (std::thread& each : threads) each.join();
  for (std::size_t who = 0; who < sums.size(); ++who) {
    EXPECT_EQ(StateOf(Key(who + 1)).sum, sums[who]);
  }
}

}  // namespace
}  // namespace pawl
