// P8: windows refuse, credits come back by Poll() alone, nothing is lost, nobody starves.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

using BackPressureTest = BankTest;

std::vector<Addressed<Deposit>> Deposits(std::size_t count, std::uint64_t key = 1) {
  return std::vector<Addressed<Deposit>>(count, Addressed<Deposit>{Key(key), {1}});
}

TEST_F(BackPressureTest, AWindowTakesExactlyItsSizeAndOnlyPollGivesCreditBack) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const std::uint32_t window = producer.window();
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < window; ++i) {
      ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick)) << i;
    }
    EXPECT_EQ(producer.in_flight(), window);
    EXPECT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, kQuick).fault(), SendFault::kWindowFull);
    while (engine_->Poll(kWholeTurns) != 0) {
    }
    // All are answered; the credits are still out.
    EXPECT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, kQuick).code(),
              absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(producer.Poll([](const Completion&) noexcept {}, 1), 1U);
    EXPECT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    EXPECT_FALSE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    Collect(producer, window);
    EXPECT_EQ(producer.in_flight(), 0U);
  }
}

TEST_F(BackPressureTest, ABatchSendsWhatFitsAndSaysHowMany) {
  Open(Threads::kHost);
  Producer producer = NewProducer("teller");
  const std::uint32_t window = producer.window();
  const auto deposits = Deposits(window + 44);
  const std::span<const Addressed<Deposit>> all(deposits);
  const SentBatch first = producer.SubmitBatch<Account>(all.first(window - 1), kQuick);
  EXPECT_EQ(first.count, window - 1);
  EXPECT_EQ(first.first, Sequence(1));
  EXPECT_EQ(first.fault, SendFault::kNone);
  const SentBatch second = producer.SubmitBatch<Account>(all, kQuick);
  EXPECT_EQ(second.count, 1U);
  EXPECT_EQ(second.first, Sequence(window));
  EXPECT_EQ(second.fault, SendFault::kWindowFull);
  const SentBatch third = producer.SubmitBatch<Account>(all, kQuick);
  EXPECT_EQ(third.count, 0U);
  EXPECT_EQ(third.fault, SendFault::kWindowFull);
  const std::vector<Completion> got = Collect(producer, window);
  for (std::uint32_t i = 0; i < window; ++i) EXPECT_EQ(got[i].sequence, Sequence(i + 1));
  EXPECT_EQ(producer.SubmitBatch<Account>(all.first(0), kQuick).count, 0U);
  EXPECT_EQ(producer.SubmitBatch<Account>(all, kQuick).count, window);
  Collect(producer, window);
  EXPECT_EQ(Balances()[0].second, 2 * static_cast<std::int64_t>(window));
}

TEST_F(BackPressureTest, ABatchStopsBeforeAKeyThatIsZero) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  auto deposits = Deposits(10);
  deposits[6].key = Key();
  const SentBatch sent =
      producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(deposits), kQuick);
  EXPECT_EQ(sent.count, 6U);
  EXPECT_EQ(sent.fault, SendFault::kNotInEngine);
  EXPECT_EQ(Collect(producer, 6).size(), 6U);
  EXPECT_EQ(producer.in_flight(), 0U);
}

TEST_F(BackPressureTest, ABatchWrittenInPlaceAsksForWhatTheWindowHasRoomForOnly) {
  Open(Threads::kHost);
  Producer producer = NewProducer("teller");
  const std::uint32_t window = producer.window();
  std::uint32_t asked = 0;
  const auto fill = [&asked](std::uint32_t i, Key& key, Deposit& deposit) noexcept {
    EXPECT_EQ(i, asked++);
    key = Key(1 + i % 2);
    deposit.cents = 1;
  };
  const SentBatch sent = producer.SubmitBatch<Account, Deposit>(window + 10, fill, kQuick);
  EXPECT_EQ(sent.count, window);
  EXPECT_EQ(sent.first, Sequence(1));
  EXPECT_EQ(sent.fault, SendFault::kWindowFull);
  EXPECT_EQ(asked, window);
  EXPECT_EQ((producer.SubmitBatch<Account, Deposit>(1, fill, kQuick).count), 0U);
  EXPECT_EQ(asked, window) << "nothing was asked for without room";
  const std::vector<Completion> got = Collect(producer, window);
  for (std::uint32_t i = 0; i < window; ++i) EXPECT_EQ(got[i].sequence, Sequence(i + 1));
  EXPECT_EQ(Balances()[0].second + Balances()[1].second, static_cast<std::int64_t>(window));
}

TEST_F(BackPressureTest, ABatchWrittenInPlaceStopsBeforeAKeyThatIsZero) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const auto fill = [](std::uint32_t i, Key& key, Deposit& deposit) noexcept {
    key = i < 3 ? Key(1) : Key();
    deposit.cents = 1;
  };
  const SentBatch sent = producer.SubmitBatch<Account, Deposit>(10, fill, kQuick);
  EXPECT_EQ(sent.count, 3U);
  EXPECT_EQ(sent.fault, SendFault::kNotInEngine);
  EXPECT_EQ(Collect(producer, 3).size(), 3U);
}

