// The log read as typed events: of one aggregate in both directions, and of all of a type.

#include "pawl/history.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"
#include "pawl/event_reader.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

// As README.md shows it; readme_test.py compares them.
// clang-format off
// [readme]
// The newest five movements of an account; then the withdrawals of all accounts since a checkpoint.
absl::StatusOr<pawl::Position> PrintMovements(pawl::Engine& engine, const pawl::Key& key,
                                              pawl::Position checkpoint) {
  struct {
    void operator()(const Deposited& e, const pawl::Meta& m) noexcept { Print(m, e.cents); }
    void operator()(const Withdrawn& e, const pawl::Meta& m) noexcept { Print(m, -e.cents); }
    static void Print(const pawl::Meta& m, std::int64_t cents) noexcept {
      std::printf("position %llu, version %llu: %+lld\n",
                  static_cast<unsigned long long>(m.position.value()),
                  static_cast<unsigned long long>(m.version.value()),
                  static_cast<long long>(cents));
    }
  } print;

  auto history = engine.NewHistory<Account>(key);           // one account, both directions
  if (!history.ok()) return history.status();
  if (absl::Status s = history->StandAtEnd(); !s.ok()) return s;
  history->Backward(print, 5);                              // or StandBefore(version), Forward

  auto withdrawals = engine.NewEventReader<Account, Withdrawn>();  // all accounts, one type
  if (!withdrawals.ok()) return withdrawals.status();
  withdrawals->StartAt(checkpoint.Next());
  withdrawals->Forward(print);
  if (!withdrawals->status().ok()) return withdrawals->status();
  return withdrawals->position();                           // the next checkpoint
}
// [/readme]
// clang-format on

// What a visitor saw: key, position, version, cents (negative: withdrawn).
using Seen = std::tuple<Key, std::uint64_t, std::uint64_t, std::int64_t>;

struct BankVisitor {
  std::vector<Seen> seen{};

  void operator()(const Deposited& e, const Meta& m) noexcept { Add(m, e.cents); }
  void operator()(const Withdrawn& e, const Meta& m) noexcept { Add(m, -e.cents); }
  void Add(const Meta& m, std::int64_t cents) {
    EXPECT_NE(m.time_ns, 0U);
    seen.emplace_back(m.key, m.position.value(), m.version.value(), cents);
  }
};

struct Vault {  // has an event type in common with the bank's accounts
  using Commands = pawl::Commands<Deposit>;
  using Events = pawl::Events<Deposited>;
  static constexpr std::string_view kCategory = "vault";
  struct State {};
  static Verdict Decide(const State&, const Deposit& c, Emit<Vault>& emit) noexcept {
    emit(Deposited{c.cents});
    return Accept();
  }
  static void Evolve(State&, const Deposited&) noexcept {}
};

struct Counter {
  int empty = 0;
  int probed = 0;

  void operator()(const Emptied&, const Meta&) noexcept { ++empty; }
  void operator()(const Probed&, const Meta&) noexcept { ++probed; }
  template <std::size_t kBytes>
  void operator()(const Filled<kBytes>&, const Meta&) noexcept {}
};

