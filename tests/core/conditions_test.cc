// Optimistic concurrency: conditions on the addressed stream and on others, and what a conflict
// says.

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "probe_aggregate.h"
#include "test_seed.h"

namespace pawl {
namespace {

struct ConditionCase {
  const char* name;
  Condition condition;
  bool holds_on_none;   // no such stream
  bool holds_on_three;  // version 3, its newest event at position 30
};

TEST(ConditionTest, HoldsAsItsNameSays) {
  const std::vector<ConditionCase> cases = {
      {"Any", Any(), true, true},
      {"NoStream", NoStream(), true, false},
      {"Exists", Exists(), false, true},
      {"Exact(0)", Exact(Version()), true, false},
      {"Exact(2)", Exact(Version(2)), false, false},
      {"Exact(3)", Exact(Version(3)), false, true},
      {"Exact(4)", Exact(Version(4)), false, false},
      {"Exact(max)", Exact(Version(kVersionMax)), false, false},
      {"UnchangedSince(0)", UnchangedSince(Position()), true, false},
      {"UnchangedSince(29)", UnchangedSince(Position(29)), true, false},
      {"UnchangedSince(30)", UnchangedSince(Position(30)), true, true},
      {"UnchangedSince(31)", UnchangedSince(Position(31)), true, true},
      {"UnchangedSince(max)", UnchangedSince(Position(UINT64_MAX)), true, true},
  };
  for (const ConditionCase& each : cases) {
    SCOPED_TRACE(each.name);
    EXPECT_EQ(each.condition.Holds(Version(), Position()), each.holds_on_none);
    EXPECT_EQ(each.condition.Holds(Version(3), Position(30)), each.holds_on_three);
  }
  EXPECT_TRUE(Any().is_any());
  EXPECT_FALSE(Exact(Version()).is_any());
  EXPECT_FALSE(UnchangedSince(Position()).is_any());
}

class ConditionsTest : public BankTest {
 protected:
  static SubmitOptions If(Condition condition) {
    return {.ack = Ack::kPublished, .condition = condition};
  }
  static SubmitOptions IfOthers(std::span<const StreamCondition> others) {
    return {.ack = Ack::kPublished, .others = others};
  }
  static Conflict ConflictIn(const absl::StatusOr<Receipt>& result) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kAborted) << result.status();
    return ConflictOf(result.status()).value_or(Conflict{.condition = 999});
  }
  std::int64_t Cents(const Key& key) {
    for (const auto& [each, cents] : Balances()) {
      if (each == key) return cents;
    }
    return -1;
  }

  GateStorage storage_;
};

TEST_F(ConditionsTest, AConflictLeavesNothingAndSaysTheActualVersionAndPosition) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const Key alice(1);
  ASSERT_TRUE(producer.Execute<Account>(alice, Deposit{10}, If(NoStream())).ok());
  const Receipt second =
      producer.Execute<Account>(alice, Deposit{10}, If(Exact(Version(1)))).value();
  EXPECT_EQ(second.version, Version(2));
  const Conflict expected{.condition = 0, .version = Version(2), .position = second.position};
  for (const Condition condition : {NoStream(), Exact(Version(1)), Exact(Version(3)),
                                    UnchangedSince(Position(second.position.value() - 1))}) {
    EXPECT_EQ(ConflictIn(producer.Execute<Account>(alice, Deposit{10}, If(condition))), expected);
  }
  EXPECT_EQ(Cents(alice), 20);
  for (const Condition condition :
       {Any(), Exists(), Exact(Version(2)), UnchangedSince(second.position)}) {
    // Accepted without an event, so that the stream stays as it is.
    EXPECT_TRUE(producer.Execute<Account>(alice, Look{}, If(condition)).ok());
  }
  // The next record follows the last one: conflicts took no position.
  const Receipt third = producer.Execute<Account>(alice, Deposit{1}, If(Exists())).value();
  EXPECT_EQ(third.position, second.position.Next());
}

