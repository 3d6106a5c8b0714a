// Closing: an aggregate ends, its place is free, its key may be used again, and what happened stays
// in the log.

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "ending_aggregates.h"
#include "log_records.h"
#include "test_seed.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

SubmitOptions If(Condition condition) { return {.ack = Ack::kPublished, .condition = condition}; }

class CloseTest : public ::testing::Test {
 protected:
  using Known = Aggregates<Sheet, Heap>;
  struct Seen {
    std::uint64_t version;
    std::int64_t sum;
    std::int64_t events;
    friend bool operator==(const Seen&, const Seen&) = default;
  };

  void TearDown() override {
    producer_.reset();
    engine_.reset();
  }
  void Open(const EngineOptions& options) {
    producer_.reset();
    engine_.reset();
    auto opened = Engine::Open(options, Known{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    auto producer = engine_->NewProducer();
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = std::make_unique<Producer>(*std::move(producer));
  }
  void Open(std::uint32_t streams_max = 8) {
    EngineOptions options = directory_.Options(Threads::kHost);
    options.streams_max = streams_max;
    Open(options);
  }

  template <class A = Sheet, class C>
  absl::StatusOr<Receipt> Run(std::uint64_t key, const C& command,
                              const SubmitOptions& options = kQuick) {
    return producer_->Execute<A>(Key(key), command, options);
  }
  template <class C>
  Receipt Ok(std::uint64_t key, const C& command) {
    const auto receipt = Run(key, command);
    EXPECT_TRUE(receipt.ok()) << receipt.status();
    return receipt.value_or(Receipt{});
  }
  // Expects that it is refused for a limit, which is how misuse ends too.
  template <class C>
  void OverLimit(std::uint64_t key, const C& command) {
    const auto result = Run(key, command);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition) << result.status();
    EXPECT_EQ(RefusalCode(result.status()), 0) << result.status();
  }
  static Conflict ConflictIn(const absl::StatusOr<Receipt>& result) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kAborted) << result.status();
    return ConflictOf(result.status()).value_or(Conflict{.condition = 999});
  }

  std::map<std::uint64_t, Seen> Sheets() {
    std::map<std::uint64_t, Seen> all;
    const absl::Status visited = engine_->VisitAggregates<Sheet>(
        [&all](const Key& key, Version version, const Sheet::State& state) {
          all[key.low] = {version.value(), state.sum, state.events};
        });
    EXPECT_TRUE(visited.ok()) << visited;
    return all;
  }
  std::vector<SeenRecord> Records() { return ReadLog(*engine_); }
  Position Newest() { return Position(Records().back().position); }
  // Values of the events of a history.
  template <class Which>
  std::vector<std::int64_t> ValuesOf(const Which& which) {
    auto history = engine_->NewHistory<Sheet>(which);
    EXPECT_TRUE(history.ok()) << history.status();
    if (!history.ok()) return {};
    struct {
      void operator()(const Scribbled& e, const Meta&) noexcept { values.push_back(e.value); }
      void operator()(const Observed&, const Meta&) noexcept {}
      std::vector<std::int64_t> values{};
    } visitor;
    history->Forward(visitor);
    EXPECT_TRUE(history->status().ok()) << history->status();
    return visitor.values;
  }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Producer> producer_;
};

TEST_F(CloseTest, AClosedAggregateDoesNotExistAndItsKeyBeginsAnew) {
  Open();
  Ok(1, Scribble{5});
  Ok(1, Scribble{6});
  const Receipt closed = Ok(1, End{});
  EXPECT_EQ(closed.version, Version(2)) << "of its newest event";
  EXPECT_TRUE(Sheets().empty());
  const SeenRecord record = Records().back();
  EXPECT_EQ(record.position, closed.position.value());
  EXPECT_EQ(record.kind, RecordKind::kStreamClosed);
  EXPECT_EQ(record.stream, 1U);
  EXPECT_EQ(record.version, 2U);
  EXPECT_EQ(record.type, 1U) << "its category";
  EXPECT_EQ(record.back_link, closed.position.value() - 1);
  EXPECT_EQ(record.payload, "");

  // Decide and Others see none.
  Ok(1, Observe{Key(2), 0});
  EXPECT_EQ(EventsOf(Records()).back().As<Observed>().version, 0U);
  EXPECT_EQ(EventsOf(Records()).back().As<Observed>().sum, -1);

  EXPECT_EQ(Ok(1, Scribble{7}).version, Version(1));
  EXPECT_EQ(Sheets().at(1), (Seen{1, 7, 1}));
  EXPECT_EQ(EventsOf(Records()).back().stream, 3U) << "numbers are not given again";
  EXPECT_EQ(EventsOf(Records()).back().back_link, 0U);
}

