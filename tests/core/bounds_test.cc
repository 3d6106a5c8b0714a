// Bounds that producers meet, each at its edge: one less or as many work, one more is refused. The
// others: engine_refusals_test.cc (events, bytes and streams of a command), sessions_test.cc
// (names, sessions, resends, handles), engine_open_test.cc (options), view_test.cc (agents).

#include <charconv>
#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr std::uint32_t kWindowMax = 65'536;

class BoundsTest : public BankTest {
 protected:
  EngineOptions Windows(std::uint32_t session_window, std::uint32_t producers_max) const {
    EngineOptions options = directory_.Options(Threads::kHost);
    options.segment_bytes = std::uint64_t{16} << 20;
    options.undurable_bytes_max = std::uint64_t{256} << 20;
    options.session_window = session_window;
    options.producers_max = producers_max;
    return options;
  }
  void RunEngine() {
    while (engine_->Poll(kWholeTurns) != 0) {
    }
  }
};

TEST_F(BoundsTest, AWindowHoldsItsSizeAndNotOneMore) {
  for (const std::uint32_t window : {1U, 2U, kWindowMax / 2, kWindowMax}) {
    SCOPED_TRACE(window);
    const TestDirectory directory;
    EngineOptions options = Windows(window, 1);
    options.directory = directory.log();
    options.hot_directory = directory.hot();
    ASSERT_NO_FATAL_FAILURE(Open(options));
    {
      Producer producer = NewProducer();
      ASSERT_EQ(producer.window(), window);
      for (int round = 0; round < 2; ++round) {
        for (std::uint32_t i = 0; i < window; ++i) {
          ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick)) << i;
        }
        EXPECT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, kQuick).fault(),
                  SendFault::kWindowFull);
        RunEngine();
        EXPECT_EQ(Collect(producer, window).size(), window);
      }
    }
    engine_.reset();
  }
}

TEST_F(BoundsTest, TheLargestWindowRemembersExactlyItsResends) {
  Open(Windows(kWindowMax, 1));
  Producer producer = NewProducer("teller");
  const std::vector<Addressed<Deposit>> all(kWindowMax, {Key(1), {1}});
  const std::span<const Addressed<Deposit>> span(all);
  ASSERT_EQ(producer.SubmitBatch<Account>(span, kQuick).count, kWindowMax);
  Collect(producer, kWindowMax);
  const auto resend = [&](std::uint64_t sequence) {
    EXPECT_TRUE(producer.Submit<Account>(Key(1), Deposit{1},
                                         {.ack = Ack::kPublished, .resend = Sequence(sequence)}));
    return Collect(producer, 1)[0];
  };
  EXPECT_EQ(resend(1).receipt.version, Version(1)) << "as old as the window";
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
  Collect(producer, 1);
  EXPECT_EQ(resend(2).receipt.version, Version(2));
  EXPECT_EQ(resend(1).verdict.kind(), VerdictKind::kExpired);
}

// The queue holds all windows at once: it never refuses before a window does.
TEST_F(BoundsTest, TheQueueHasRoomForAllWindows) {
  for (const std::uint32_t producers : {1U, 2U, 16U}) {
    for (const std::uint32_t window : {1U, 256U, 1024U}) {
      SCOPED_TRACE(producers);
      SCOPED_TRACE(window);
      const TestDirectory directory;
      EngineOptions options = Windows(window, producers);
      options.directory = directory.log();
      options.hot_directory = directory.hot();
      ASSERT_NO_FATAL_FAILURE(Open(options));
      {
        std::vector<Producer> all;
        for (std::uint32_t i = 0; i < producers; ++i) all.push_back(NewProducer());
        for (int round = 0; round < 3; ++round) {
          for (Producer& producer : all) {
            for (std::uint32_t i = 0; i < window; ++i) {
              ASSERT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, kQuick).fault(),
                        SendFault::kNone)
                  << i;
            }
            ASSERT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, kQuick).fault(),
                      SendFault::kWindowFull);
          }
          RunEngine();
          for (Producer& producer : all) ASSERT_EQ(Collect(producer, window).size(), window);
        }
      }
      engine_.reset();
    }
  }
}

