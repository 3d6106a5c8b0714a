// Answers by the range: what shares one, what stands alone, and that receipts, order and credits
// are those of Poll().

#include <chrono>
#include <cstdint>
#include <map>
#include <ostream>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "probe_aggregate.h"
#include "test_seed.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr SubmitOptions kSafe{.ack = Ack::kDurable};

struct Range {
  std::uint64_t first;
  std::uint32_t count;
  VerdictKind kind;

  friend bool operator==(const Range&, const Range&) = default;
  friend void PrintTo(const Range& range, std::ostream* out) {
    *out << range.first << "+" << range.count << " " << ToString(range.kind);
  }
};

class CompletionRangesTest : public BankTest {
 protected:
  void OpenWithWindowOf64() {
    EngineOptions options = directory_.Options(Threads::kHost);
    options.session_window = 64;
    Open(options);
  }
  void RunEngine() {
    while (engine_->Poll(kWholeTurns) != 0) {
    }
  }
  // Polls ranges with at most `completions_max` answers.
  static std::vector<Range> Ranges(Producer& producer, std::size_t completions_max = SIZE_MAX) {
    std::vector<Range> ranges;
    producer.PollRanges(
        [&ranges](const CompletionRange& range) noexcept {
          ranges.push_back({range.first().value(), range.count(), range.verdict().kind()});
        },
        completions_max);
    return ranges;
  }
  static void Deposits(Producer& producer, int count, const SubmitOptions& options = kQuick) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, options));
    }
  }
};

TEST_F(CompletionRangesTest, CommandsAnsweredTogetherAreOneRange) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  Deposits(producer, 100);
  RunEngine();
  std::vector<Receipt> receipts;
  const std::size_t polled = producer.PollRanges([&](const CompletionRange& range) noexcept {
    EXPECT_EQ(range.first(), Sequence(1));
    EXPECT_EQ(range.level(), Ack::kPublished);
    EXPECT_FALSE(range.is_duplicate());
    for (std::uint32_t i = 0; i < range.count(); ++i) receipts.push_back(range.receipt(i));
    EXPECT_EQ(range[99].sequence, Sequence(100));
  });
  EXPECT_EQ(polled, 100U);
  ASSERT_EQ(receipts.size(), 100U);
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(receipts[i].version, Version(i + 1));
    EXPECT_EQ(receipts[i].position, Position(receipts[0].position.value() + i));
    EXPECT_EQ(receipts[i].epoch, receipts[0].epoch);
  }
  EXPECT_EQ(producer.in_flight(), 0U);
}

TEST_F(CompletionRangesTest, WhatIsNotAcceptedStandsAlone) {
  Open(Threads::kHost);
  Producer producer = NewProducer("teller");
  Deposits(producer, 3);
  ASSERT_TRUE(producer.Submit<Account>(Key(2), Withdraw{1}, kQuick));
  ASSERT_TRUE(producer.Submit<Account>(Key(3), Withdraw{1}, kQuick));
  Deposits(producer, 2);
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1},
                                       {.ack = Ack::kPublished, .resend = Sequence(2)}));
  Deposits(producer, 1);
  RunEngine();
  EXPECT_EQ(Ranges(producer), (std::vector<Range>{{1, 3, VerdictKind::kAccepted},
                                                  {4, 1, VerdictKind::kRefused},
                                                  {5, 1, VerdictKind::kRefused},
                                                  {6, 2, VerdictKind::kAccepted},
                                                  {2, 1, VerdictKind::kAccepted},  // the resend
                                                  {8, 1, VerdictKind::kAccepted}}));
}

TEST_F(CompletionRangesTest, EachLevelHasItsOwnRangesInOrder) {
  Open();
  Producer producer = NewProducer();
  for (int i = 0; i < 50; ++i) {
    Deposits(producer, 2, kQuick);
    Deposits(producer, 3, kSafe);
  }
  std::map<Ack, std::uint64_t> last;
  std::map<Ack, std::uint64_t> counts;
  ASSERT_TRUE(Await([&] {
    producer.PollRanges([&](const CompletionRange& range) noexcept {
      EXPECT_GT(range.first().value(), last[range.level()]);
      last[range.level()] = range.first().value() + range.count() - 1;
      counts[range.level()] += range.count();
      for (std::uint32_t i = 0; i < range.count(); ++i) {
        EXPECT_EQ(range.receipt(i).version.value(), range.first().value() + i);  // one stream
      }
    });
    return producer.in_flight() == 0;
  }));
  EXPECT_EQ(counts[Ack::kPublished], 100U);
  EXPECT_EQ(counts[Ack::kDurable], 150U);
}