TEST_F(CloseTest, DecideSeesTheAggregateUntilTheCommandEnds) {
  Open();
  Ok(1, Scribble{5});
  Ok(1, Observe{Key(2), 1});
  const auto seen = EventsOf(Records()).back().As<Observed>();
  EXPECT_EQ(seen.version, 1U);
  EXPECT_EQ(seen.sum, 5) << "Others shows what was before the command";
  EXPECT_EQ(seen.after, 0U) << "version() behind Close()";
  EXPECT_FALSE(Sheets().contains(1));
}

TEST_F(CloseTest, EventsBeforeItBelongToTheAggregateAndOnesBehindItAreRefused) {
  Open();
  Ok(1, Scribble{5});
  EXPECT_EQ(Ok(1, WriteAndEnd{6}).version, Version(2));
  EXPECT_TRUE(Sheets().empty());
  // One that the same command made.
  EXPECT_EQ(Ok(2, WriteAndEnd{1}).version, Version(1));
  EXPECT_TRUE(Sheets().empty());

  Ok(1, Scribble{7});
  Ok(2, Scribble{8});
  const std::vector<SeenRecord> before = Records();
  OverLimit(1, EndAndWrite{});
  OverLimit(1, EndOtherAndWriteThere{Key(2)});
  EXPECT_EQ(Records(), before);
  EXPECT_EQ(Sheets(), (std::map<std::uint64_t, Seen>{{1, {1, 7, 1}}, {2, {1, 8, 1}}}));
  // They live on as if nothing had been asked.
  EXPECT_EQ(Ok(1, Scribble{1}).version, Version(2));
  EXPECT_EQ(Ok(2, End{}).version, Version(1));
}

TEST_F(CloseTest, WhatIsNotThereIsLeftSoAndClosingTwiceIsClosingOnce) {
  Open();
  const std::size_t before = Records().size();
  const Receipt nothing = Ok(1, End{});
  EXPECT_EQ(nothing, (Receipt{.epoch = nothing.epoch})) << "nothing was appended";
  EXPECT_EQ(Records().size(), before);
  Ok(1, Scribble{5});
  Ok(1, EndTwice{});
  const auto records = Records();
  EXPECT_EQ(
      std::count_if(records.begin(), records.end(),
                    [](const SeenRecord& each) { return each.kind == RecordKind::kStreamClosed; }),
      1);
  Ok(1, End{});
  EXPECT_EQ(Records(), records);
  // A session remembers that it was accepted.
  auto teller = engine_->NewProducer({.session = "teller"});
  ASSERT_TRUE(teller.ok());
  ASSERT_TRUE(teller->Execute<Sheet>(Key(1), End{}, kQuick).ok());
  EXPECT_EQ(Records().back().kind, RecordKind::kAccepted);
}