TEST_F(ConditionsTest, AStreamThatIsNotThereHasVersionAndPosition0) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  for (const Condition condition : {Exists(), Exact(Version(1))}) {
    EXPECT_EQ(ConflictIn(producer.Execute<Account>(Key(9), Deposit{1}, If(condition))), Conflict{});
  }
  EXPECT_EQ(Cents(Key(9)), -1);
  EXPECT_TRUE(producer.Execute<Account>(Key(9), Deposit{1}, If(UnchangedSince(Position()))).ok());
}

TEST_F(ConditionsTest, StreamsThatTheCommandDoesNotWriteCountToo) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const Receipt alice = producer.Execute<Account>(Key(1), Deposit{10}).value();
  const Receipt bob = producer.Execute<Account>(Key(2), Deposit{20}).value();
  const Condition as_read = Exact(alice.version);
  const std::array good{ConditionOn<Account>(Key(1), as_read),
                        ConditionOn<Account>(Key(2), UnchangedSince(bob.position)),
                        ConditionOn<Account>(Key(3), NoStream())};
  EXPECT_TRUE(producer.Execute<Account>(Key(4), Deposit{1}, IfOthers(good)).ok());
  // The second and the third do not hold any more: the first of them is named.
  const Receipt moved = producer.Execute<Account>(Key(2), Withdraw{5}).value();
  ASSERT_TRUE(producer.Execute<Account>(Key(3), Deposit{1}).ok());
  const Conflict expected{.condition = 2, .version = Version(2), .position = moved.position};
  EXPECT_EQ(ConflictIn(producer.Execute<Account>(Key(4), Deposit{1}, IfOthers(good))), expected);
  EXPECT_EQ(Cents(Key(4)), 1);
  // Conditions on others hold and the one on its own stream does not: that is number 0.
  SubmitOptions both = IfOthers(std::span(good).first(1));
  both.condition = Exact(Version(7));
  EXPECT_EQ(ConflictIn(producer.Execute<Account>(Key(4), Deposit{1}, both)).condition, 0);
  both.condition = Exact(Version(1));
  EXPECT_TRUE(producer.Execute<Account>(Key(4), Deposit{1}, both).ok());
}

TEST_F(ConditionsTest, CountOfConditionsIsBounded) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const std::vector<StreamCondition> too_many(kConditionsMax + 1,
                                              ConditionOn<Account>(Key(9), NoStream()));
  EXPECT_TRUE(
      producer
          .Execute<Account>(Key(1), Deposit{1}, IfOthers(std::span(too_many).first(kConditionsMax)))
          .ok());
  const Sent refused = producer.Submit<Account>(Key(1), Deposit{1}, IfOthers(too_many));
  EXPECT_EQ(refused.fault(), SendFault::kBadConditions);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  const std::array<Addressed<Deposit>, 1> batch{{{Key(1), Deposit{1}}}};
  EXPECT_EQ(producer
                .SubmitBatch<Account>(std::span<const Addressed<Deposit>>(batch),
                                      IfOthers(std::span(too_many).first(1)))
                .fault,
            SendFault::kBadConditions);
  const std::array unknown{ConditionOn<Probe>(Key(1), Any())};
  EXPECT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, IfOthers(unknown)).fault(),
            SendFault::kNotInEngine);
  const std::array zero{ConditionOn<Account>(Key(), Any())};
  EXPECT_EQ(producer.Submit<Account>(Key(1), Deposit{1}, IfOthers(zero)).fault(),
            SendFault::kNotInEngine);
  // None of it took a sequence or a place in the window.
  EXPECT_EQ(producer.last_sequence(), Sequence(1));
  EXPECT_EQ(producer.in_flight(), 0U);
}