TEST_F(CompletionRangesTest, PollsOfEitherKindTakePartsOfARange) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  Deposits(producer, 200);
  RunEngine();
  EXPECT_EQ(Ranges(producer, 0), std::vector<Range>{});
  EXPECT_EQ(Ranges(producer, 50), (std::vector<Range>{{1, 50, VerdictKind::kAccepted}}));
  std::uint64_t last = 0;
  const auto note = [&last](const Completion& c) noexcept { last = c.sequence.value(); };
  EXPECT_EQ(producer.Poll(note, 7), 7U);
  EXPECT_EQ(last, 57U);
  EXPECT_EQ(producer.in_flight(), 143U);
  EXPECT_EQ(Ranges(producer, 1), (std::vector<Range>{{58, 1, VerdictKind::kAccepted}}));
  EXPECT_EQ(producer.Poll(note), 142U);
  EXPECT_EQ(last, 200U);
}

TEST_F(CompletionRangesTest, CreditsComeBackWhenTheCallbackReturns) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  Deposits(producer, static_cast<int>(producer.window()));
  RunEngine();
  std::uint64_t total = 0;
  producer.PollRanges([&](const CompletionRange& range) noexcept {
    EXPECT_EQ(producer.in_flight(), producer.window() - total);
    if (total == 0) {
      EXPECT_FALSE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    }
    total += range.count();
  });
  EXPECT_EQ(total, producer.window());
  EXPECT_EQ(producer.in_flight(), 0U);
}

TEST_F(CompletionRangesTest, TheCallbackOfPollMaySendAgain) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  Deposits(producer, static_cast<int>(producer.window()));
  RunEngine();
  std::uint32_t sent = 0;
  const std::uint32_t window = producer.window();
  producer.Poll(
      [&](const Completion&) noexcept {
        sent += static_cast<bool>(producer.Submit<Account>(Key(1), Deposit{1}, kQuick)) ? 1U : 0U;
      },
      window);
  EXPECT_EQ(sent, window);
  Collect(producer, window);
}

// Once the credit of an answer that Execute had taken came back while the range before it was read:
// what was sent then wrote its receipt over that of the range.
TEST_F(CompletionRangesTest, NoReceiptIsWrittenAgainWhileItsRangeIsRead) {
  OpenWithWindowOf64();
  Producer producer = NewProducer();
  Deposits(producer, 63);
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  std::uint32_t polled = 0;
  producer.PollRanges([&](const CompletionRange& range) noexcept {
    EXPECT_FALSE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick)) << "no credit came back";
    RunEngine();
    for (std::uint32_t i = 0; i < range.count(); ++i) {
      EXPECT_EQ(range.receipt(i).version, Version(++polled));
    }
  });
  EXPECT_EQ(polled, 63U);
  EXPECT_EQ(producer.in_flight(), 0U);
}

TEST_F(CompletionRangesTest, TheCallbackOfPollRangesMayExecuteAndPollsNothing) {
  OpenWithWindowOf64();
  Producer producer = NewProducer();
  Deposits(producer, 60);
  RunEngine();
  std::uint32_t ranges = 0;
  producer.PollRanges([&](const CompletionRange& range) noexcept {
    if (++ranges > 1) return;
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    }
    EXPECT_EQ(producer.Poll([](const Completion&) noexcept {}), 0U);
    // Says so at once instead of waiting for its deadline: nothing under way can make room.
    const auto full = producer.Execute<Account>(Key(1), Deposit{1}, kQuick, std::chrono::hours(1));
    EXPECT_EQ(full.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(range.receipt(0).version, Version(1));
    EXPECT_EQ(range.receipt(59).version, Version(60));
  });
  EXPECT_EQ(ranges, 1U);
  EXPECT_EQ(producer.in_flight(), 0U);
}