TEST_F(CloseTest, OthersAreClosedInTheSameCommit) {
  Open();
  Ok(1, Scribble{1});
  Ok(2, Scribble{2});
  ASSERT_TRUE(Run<Heap>(2, Pile{3}).ok());
  const Receipt both = Ok(1, EndOther{Key(2), 1});
  EXPECT_EQ(both.version, Version(2));
  EXPECT_TRUE(Sheets().empty());
  std::vector<SeenRecord> records = Records();
  const std::vector<SeenRecord> last(records.end() - 3, records.end());
  EXPECT_EQ(last[0].kind, RecordKind::kEvent);
  EXPECT_EQ(last[1].kind, RecordKind::kStreamClosed);
  EXPECT_EQ(last[1].stream, 2U);
  EXPECT_EQ(last[2].kind, RecordKind::kStreamClosed);
  EXPECT_EQ(last[2].stream, 1U);
  EXPECT_EQ(last[0].commit, last[2].commit);
  // Of another category, with the same key.
  ASSERT_TRUE(Run(7, EndPile{Key(2)}).ok());
  EXPECT_EQ(Records().back().type, 2U);
  bool has_heap = false;
  ASSERT_TRUE(engine_
                  ->VisitAggregates<Heap>(
                      [&has_heap](const Key&, Version, const Heap::State&) { has_heap = true; })
                  .ok());
  EXPECT_FALSE(has_heap);
  OverLimit(1, EndOther{Key(), 0});  // key 0
}

TEST_F(CloseTest, ARefusedCommandThatClosedLeavesNothing) {
  Open(3);
  Ok(1, Scribble{1});
  Ok(2, Scribble{2});
  const std::vector<SeenRecord> before = Records();
  const auto sheets = Sheets();
  const auto hash = engine_->StateHash();
  ASSERT_TRUE(hash.ok());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(RefusalCode(Run(1, EndAllAndRefuse{Key(2), Key(3)}).status()), Sheet::kRefusal);
    // Of aggregates that are not there.
    EXPECT_EQ(RefusalCode(Run(3, EndAllAndRefuse{Key(2), Key(1)}).status()), Sheet::kRefusal);
  }
  EXPECT_EQ(Records(), before);
  EXPECT_EQ(Sheets(), sheets);
  EXPECT_EQ(engine_->StateHash().value(), *hash);
  EXPECT_TRUE(Run(1, Scribble{1}, If(Exact(Version(1)))).ok());
  EXPECT_TRUE(Run(2, Scribble{1}, If(Exact(Version(1)))).ok());
  EXPECT_TRUE(Run(3, Scribble{1}, If(NoStream())).ok()) << "the third place is free";
  EXPECT_TRUE(Run(3, End{}, If(UnchangedSince(Newest()))).ok());
}

TEST_F(CloseTest, ConditionsBehindAClosing) {
  Open();
  const Position first = Ok(1, Scribble{1}).position;
  const Position second = Ok(1, Scribble{2}).position;
  const Position closing = Ok(1, End{}).position;
  const Conflict gone{.condition = 0, .version = Version(), .position = closing};
  EXPECT_EQ(ConflictIn(Run(1, Scribble{9}, If(Exists()))), gone);
  EXPECT_EQ(ConflictIn(Run(1, Scribble{9}, If(Exact(Version(2))))), gone);
  EXPECT_EQ(ConflictIn(Run(1, Scribble{9}, If(UnchangedSince(first)))), gone);
  EXPECT_EQ(ConflictIn(Run(1, Scribble{9}, If(UnchangedSince(second)))), gone)
      << "who saw it alive must not take it for one that never was";
  EXPECT_TRUE(Run(1, End{}, If(NoStream())).ok());
  EXPECT_TRUE(Run(1, End{}, If(UnchangedSince(closing))).ok());
  EXPECT_TRUE(Run(2, End{}, If(UnchangedSince(Position()))).ok()) << "a key that never was";
  // As a condition on another stream.
  const std::array on_gone{ConditionOn<Sheet>(Key(1), UnchangedSince(second))};
  EXPECT_EQ(ConflictIn(Run(2, Scribble{9}, {.ack = Ack::kPublished, .others = on_gone})),
            (Conflict{.condition = 1, .version = Version(), .position = closing}));

  // The next life.
  const Receipt again = Ok(1, Scribble{3});
  EXPECT_TRUE(Run(1, End{}, If(Exists())).ok());
  const Position closed_again = Newest();
  EXPECT_EQ(ConflictIn(Run(1, Scribble{9}, If(UnchangedSince(again.position)))).position,
            closed_again);

  // The same after the log is opened again.
  Open();
  EXPECT_EQ(ConflictIn(Run(1, Scribble{9}, If(UnchangedSince(again.position)))).position,
            closed_again);
  EXPECT_TRUE(Run(1, End{}, If(UnchangedSince(closed_again))).ok());
  EXPECT_TRUE(Run(2, End{}, If(UnchangedSince(Position()))).ok());
}