TEST_F(ConditionsTest, ACommandSeesWhatTheOneBeforeInItsBatchDid) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  std::vector<Addressed<Deposit>> batch;
  for (std::uint64_t i = 0; i < 100; ++i) batch.push_back({Key(1), Deposit{1}, Exact(Version(i))});
  batch.push_back({Key(1), Deposit{1}, Exact(Version(99))});  // too late by one
  batch.push_back({Key(1), Deposit{1}});                      // the options' condition: Exists()
  batch.push_back({Key(2), Deposit{1}});                      // likewise, and does not hold
  const SentBatch sent =
      producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(batch), If(Exists()));
  ASSERT_EQ(sent.count, batch.size());
  const std::vector<Completion> got = Collect(producer, batch.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].sequence, sent.first.Plus(i));
    const bool is_conflict = i == 100 || i == 102;
    EXPECT_EQ(got[i].verdict.kind(), is_conflict ? VerdictKind::kConflict : VerdictKind::kAccepted)
        << i;
  }
  EXPECT_EQ(got[100].receipt.version, Version(100));
  EXPECT_EQ(got[100].receipt.position, got[99].receipt.position);
  EXPECT_EQ(got[101].receipt.version, Version(101));
  EXPECT_EQ(got[102].receipt.version, Version());
  EXPECT_EQ(Cents(Key(1)), 101);
  EXPECT_EQ(Cents(Key(2)), -1);
}

TEST_F(ConditionsTest, CommandsWrittenInPlaceHaveConditionsOfTheirOwn) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const SentBatch sent = producer.SubmitBatch<Account, Deposit>(
      4,
      [](std::uint32_t i, Key& key, Deposit& command, Condition& condition) noexcept {
        key = Key(1);
        command.cents = 1;
        if (i != 2) condition = Exact(Version(i));  // the third keeps the options': NoStream()
      },
      If(NoStream()));
  ASSERT_EQ(sent.count, 4U);
  std::vector<VerdictKind> kinds;
  for (const Completion& each : Collect(producer, 4)) kinds.push_back(each.verdict.kind());
  EXPECT_EQ(kinds, (std::vector{VerdictKind::kAccepted, VerdictKind::kAccepted,
                                VerdictKind::kConflict, VerdictKind::kConflict}));
}

// A conflict may rest on an event that a power cut takes: its answer waits for the level.
TEST_F(ConditionsTest, ADurableConflictWaitsForWhatItConflictsWith) {
  EngineOptions options = directory_.Options();
  options.storage = &storage_;
  Open(options);
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  storage_.Shut();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, {.ack = Ack::kPublished}));
  EXPECT_EQ(Collect(producer, 1)[0].verdict, Accept());
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, {.condition = Exact(Version(1))}));
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1},
                                       {.ack = Ack::kPublished, .condition = Exact(Version(1))}));
  // The later one, which asked for less, is there; the durable one is not.
  const std::vector<Completion> first = Collect(producer, 1);
  EXPECT_EQ(first[0].verdict.kind(), VerdictKind::kConflict);
  EXPECT_EQ(first[0].receipt.level, Ack::kPublished);
  EXPECT_EQ(producer.in_flight(), 1U);
  storage_.Open();
  const std::vector<Completion> second = Collect(producer, 1);
  EXPECT_EQ(second[0].verdict.kind(), VerdictKind::kConflict);
  EXPECT_EQ(second[0].receipt.level, Ack::kDurable);
  EXPECT_EQ(second[0].receipt.version, Version(2));
}

TEST_F(ConditionsTest, AResendOfAConflictIsNotDecidedAgain) {
  Open(Threads::kHost);
  Producer producer = NewProducer("teller");
  const Sent sent = producer.Submit<Account>(Key(1), Deposit{1}, If(Exists()));
  ASSERT_TRUE(sent);
  EXPECT_EQ(Collect(producer, 1)[0].verdict.kind(), VerdictKind::kConflict);
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{5}).ok());
  // The condition would hold by now.
  SubmitOptions resend = If(Exists());
  resend.resend = sent.sequence();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, resend));
  const Completion again = Collect(producer, 1)[0];
  EXPECT_EQ(again.verdict.kind(), VerdictKind::kConflict);
  EXPECT_TRUE(again.receipt.is_duplicate);
  EXPECT_EQ(Cents(Key(1)), 5);
}