class HistoryTest : public BankTest {
 protected:
  // Small segments, so that there are many.
  EngineOptions SmallSegments() const {
    EngineOptions options = directory_.Options();
    options.segment_bytes = kSegmentBytesMin;
    options.undurable_bytes_max = 16 * kSegmentBytesMin;
    return options;
  }
  void OpenSmall() {
    auto opened = Engine::Open(SmallSegments(), Aggregates<Account, Probe>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
  }
  template <class C>
  void Run(Producer& producer, std::uint64_t key, const C& command) {
    const auto receipt = producer.Execute<Account>(Key(key), command, kQuick);
    ASSERT_TRUE(receipt.ok()) << receipt.status();
  }
  // Accounts 1…20, probes between, over several segments and two lives.
  void Fill() {
    for (int life = 0; life < 2; ++life) {
      ASSERT_NO_FATAL_FAILURE(OpenSmall());
      Producer producer = NewProducer();
      for (std::uint64_t i = 0; i < 1500; ++i) {
        const std::uint64_t key = 1 + i % 20;
        ASSERT_NO_FATAL_FAILURE(Run(producer, key, Deposit{static_cast<std::int64_t>(i + 2)}));
        if (i % 3 == 0) {
          ASSERT_NO_FATAL_FAILURE(Run(producer, key, Withdraw{1}));
        }
        if (i % 50 == 49) {
          ASSERT_NO_FATAL_FAILURE(Run(producer, key, Transfer{Key(1 + (i + 1) % 20), 1}));
          ASSERT_TRUE(producer.Execute<Probe>(Key(i), EmitMany{3, 0, Key()}, kQuick).ok());
        }
      }
      if (life == 0) {
        { const Producer ends_before_its_engine = std::move(producer); }
        engine_.reset();
      }
    }
    ASSERT_TRUE(Await([this] { return engine_->log().durable() == engine_->log().published(); }));
    ASSERT_GT(engine_->log().published().value(), 6 * kSegmentBytesMin);
  }
  // The bank's events, by a scan of the log; of one account if `key` is not 0.
  std::vector<Seen> Scan(const Key& key = Key()) const {
    std::vector<Seen> events;
    std::vector<std::pair<Key, std::uint16_t>> streams{{}};
    std::vector<std::string> types{""};
    std::vector<std::string> categories{""};
    for (const SeenRecord& record : ReadLog(*engine_)) {
      if (record.kind == RecordKind::kCategoryBound) categories.push_back(record.payload);
      if (record.kind == RecordKind::kTypeBound) types.push_back(record.payload.substr(24, 14));
      if (record.kind == RecordKind::kStreamBound) {
        const auto bound = record.As<StreamBound>();
        streams.emplace_back(Key(bound.key_high, bound.key_low), record.type);
      }
      if (record.kind != RecordKind::kEvent) continue;
      const auto& [owner, category] = streams[record.stream];
      if (categories[category] != "account" || (!key.is_zero() && owner != key)) continue;
      const std::int64_t cents = record.As<Deposited>().cents;
      events.emplace_back(owner, record.position, record.version,
                          types[record.type] == "bank.deposited" ? cents : -cents);
    }
    return events;
  }
  History<Account> Open(const Key& key, const ReadOptions& options = {}) {
    auto opened = engine_->NewHistory<Account>(key, options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }

  GateStorage gate_;
};

TEST_F(HistoryTest, AnAggregatesEventsAreReadForwardAndBackwardByTheirTypes) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  for (std::uint64_t key = 1; key <= 20; ++key) {
    std::vector<Seen> expected = Scan(Key(key));
    ASSERT_GT(expected.size(), 100U);
    History<Account> history = Open(Key(key));
    BankVisitor forward;
    EXPECT_EQ(history.Backward(forward), 0U) << "it stands at the start";
    EXPECT_EQ(history.Forward(forward), expected.size());
    EXPECT_EQ(forward.seen, expected);
    EXPECT_EQ(history.Forward(forward), 0U);
    std::reverse(expected.begin(), expected.end());
    BankVisitor backward;
    EXPECT_EQ(history.Backward(backward), expected.size());
    EXPECT_EQ(backward.seen, expected);
    ASSERT_TRUE(history.StandAtEnd().ok());
    BankVisitor again;
    EXPECT_EQ(history.Backward(again), expected.size());
    EXPECT_EQ(again.seen, expected);
    EXPECT_TRUE(history.status().ok());
  }
}

TEST_F(HistoryTest, ACountAndAVersionLimitWhatIsRead) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  const std::vector<Seen> expected = Scan(Key(7));
  History<Account> history = Open(Key(7));
  for (std::uint64_t version = 1; version <= expected.size() + 1; version += 13) {
    ASSERT_TRUE(history.StandBefore(Version(version)).ok());
    const std::size_t at = version - 1;
    const std::size_t count = std::min<std::size_t>(5, expected.size() - at);
    BankVisitor forward;
    ASSERT_EQ(history.Forward(forward, 5), count);
    ASSERT_TRUE(std::equal(forward.seen.begin(), forward.seen.end(),
                           expected.begin() + static_cast<std::ptrdiff_t>(at)));
    ASSERT_TRUE(history.StandBefore(Version(version)).ok());
    BankVisitor backward;
    ASSERT_EQ(history.Backward(backward, 3), std::min<std::size_t>(3, at));
    for (std::size_t i = 0; i < backward.seen.size(); ++i) {
      ASSERT_EQ(backward.seen[i], expected[at - 1 - i]);
    }
  }
  EXPECT_EQ(history.Forward([](const auto&, const Meta&) noexcept {}, 0), 0U);
  EXPECT_TRUE(history.StandBefore(Version(expected.size() + 1)).ok());
  EXPECT_EQ(history.StandBefore(Version(expected.size() + 2)).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(history.StandBefore(Version()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(history.status().ok()) << "a version out of range is no fault of the log";
}

TEST_F(HistoryTest, FollowsItsAggregateAndKnowsWhatIsDurable) {
  EngineOptions options = directory_.Options();
  options.storage = &gate_;
  BankTest::Open(options);
  const GateOpener opener(gate_);
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  History<Account> published = Open(Key(1));
  History<Account> durable = Open(Key(1), {.level = Ack::kDurable});
  auto all = engine_->NewEventReader<Account>({.level = Ack::kDurable});
  ASSERT_TRUE(all.ok());
  const auto ignore = [](const auto&, const Meta&) noexcept {};
  EXPECT_EQ(published.Forward(ignore), 1U);
  EXPECT_EQ(durable.Forward(ignore), 1U);
  EXPECT_EQ(all->Forward(ignore), 1U);
  gate_.Shut();
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(Run(producer, 1, Deposit{1}));
  EXPECT_EQ(published.Forward(ignore), 3U);
  EXPECT_EQ(durable.Forward(ignore), 0U);
  EXPECT_EQ(all->Forward(ignore), 0U);
  ASSERT_TRUE(durable.StandAtEnd().ok());
  EXPECT_EQ(durable.Backward(ignore), 1U);
  EXPECT_EQ(durable.StandBefore(Version(3)).code(), absl::StatusCode::kOutOfRange);
  gate_.Open();
  ASSERT_TRUE(Await([this] { return engine_->log().durable() == engine_->log().published(); }));
  EXPECT_EQ(durable.Forward(ignore), 3U) << "it stands at the end that there was";
  EXPECT_EQ(all->Forward(ignore), 3U);
  ASSERT_TRUE(engine_->Stop().ok());
  EXPECT_EQ(Open(Key(1)).Forward(ignore), 4U) << "after Stop()";
}

TEST_F(HistoryTest, WhatIsNotThereIsRefused) {
  BankTest::Open();
  EXPECT_EQ(engine_->NewHistory<Account>(Key(1)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(engine_->NewHistory<Account>(Key()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(engine_->NewHistory<Probe>(Key(1)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->NewEventReader<Probe>().status().code(), absl::StatusCode::kInvalidArgument);
  auto none = engine_->NewEventReader<Account>();
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->Forward([](const auto&, const Meta&) noexcept {}), 0U);
}

TEST_F(HistoryTest, AllAggregatesOfATypeAreReadInTheOrderOfTheLog) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  const std::vector<Seen> expected = Scan();
  auto reader = engine_->NewEventReader<Account>();
  ASSERT_TRUE(reader.ok()) << reader.status();
  BankVisitor all;
  while (reader->Forward(all, 100) == 100) {
    // Whoever goes on from the checkpoint misses nothing and gets nothing twice.
    auto other = engine_->NewEventReader<Account>();
    other->StartAt(reader->position().Next());
    BankVisitor next;
    other->Forward(next, 1);
    ASSERT_EQ(next.seen.empty(), all.seen.size() == expected.size());
    if (!next.seen.empty()) {
      ASSERT_EQ(next.seen[0], expected[all.seen.size()]);
    }
  }
  EXPECT_EQ(all.seen, expected);
  EXPECT_TRUE(reader->status().ok());
  EXPECT_EQ(reader->position().value(), ReadLog(*engine_).back().position);
}

TEST_F(HistoryTest, OneTypeOfAnAggregatesEventsIsReadAlone) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  std::vector<Seen> expected = Scan();
  std::erase_if(expected, [](const Seen& seen) { return std::get<3>(seen) > 0; });
  auto reader = engine_->NewEventReader<Account, Withdrawn>();
  ASSERT_TRUE(reader.ok()) << reader.status();
  BankVisitor withdrawals;
  EXPECT_EQ(reader->Forward(withdrawals), expected.size());
  EXPECT_EQ(withdrawals.seen, expected);
}

TEST_F(HistoryTest, EventsOfASharedTypeAreReadOfTheOneAggregateOnly) {
  auto opened = Engine::Open(directory_.Options(), Aggregates<Account, Vault>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  Producer producer = NewProducer();
  for (int i = 1; i <= 10; ++i) {
    ASSERT_NO_FATAL_FAILURE(Run(producer, 1, Deposit{i}));
    ASSERT_TRUE(producer.Execute<Vault>(Key(1), Deposit{-i}, kQuick).ok());
  }
  BankVisitor accounts;
  EXPECT_EQ((engine_->NewEventReader<Account, Deposited>()->Forward(accounts)), 10U);
  EXPECT_EQ(accounts.seen, Scan());
  BankVisitor vault;
  EXPECT_EQ(engine_->NewHistory<Vault>(Key(1))->Forward(vault), 10U);
  EXPECT_EQ(std::get<3>(vault.seen.back()), -10);
}

TEST_F(HistoryTest, TheExampleOfTheReadmeGoesOnFromItsCheckpoint) {
  BankTest::Open();
  EXPECT_EQ(PrintMovements(*engine_, Key(1), Position()).status().code(),
            absl::StatusCode::kNotFound);
  Producer producer = NewProducer();
  Position checkpoint;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5; ++i) {
      ASSERT_NO_FATAL_FAILURE(Run(producer, 1, Deposit{500}));
      ASSERT_NO_FATAL_FAILURE(Run(producer, 1, Withdraw{100}));
    }
    const auto printed = PrintMovements(*engine_, Key(1), checkpoint);
    ASSERT_TRUE(printed.ok()) << printed.status();
    EXPECT_EQ(printed->value(), ReadLog(*engine_).back().position);
    checkpoint = *printed;
  }
}

TEST_F(HistoryTest, EventsWithoutFieldsAndOfManyTypesReachTheirVisitor) {
  ASSERT_NO_FATAL_FAILURE(OpenSmall());
  Producer producer = NewProducer();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitEmpty{}, kQuick).ok());
    ASSERT_TRUE(producer.Execute<Probe>(Key(1), EmitMany{2, 0, Key()}, kQuick).ok());
  }
  Counter counter;
  auto history = engine_->NewHistory<Probe>(Key(1));
  ASSERT_TRUE(history.ok());
  EXPECT_EQ(history->Forward(counter), 9U);
  EXPECT_EQ(counter.empty, 3);
  EXPECT_EQ(counter.probed, 6);
  auto both = engine_->NewEventReader<Probe, Probed, Emptied>();
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both->Forward(counter), 9U);
  EXPECT_EQ(counter.empty, 6) << "indexes are those of the types named, not of all";
  EXPECT_EQ(counter.probed, 12);
  auto swapped = engine_->NewEventReader<Probe, Emptied, Probed>();
  EXPECT_EQ(swapped->Forward(counter), 9U);
  EXPECT_EQ(counter.empty, 9);
}

}  // namespace
}  // namespace pawl