// Within one turn, where the streams of all commands were looked up before the first was decided.
TEST_F(CloseTest, GuessesAreNotTakenForAnAggregateThatIsGone) {
  Open(4);
  Ok(1, Scribble{1});
  Ok(2, Scribble{2});
  const auto send = [this](std::uint64_t key, const auto& command) {
    ASSERT_TRUE(producer_->Submit<Sheet>(Key(key), command, kQuick));
  };
  send(1, EndOther{Key(2), 0});  // writes to 1
  send(2, Scribble{20});         // a new 2, in the place that was its own
  send(1, End{});
  send(3, Scribble{30});  // in the place that was 1's
  send(1, Scribble{10});  // in a place never used
  send(3, End{});
  send(2, Scribble{21});
  send(1, Scribble{11});
  std::vector<Completion> answers;
  while (answers.size() < 8) {
    engine_->Poll(kWholeTurns);
    producer_->Poll([&answers](const Completion& c) noexcept { answers.push_back(c); });
  }
  std::vector<std::uint64_t> versions;
  for (const Completion& each : answers) {
    EXPECT_TRUE(each.verdict.is_accepted());
    versions.push_back(each.receipt.version.value());
  }
  EXPECT_EQ(versions, (std::vector<std::uint64_t>{2, 1, 2, 1, 1, 1, 2, 2}));
  const std::map<std::uint64_t, Seen> expected{{1, {2, 21, 2}}, {2, {2, 41, 2}}};
  EXPECT_EQ(Sheets(), expected);
  Open(4);
  EXPECT_EQ(Sheets(), expected);
}

TEST_F(CloseTest, PlacesOfClosedAggregatesAreFreeForTheNextCommand) {
  constexpr std::uint64_t kMax = 5;
  Open(kMax);
  Ok(100, MakeMany{1, kMax});
  OverLimit(6, Scribble{1});
  Ok(1, End{});
  EXPECT_EQ(Ok(6, Scribble{6}).version, Version(1));
  OverLimit(7, Scribble{1});
  // Room that a command makes is there for the next one only.
  OverLimit(2, Observe{Key(8), 1});
  EXPECT_EQ(Sheets().size(), kMax);
  EXPECT_EQ(engine_->Stats().categories[0].streams, kMax);
}

TEST_F(CloseTest, ClosingsCountAsEventsOfACommand) {
  Open(2048);
  Ok(5000, MakeMany{1, 1024});
  OverLimit(5000, EndMany{1, 513, 1});
  Ok(5000, MakeMany{1025, 1});
  OverLimit(5000, EndMany{1, 1025, 0});
  EXPECT_EQ(Sheets().size(), 1025U);
  Ok(5000, EndMany{2, 1024, 0});
  Ok(5000, EndMany{1, 1, 0});
  EXPECT_TRUE(Sheets().empty());
  Ok(5000, EndMany{1, 512, 1});  // makes, writes and closes: a record each
  EXPECT_TRUE(Sheets().empty());
}