// The receipt of a conflict names a record that is there.
TEST_F(ConditionsTest, AConflictWithAnEarlierEpochNamesThatEpoch) {
  Open(Threads::kHost);
  Receipt first;
  {
    Producer producer = NewProducer();
    first = producer.Execute<Account>(Key(1), Deposit{1}).value();
  }
  Reopen(Threads::kHost);
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, If(NoStream())));
  const Completion conflict = Collect(producer, 1)[0];
  EXPECT_EQ(conflict.verdict.kind(), VerdictKind::kConflict);
  EXPECT_EQ(conflict.receipt.position, first.position);
  EXPECT_EQ(conflict.receipt.epoch, first.epoch);
  EXPECT_EQ(engine_->Confirm(conflict.receipt).value().presence, Presence::kPresent);
}

// Two producers race for every version: each of them is won once, and the streams hold what the
// winners put in.
TEST_F(ConditionsTest, OfTwoProducersOneWinsEachVersion) {
  Open();
  constexpr std::uint64_t kRounds = 2000;
  std::array<std::uint64_t, 2> won{};
  const auto race = [&](std::size_t who) {
    Producer producer = NewProducer();
    for (std::uint64_t version = 0; version < kRounds; ++version) {
      const absl::StatusOr<Receipt> result =
          producer.Execute<Account>(Key(1), Deposit{1}, If(Exact(Version(version))));
      if (result.ok()) {
        EXPECT_EQ(result->version, Version(version + 1));
        ++won[who];
      } else {
        EXPECT_GT(ConflictIn(result).version, Version(version));
      }
    }
  };
  std::thread other(race, 1);
  race(0);
  other.join();
  EXPECT_EQ(won[0] + won[1], kRounds);
  EXPECT_EQ(Cents(Key(1)), static_cast<std::int64_t>(kRounds));
}

// Against a model: random conditions on random streams, own and other, mixed in one queue.
TEST_F(ConditionsTest, RandomConditionsAreJudgedAsAModelDoes) {
  const std::uint64_t seed = SeedOfTest();
  std::mt19937_64 random(seed);
  Open(Threads::kHost);
  Producer producer = NewProducer("model");
  constexpr std::uint64_t kKeys = 5;
  struct Stream {
    Version version{};
    Position last{};
  };
  std::array<Stream, kKeys + 1> model;
  const auto draw = [&](const Stream& stream) {
    const auto near = [&](std::uint64_t value) {
      return value + random() % 3 - (value == 0 ? 0 : random() % 2);
    };
    switch (random() % 5) {
      case 0: return NoStream();
      case 1: return Exists();
      case 2: return Exact(Version(near(stream.version.value())));
      case 3: return UnchangedSince(Position(near(stream.last.value())));
      default: return Any();
    }
  };
  int conflicts = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Key key(1 + random() % kKeys);
    Stream& own = model[key.low];
    SubmitOptions options = If(draw(own));
    std::vector<StreamCondition> others;
    for (std::uint64_t left = random() % 3; left != 0; --left) {
      const Key other(1 + random() % kKeys);
      others.push_back(ConditionOn<Account>(other, draw(model[other.low])));
    }
    options.others = others;
    // As documented: those on others first, in order; then the one on its own stream.
    std::uint16_t failed = 0;
    bool holds = true;
    for (std::size_t n = 0; n < others.size() && holds; ++n) {
      const Stream& stream = model[others[n].key.low];
      holds = others[n].condition.Holds(stream.version, stream.last);
      failed = static_cast<std::uint16_t>(n + 1);
    }
    if (holds) failed = 0;
    holds = holds && options.condition.Holds(own.version, own.last);
    ASSERT_TRUE(producer.Submit<Account>(key, Deposit{1}, options));
    const Completion got = Collect(producer, 1)[0];
    if (holds) {
      ASSERT_TRUE(got.verdict.is_accepted()) << "seed " << seed << " step " << i;
      own = {own.version.Next(), got.receipt.position};
      ASSERT_EQ(got.receipt.version, own.version);
    } else {
      ++conflicts;
      ASSERT_EQ(got.verdict, Verdict(VerdictKind::kConflict, failed))
          << "seed " << seed << " step " << i;
      const Stream& stream = failed == 0 ? own : model[others[failed - 1U].key.low];
      ASSERT_EQ(got.receipt.version, stream.version);
      ASSERT_EQ(got.receipt.position, stream.last);
    }
  }
  EXPECT_GT(conflicts, 1000);
}

}  // namespace
}  // namespace pawl