TEST_F(CompletionRangesTest, APollEndsAlthoughItsCallbackSendsAgain) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  Deposits(producer, 10);
  RunEngine();
  std::uint32_t calls = 0;
  const std::size_t polled = producer.Poll([&](const Completion&) noexcept {
    EXPECT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    RunEngine();
    ++calls;
  });
  EXPECT_EQ(polled, 10U);
  EXPECT_EQ(calls, 10U);
  EXPECT_EQ(producer.in_flight(), 10U);
}

TEST_F(CompletionRangesTest, CommandsToSeveralStoresShareARange) {
  auto opened = Engine::Open(directory_.Options(Threads::kHost), Aggregates<Account, Probe>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  Producer producer = NewProducer("teller");
  for (std::uint64_t i = 0; i < 90; ++i) {
    const Key key(1 + i / 30);  // new ones among them
    if (i % 3 == 0) {
      ASSERT_TRUE(producer.Submit<Account>(key, Deposit{1}, kQuick));
    } else {
      ASSERT_TRUE(producer.Submit<Probe>(key, EmitMany{1, 0, Key(9)}, kQuick));
    }
  }
  RunEngine();
  std::uint64_t i = 0;
  producer.PollRanges([&](const CompletionRange& range) noexcept {
    EXPECT_EQ(range.count(), 90U);
    for (; i < range.count(); ++i) {
      const std::uint64_t in_key = i % 30;
      const std::uint64_t expected = i % 3 == 0 ? in_key / 3 + 1 : in_key - in_key / 3;
      EXPECT_EQ(range.receipt(static_cast<std::uint32_t>(i)).version.value(), expected) << i;
    }
  });
  EXPECT_EQ(i, 90U);
}

TEST_F(CompletionRangesTest, AcceptedHasNoCode) {
  EXPECT_EQ(Verdict(VerdictKind::kAccepted, 5), Accept());
  EXPECT_TRUE(Verdict(VerdictKind::kAccepted, 5).is_accepted());
  EXPECT_EQ(Verdict(VerdictKind::kRefused, 65'535).code(), 65'535);
}

TEST_F(CompletionRangesTest, ExecuteCutsItsAnswerOutOfARange) {
  Open();
  Producer producer = NewProducer("teller");
  for (int round = 0; round < 50; ++round) {
    Deposits(producer, 5);
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    Deposits(producer, 5);
    const std::uint64_t executed = producer.last_sequence().value() - 5;
    std::uint64_t next = executed - 5;
    ASSERT_TRUE(Await([&] {
      producer.PollRanges([&](const CompletionRange& range) noexcept {
        for (std::uint32_t i = 0; i < range.count(); ++i, ++next) {
          if (next == executed) ++next;
          EXPECT_EQ(range[i].sequence.value(), next);
          EXPECT_EQ(range[i].receipt.version.value(), next);
        }
      });
      return producer.in_flight() == 0;
    }));
    EXPECT_EQ(next, executed + 6);
  }
}

TEST_F(CompletionRangesTest, AFailedSyncLeavesReceiptsButNoVerdict) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.storage = &gate;
  Open(options);
  {
    Producer producer = NewProducer();
    gate.Shut();
    Deposits(producer, 3, kSafe);
    ASSERT_TRUE(Await([&] { return engine_->log().published() > engine_->log().durable(); }));
    gate.Break();
    ASSERT_TRUE(Await([&] {
      producer.PollRanges([&](const CompletionRange& range) noexcept {
        EXPECT_EQ(range.level(), Ack::kPublished);
        for (std::uint32_t i = 0; i < range.count(); ++i) {
          const bool was_decided = range.verdict().kind() == VerdictKind::kUnknown;
          EXPECT_EQ(range.receipt(i).version.value(), was_decided ? range.first().value() + i : 0);
        }
      });
      return producer.in_flight() == 0;
    }));
  }
  engine_.reset();  // before its storage
}

// Everything at once against a model: levels, refusals, resends, executions, polls of both kinds
// and of any size, over many laps of the window.
class CompletionModel {
 public:
  CompletionModel(Engine& engine, Producer& producer, std::uint64_t seed)
      : engine_(engine), producer_(producer), random_(seed) {}

  void Step() {
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2: return Send();
      case 3: return Resend();
      case 4: return Execute();
      case 5: engine_.Poll(kWholeTurns); return;
      case 6:
        producer_.Poll([this](const Completion& c) noexcept { Check(c); }, random_() % 40);
        return;
      default:
        producer_.PollRanges(
            [this](const CompletionRange& range) noexcept {
              if (random_() % 4 == 0) {
                Send();
                engine_.Poll(kWholeTurns);
              }
              for (std::uint32_t i = 0; i < range.count(); ++i) Check(range[i]);
            },
            random_() % 40);
    }
  }

  void Finish() {
    while (producer_.in_flight() != 0) {
      engine_.Poll(kWholeTurns);
      producer_.Poll([this](const Completion& c) noexcept { Check(c); });
    }
    EXPECT_EQ(checked_, sent_);
  }

 private:
  struct Expected {
    bool is_accepted;
    std::uint64_t version;
    bool is_polled = false;
  };

  SubmitOptions Level() { return random_() % 3 == 0 ? kSafe : kQuick; }

  void Send() {
    const std::uint64_t count = 1 + random_() % 20;
    for (std::uint64_t i = 0; i < count; ++i) {
      const bool is_accepted = random_() % 8 != 0;
      const Sent sent = is_accepted ? producer_.Submit<Account>(Key(1), Deposit{1}, Level())
                                    : producer_.Submit<Account>(Key(2), Withdraw{1}, Level());
      if (!sent) return;
      ++sent_;
      Expect(sent.sequence(), is_accepted);
    }
  }

  void Resend() {
    if (expected_.empty()) return;
    const Sequence sequence(1 + random_() % expected_.size());
    SubmitOptions options = Level();
    options.resend = sequence;
    if (producer_.Submit<Account>(Key(1), Deposit{1}, options)) ++sent_;
  }

  void Execute() {
    const auto receipt =
        producer_.Execute<Account>(Key(1), Deposit{1}, Level(), std::chrono::seconds(60));
    if (receipt.status().code() == absl::StatusCode::kResourceExhausted) return;
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    Expect(producer_.last_sequence(), true);
    EXPECT_EQ(receipt->version.value(), expected_.back().version);
  }

  void Expect(Sequence sequence, bool is_accepted) {
    ASSERT_EQ(sequence.value(), expected_.size() + 1);
    version_ += is_accepted ? 1U : 0U;
    expected_.push_back({is_accepted, is_accepted ? version_ : 0});
  }

  void Check(const Completion& c) {
    ++checked_;
    ASSERT_LE(c.sequence.value(), expected_.size());
    Expected& expected = expected_[c.sequence.value() - 1];
    if (c.verdict.kind() == VerdictKind::kExpired) {
      EXPECT_TRUE(c.receipt.is_duplicate);
      return;
    }
    EXPECT_EQ(c.verdict.is_accepted(), expected.is_accepted);
    EXPECT_EQ(c.receipt.version.value(), expected.version) << c.sequence.value();
    if (c.receipt.is_duplicate) return;
    EXPECT_FALSE(expected.is_polled) << "twice: " << c.sequence.value();
    expected.is_polled = true;
    std::uint64_t& last = last_[c.receipt.level];
    EXPECT_GT(c.sequence.value(), last);
    last = c.sequence.value();
  }

  Engine& engine_;
  Producer& producer_;
  std::mt19937_64 random_;
  std::vector<Expected> expected_;  // by sequence
  std::map<Ack, std::uint64_t> last_;
  std::uint64_t version_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t checked_ = 0;
};

TEST_F(CompletionRangesTest, AgreeWithAModelOverManyLaps) {
  OpenWithWindowOf64();
  Producer producer = NewProducer("teller");
  CompletionModel model(*engine_, producer, SeedOfTest());
  for (int step = 0; step < 20'000 && !HasFailure(); ++step) model.Step();
  if (!HasFailure()) model.Finish();
}

}  // namespace
}  // namespace pawl