TEST_F(CloseTest, EveryLifeOfAKeyStaysReadable) {
  Open();
  const auto none = engine_->FindLives<Sheet>(Key(1));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->empty());
  EXPECT_EQ(engine_->NewHistory<Sheet>(Key(1)).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Run<Heap>(1, Pile{9}).ok());  // the same key, another category
  const auto live = [this](std::int64_t life, std::size_t events) {
    for (std::size_t i = 0; i < events; ++i) Ok(1, Scribble{10 * life + static_cast<int>(i)});
    Ok(2, Scribble{7});
  };
  live(1, 3);
  Ok(1, End{});
  EXPECT_EQ(ValuesOf(Key(1)), (std::vector<std::int64_t>{10, 11, 12})) << "the one closed last";
  live(2, 1);
  Ok(1, End{});
  live(3, 2);
  EXPECT_EQ(ValuesOf(Key(1)), (std::vector<std::int64_t>{30, 31})) << "the one that lives";
  const auto expect_lives = [this] {
    const auto lives = engine_->FindLives<Sheet>(Key(1));
    ASSERT_TRUE(lives.ok()) << lives.status();
    ASSERT_EQ(lives->size(), 3U);
    EXPECT_EQ(ValuesOf((*lives)[0]), (std::vector<std::int64_t>{10, 11, 12}));
    EXPECT_EQ(ValuesOf((*lives)[1]), (std::vector<std::int64_t>{20}));
    EXPECT_EQ(ValuesOf((*lives)[2]), (std::vector<std::int64_t>{30, 31}));
  };
  expect_lives();
  Open();
  expect_lives();
  // Read by type they come in the order of the log, each under its key.
  auto reader = engine_->NewEventReader<Sheet, Scribbled>();
  ASSERT_TRUE(reader.ok());
  std::vector<std::int64_t> values;
  reader->Forward([&values](const Scribbled& e, const Meta& m) noexcept {
    if (m.key == Key(1)) values.push_back(e.value);
  });
  EXPECT_EQ(values, (std::vector<std::int64_t>{10, 11, 12, 20, 30, 31}));
}

TEST_F(CloseTest, AResendOfAClosingIsAnsweredAsTheFirstTime) {
  Open();
  const auto resend = [] { return SubmitOptions{.ack = Ack::kPublished, .resend = Sequence(2)}; };
  Receipt first;
  {
    auto teller = engine_->NewProducer({.session = "teller"});
    ASSERT_TRUE(teller->Execute<Sheet>(Key(1), Scribble{1}, kQuick).ok());
    const auto closed = teller->Execute<Sheet>(Key(1), WriteAndEnd{2}, kQuick);
    ASSERT_TRUE(closed.ok());
    first = *closed;
    ASSERT_TRUE(teller->Execute<Sheet>(Key(1), Scribble{3}, kQuick).ok());
    const auto again = teller->Execute<Sheet>(Key(1), WriteAndEnd{2}, resend());
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(again->is_duplicate);
    EXPECT_EQ(again->version, first.version);
  }
  const auto present = Confirmation{.presence = Presence::kPresent, .is_durable = true};
  Open();
  auto teller = engine_->NewProducer({.session = "teller"});
  const auto again = teller->Execute<Sheet>(Key(1), WriteAndEnd{2}, resend());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->is_duplicate);
  EXPECT_EQ(again->position, first.position);
  EXPECT_EQ(again->version, first.version);
  EXPECT_EQ(again->epoch, first.epoch);
  EXPECT_EQ(engine_->Confirm(first).value(), present);
  EXPECT_EQ(Sheets().at(1), (Seen{1, 3, 1})) << "the next life is left alone";
}

TEST_F(CloseTest, StatisticsTellLiveClosedPlacesAndBytes) {
  Open(16);
  const auto sheets = [this] { return engine_->Stats().categories.at(0); };
  Ok(100, MakeMany{1, 10});
  EXPECT_EQ(sheets().streams, 10U);
  EXPECT_EQ(sheets().closed, 0U);
  EXPECT_EQ(sheets().places, 16U);
  const std::uint64_t bytes = sheets().memory_bytes;
  EXPECT_GT(bytes, 16 * sizeof(AggregateSlot<Sheet>));
  Ok(100, EndMany{1, 4, 0});
  EXPECT_EQ(sheets().streams, 6U);
  EXPECT_EQ(sheets().closed, 4U);
  // As many made as closed: the count of live ones alone would not change.
  Ok(200, WriteAndEnd{1});
  EXPECT_EQ(sheets().streams, 6U);
  EXPECT_EQ(sheets().closed, 5U);
  EXPECT_EQ(sheets().memory_bytes, bytes);
  EXPECT_EQ(engine_->Stats().categories.at(1).closed, 0U);
  Open(16);
  EXPECT_EQ(sheets().streams, 6U);
  EXPECT_EQ(sheets().closed, 5U) << "since the log began";
}