// The ring of commands is as large as the window: what is written into it runs around its end.
TEST_F(BackPressureTest, BatchesRunAroundTheEndOfTheRing) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const std::uint32_t window = producer.window();
  std::uint64_t last = 0;
  for (std::uint32_t lap = 0; lap < 20; ++lap) {
    const auto deposits = Deposits(window / 3 + lap);
    const std::span<const Addressed<Deposit>> all(deposits);
    ASSERT_EQ(producer.SubmitBatch<Account>(all, kQuick).count, all.size());
    for (const Completion& c : Collect(producer, all.size())) {
      ASSERT_EQ(c.sequence.value(), ++last);
      ASSERT_EQ(c.receipt.version.value(), last);
    }
  }
  EXPECT_EQ(Balances()[0].second, static_cast<std::int64_t>(last));
}

TEST_F(BackPressureTest, WhatIsTakenIsCompletedOrUnderWayForManyProducers) {
  Open();
  constexpr int kProducers = 4;
  constexpr std::uint64_t kCommands = 30'000;
  std::atomic<std::int64_t> accepted_cents{0};
  std::vector<std::thread> threads;
  for (int p = 0; p < kProducers; ++p) {
    threads.emplace_back(
        [&, p, producer = NewProducer(p % 2 == 0 ? "" : "p" + std::to_string(p))]() mutable {
          const auto deposits = Deposits(64, 1 + static_cast<std::uint64_t>(p) % 2);
          std::uint64_t sent = 0;
          std::uint64_t completed = 0;
          std::uint64_t last = 0;
          std::int64_t cents = 0;
          const auto take = [&](const Completion& c) noexcept {
            EXPECT_EQ(c.sequence.value(), ++last) << "in order";
            EXPECT_TRUE(c.verdict.is_accepted());
            ++completed;
            ++cents;
          };
          while (completed < kCommands) {
            const std::size_t wanted = std::min<std::size_t>(64, kCommands - sent);
            if (wanted > 0) {
              sent += producer
                          .SubmitBatch<Account>(
                              std::span<const Addressed<Deposit>>(deposits).first(wanted), kQuick)
                          .count;
            }
            producer.Poll(take);
            EXPECT_EQ(producer.in_flight(), sent - completed);
            if (wanted == 0) producer.Wait(std::chrono::milliseconds(1));
          }
          // Relaxed: joined before it is read.
          accepted_cents.fetch_add(cents, std::memory_order_relaxed);
        });
  }
  for (std::thread& thread : threads) thread.join();
  std::int64_t total = 0;
  for (const auto& [key, cents] : Balances()) total += cents;
  // Relaxed: the threads are joined.
  EXPECT_EQ(total, accepted_cents.load(std::memory_order_relaxed));
  EXPECT_EQ(total, static_cast<std::int64_t>(kProducers * kCommands));
}

// Each flooding producer delays another by at most one turn of 256 commands, whether that other one
// was made before the flood's or after them.
TEST_F(BackPressureTest, AFloodDelaysOthersByABoundedNumberOfCommands) {
  EngineOptions options = directory_.Options(Threads::kHost);
  options.session_window = 8192;
  options.producers_max = 5;
  // Room for all of it: turns are looked at, not the disk, which may be slow beside other tests.
  options.segment_bytes = std::uint64_t{32} << 20;
  options.undurable_bytes_max = options.segment_bytes;
  Open(options);
  std::vector<Producer> all;
  for (std::uint32_t i = 0; i < options.producers_max; ++i) all.push_back(NewProducer());
  const auto deposits = Deposits(8192, 1);
  for (int round = 0; round < 5; ++round) {
    for (std::size_t flood = 1; flood < 4; ++flood) {
      (void)all[flood].SubmitBatch<Account>(std::span<const Addressed<Deposit>>(deposits), kQuick);
    }
    const std::size_t before = EventsOf(ReadLog(*engine_)).size();
    for (const std::size_t polite : {0U, 4U}) {
      ASSERT_TRUE(all[polite].Submit<Account>(Key(2), Deposit{1}, kQuick));
    }
    for (const std::size_t polite : {0U, 4U}) {
      const std::uint64_t at = Collect(all[polite], 1)[0].receipt.position.value();
      const std::vector<SeenRecord> events = EventsOf(ReadLog(*engine_));
      std::size_t ahead = 0;
      while (before + ahead < events.size() && events[before + ahead].position != at) ++ahead;
      EXPECT_LE(ahead, 256U * options.producers_max) << "round " << round;
    }
    for (std::size_t flood = 1; flood < 4; ++flood) {
      all[flood].Poll([](const Completion&) noexcept {});
    }
  }
}

}  // namespace
}  // namespace pawl