TEST_F(BoundsTest, TheMostProducersAllWorkAndOneMoreIsRefused) {
  constexpr std::uint32_t kProducersMax = 4096;
  Open(Windows(2, kProducersMax));
  std::vector<Producer> all;
  for (std::uint32_t i = 0; i < kProducersMax; ++i) {
    auto made = engine_->NewProducer();
    ASSERT_TRUE(made.ok()) << i << ": " << made.status();
    all.push_back(*std::move(made));
  }
  EXPECT_EQ(engine_->NewProducer().status().code(), absl::StatusCode::kResourceExhausted);
  for (Producer& producer : all) {
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
  }
  RunEngine();
  for (Producer& producer : all) ASSERT_EQ(Collect(producer, 2).size(), 2U);
  EXPECT_EQ(Balances()[0].second, 2 * kProducersMax);
}

// A turn is one frame of at most 256 commits.
TEST_F(BoundsTest, AFrameHas256CommitsAndNotOneMore) {
  Open(Windows(1024, 1));
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
  RunEngine();
  Collect(producer, 1);
  for (const std::uint32_t commands : {255U, 256U, 257U}) {
    SCOPED_TRACE(commands);
    LogReader reader = engine_->log().NewReader();
    while (reader.NextFrame(engine_->log().published()) != nullptr) {
    }
    const std::vector<Addressed<Deposit>> all(commands, {Key(1), {1}});
    ASSERT_EQ(producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(all), kQuick).count,
              commands);
    RunEngine();
    Collect(producer, commands);
    std::vector<std::uint32_t> frames;
    while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
      std::uint32_t events = 0;
      ForEachRecord(*frame, [&](const RecordView&) { ++events; });
      frames.push_back(events);
    }
    const std::vector<std::uint32_t> expected =
        commands <= 256 ? std::vector<std::uint32_t>{commands} : std::vector<std::uint32_t>{256, 1};
    EXPECT_EQ(frames, expected);
  }
}

// undurable_bytes_max must hold what one turn may add: the refusal names the bound, which is exact.
TEST_F(BoundsTest, UndurableBytesMaxIsRefusedUpToWhatATurnMayAdd) {
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.segment_bytes = kSegmentBytesMin;
  options.undurable_bytes_max = kSegmentBytesMin;
  const absl::Status refused = Engine::Open(options, Aggregates<Account>{}).status();
  ASSERT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
  const std::string message(refused.message());
  constexpr std::string_view kBefore = "larger than ";
  const std::size_t at = message.find(kBefore);
  ASSERT_NE(at, std::string::npos) << message;
  std::uint64_t room = 0;
  std::from_chars(message.data() + at + kBefore.size(), message.data() + message.size(), room);
  ASSERT_GT(room, kSegmentBytesMin) << message;
  options.undurable_bytes_max = room;
  EXPECT_TRUE(absl::IsInvalidArgument(Engine::Open(options, Aggregates<Account>{}).status()));
  options.undurable_bytes_max = room + 1;
  Open(options);
  Producer producer = NewProducer();
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok()) << i;
    ASSERT_LE(engine_->log().published() - engine_->log().durable(), room + 1);
  }
}

TEST_F(BoundsTest, UndurableBytesMaxMayBeOneSegment) {
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.commit_bytes_max = std::uint32_t{64} << 10;   // a turn adds less than a segment
  options.undurable_bytes_max = options.segment_bytes;  // one less is refused: engine_open_test.cc
  Open(options);
  Producer producer = NewProducer();
  EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
}

TEST_F(BoundsTest, TheLongestTimeoutsAreForEver) {
  Open();
  constexpr std::chrono::nanoseconds kLongest = std::chrono::nanoseconds::max();
  auto made = engine_->NewProducer({.when_full = WhenFull::kPark, .full_timeout = kLongest});
  ASSERT_TRUE(made.ok()) << made.status();
  Producer& producer = *made;
  EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, {}, kLongest).ok());
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}));
  producer.Wait(kLongest);
  EXPECT_EQ(producer.Poll([](const Completion&) noexcept {}), 1U);
}

}  // namespace
}  // namespace pawl