// Random commands, all of which may close, against maps; then the log is opened again.
TEST_F(CloseTest, LiveAndReplayedAreTheSame) {
  std::mt19937_64 random(SeedOfTest());
  constexpr std::uint64_t kMax = 12;
  constexpr std::uint64_t kKeys = 20;
  for (int life = 0; life < 4; ++life) {
    EngineOptions options = directory_.Options(Threads::kHost);
    options.streams_max = kMax;
    options.segment_bytes = kSegmentBytesMin;
    Open(options);
    for (int i = 0; i < 3'000; ++i) {
      const std::uint64_t key = 1 + random() % kKeys;
      const Key other(1 + random() % kKeys);
      absl::StatusOr<Receipt> done;
      switch (random() % 8) {
        case 0: done = Run(key, End{}); break;
        case 1: done = Run(key, WriteAndEnd{3}); break;
        case 2: done = Run(key, EndOther{other, random() % 2}); break;
        case 3: done = Run(key, EndAllAndRefuse{other, Key(1 + random() % kKeys)}); break;
        case 4:
          done = Run(key, EndMany{other.low, 3, static_cast<std::uint32_t>(random() % 2)});
          break;
        default: done = Run(key, Scribble{static_cast<std::int64_t>(random() % 100)});
      }
      // A refusal, or more than streams_max.
      const bool is_expected =
          done.ok() || done.status().code() == absl::StatusCode::kFailedPrecondition;
      ASSERT_TRUE(is_expected) << done.status();
    }
    const auto live = engine_->StateHash();
    const auto sheets = Sheets();
    const CategoryStats stats = engine_->Stats().categories.at(0);
    ASSERT_TRUE(live.ok());
    EXPECT_GT(stats.closed, 500U);
    EXPECT_LE(sheets.size(), kMax);
    Open(options);
    EXPECT_EQ(engine_->StateHash()->sum, live->sum);
    EXPECT_EQ(Sheets(), sheets);
    EXPECT_EQ(engine_->Stats().categories.at(0).closed, stats.closed);
  }
}

// 10^6 aggregates at streams_max, one less, one more.
TEST_F(CloseTest, AMillionAggregatesAtTheirLimit) {
  constexpr std::uint64_t kMillion = 1'000'000;
  constexpr std::uint64_t kAtATime = 500;
  EngineOptions options = directory_.Options(Threads::kHost);
  options.segment_bytes = std::uint64_t{16} << 20;
  options.undurable_bytes_max = std::uint64_t{64} << 20;
  options.streams_max = kMillion;
  options.stats = true;
  Open(options);
  for (std::uint64_t first = 1; first < kMillion; first += kAtATime) {
    ASSERT_TRUE(Run(1, MakeMany{first, std::min(kAtATime, kMillion - first)}).ok()) << first;
  }
  EXPECT_EQ(engine_->Stats().categories[0].streams, kMillion - 1);
  EXPECT_EQ(Ok(kMillion, Scribble{1}).version, Version(1));
  EXPECT_EQ(engine_->Stats().categories[0].streams, kMillion);
  OverLimit(kMillion + 1, Scribble{1});
  Ok(kMillion / 2, End{});
  EXPECT_EQ(Ok(kMillion + 1, Scribble{1}).version, Version(1));
  OverLimit(kMillion + 2, Scribble{1});
  const auto hash = engine_->StateHash();
  Open(options);
  EXPECT_EQ(engine_->StateHash()->sum, hash->sum);
  OverLimit(kMillion + 2, Scribble{1});
  options.streams_max = kMillion - 1;
  producer_.reset();
  engine_.reset();
  const auto refused = Engine::Open(options, Known{});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
}

}  // namespace
}  // namespace pawl
