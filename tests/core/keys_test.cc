// P6: idempotency keys. The same command with the same key, whoever sends it, gets the first
// receipt and is not executed, within a window by count and by engine time; another command with
// that key is a mistake.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"
#include "manual_clock.h"
#include "pawl/type_name.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

constexpr Key kOrder(0xABCD, 1);

SubmitOptions With(const Key& key, Ack ack = Ack::kPublished) {
  return {.ack = ack, .idempotency_key = key};
}

// Commands that may have a key, and one that may not.
struct Priced {
  double price;
  std::int64_t count;
};
struct Padded {
  std::int32_t count;
  std::int64_t cents;
};
struct Long {
  std::array<std::uint8_t, 1000> text;
};
struct Up {};
struct Down {};
template <class Way>
struct Move {
  std::int64_t count;
};
struct Shown {
  static constexpr EventType kType{"shelf.shown", 1};
  std::int64_t count;
};
struct Shelf {
  using Commands = pawl::Commands<Priced, Padded, Long, Move<Up>, Move<Down>>;
  using Events = pawl::Events<Shown>;
  static constexpr std::string_view kCategory = "shelf";
  struct State {
    std::int64_t count = 0;
  };
  static Verdict Decide(const State&, const Priced& c, Emit<Shelf>& emit) noexcept {
    emit(Shown{c.count});
    return Accept();
  }
  static Verdict Decide(const State&, const Padded& c, Emit<Shelf>& emit) noexcept {
    emit(Shown{c.cents});
    return Accept();
  }
  static Verdict Decide(const State&, const Long& c, Emit<Shelf>& emit) noexcept {
    emit(Shown{c.text[999]});
    return Accept();
  }
  template <class Way>
  static Verdict Decide(const State&, const Move<Way>& c, Emit<Shelf>& emit) noexcept {
    emit(Shown{c.count});
    return Accept();
  }
  static void Evolve(State& s, const Shown& e) noexcept { s.count += e.count; }
};
static_assert(kIsKeyable<Priced> && kIsKeyable<Long> && kIsKeyable<Look> && kIsKeyable<Transfer>);
static_assert(!kIsKeyable<Padded>);

// What kTypeName spells otherwise with every compiler.
inline namespace v2 {
struct Versioned {};
}  // namespace v2
template <class... Ts>
struct Nest {
  struct Egg {};
  template <int kCount>
  struct Chick {};
};
static_assert(kOwnName<Deposit> == "Deposit");
static_assert(kOwnName<Priced> == "Priced");
static_assert(kOwnName<Versioned> == "Versioned");
static_assert(kOwnName<Move<std::array<unsigned long, 2>>> == "Move");
static_assert(kOwnName<Nest<>::Egg> == "Egg");
static_assert(kOwnName<Nest<Priced, std::pair<Up, unsigned char>>::Egg> == "Egg");
static_assert(kOwnName<Nest<Move<Nest<int>::Egg>>::Chick<3>> == "Chick");

class KeysTest : public BankTest {
 protected:
  EngineOptions Options() {
    EngineOptions options = directory_.Options(Threads::kHostAll);
    options.clock = &clock_;
    options.keys_max = 100;
    options.key_window = 60s;
    return options;
  }
  void OpenWithClock() { Open(Options()); }
  void ReopenWithClock() {
    engine_.reset();
    OpenWithClock();
  }
  void ExpectFirst(const absl::StatusOr<Receipt>& again, Receipt first) {
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->is_duplicate);
    first.is_duplicate = true;
    first.level = again->level;
    EXPECT_EQ(*again, first);
  }
  std::int64_t Cents(std::uint64_t key) {
    for (const auto& [each, cents] : Balances()) {
      if (each == Key(key)) return cents;
    }
    return 0;
  }

  ManualClock clock_;
};

TEST_F(KeysTest, TheSameCommandWithTheSameKeyGetsTheFirstReceiptWhoeverSendsIt) {
  OpenWithClock();
  Producer teller = NewProducer("teller");
  const Receipt first = teller.Execute<Account>(Key(1), Deposit{5}, With(kOrder)).value();
  EXPECT_FALSE(first.is_duplicate);
  Producer other = NewProducer("other");
  Producer nobody = NewProducer();
  const std::size_t events = EventsOf(ReadLog(*engine_)).size();
  for (Producer* producer : {&teller, &other, &nobody}) {
    for (const Ack ack : {Ack::kPublished, Ack::kDurable}) {
      ExpectFirst(producer->Execute<Account>(Key(1), Deposit{5}, With(kOrder, ack)), first);
    }
  }
  EXPECT_EQ(EventsOf(ReadLog(*engine_)).size(), events);
  EXPECT_EQ(Cents(1), 5);
  EXPECT_EQ(engine_->Stats().key_duplicates, 6U);
  EXPECT_EQ(engine_->Stats().outcome(VerdictKind::kAccepted), 1U);
  // A new key is a new command.
  EXPECT_FALSE(
      teller.Execute<Account>(Key(1), Deposit{5}, With(Key(0xABCD, 2))).value().is_duplicate);
  EXPECT_EQ(Cents(1), 10);
}

TEST_F(KeysTest, AnotherBodyIsKeyReusedAndNotExecuted) {
  OpenWithClock();
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, With(kOrder)).ok());
  const auto records = ReadLog(*engine_);
  const auto expect_reused = [&](const absl::StatusOr<Receipt>& result) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kAlreadyExists) << result.status();
  };
  expect_reused(teller.Execute<Account>(Key(1), Deposit{101}, With(kOrder)));   // bytes
  expect_reused(teller.Execute<Account>(Key(2), Deposit{100}, With(kOrder)));   // stream
  expect_reused(teller.Execute<Account>(Key(1), Withdraw{100}, With(kOrder)));  // type
  expect_reused(teller.Execute<Account>(Key(1), Look{}, With(kOrder)));
  expect_reused(NewProducer().Execute<Account>(Key(1), Withdraw{100}, With(kOrder)));
  EXPECT_EQ(engine_->Stats().outcome(VerdictKind::kKeyReused), 5U);
  EXPECT_EQ(EventsOf(ReadLog(*engine_)), EventsOf(records));
  EXPECT_EQ(Cents(1), 100);
  // The session remembers that answer too.
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{101},
                                     {.ack = Ack::kPublished, .resend = Sequence(2)}));
  const Completion again = Collect(teller, 1)[0];
  EXPECT_EQ(again.verdict.kind(), VerdictKind::kKeyReused);
  EXPECT_TRUE(again.receipt.is_duplicate);
}

TEST_F(KeysTest, OfAnotherAggregateIsAnotherBody) {
  auto opened = Engine::Open(Options(), Aggregates<Account, Shelf>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  Producer teller = NewProducer();
  ASSERT_TRUE(teller.Execute<Shelf>(Key(1), Priced{1.5, 7}, With(kOrder)).ok());
  EXPECT_TRUE(teller.Execute<Shelf>(Key(1), Priced{1.5, 7}, With(kOrder)).value().is_duplicate);
  EXPECT_TRUE(
      absl::IsAlreadyExists(teller.Execute<Shelf>(Key(1), Priced{1.25, 7}, With(kOrder)).status()));
  EXPECT_TRUE(
      absl::IsAlreadyExists(teller.Execute<Account>(Key(1), Deposit{7}, With(kOrder)).status()));
  // Larger than a slot.
  Long text{};
  text.text[999] = 9;
  const Receipt first = teller.Execute<Shelf>(Key(1), text, With(Key(5))).value();
  ExpectFirst(teller.Execute<Shelf>(Key(1), text, With(Key(5))), first);
  text.text[0] = 1;
  EXPECT_TRUE(absl::IsAlreadyExists(teller.Execute<Shelf>(Key(1), text, With(Key(5))).status()));
}

// Instances of a template are told apart by their order in Commands.
TEST_F(KeysTest, AnotherInstanceOfATemplateIsAnotherBody) {
  auto opened = Engine::Open(Options(), Aggregates<Shelf>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  Producer teller = NewProducer();
  ASSERT_TRUE(teller.Execute<Shelf>(Key(1), Move<Up>{7}, With(kOrder)).ok());
  EXPECT_TRUE(teller.Execute<Shelf>(Key(1), Move<Up>{7}, With(kOrder)).value().is_duplicate);
  EXPECT_TRUE(
      absl::IsAlreadyExists(teller.Execute<Shelf>(Key(1), Move<Down>{7}, With(kOrder)).status()));
}

// Found by reading: it was the compiler's name of the type, so that with another compiler a resend
// over an upgrade was another command's. As memlog/FORMAT.md says, in numbers.
TEST_F(KeysTest, TheBodysHashIsTheSameForAllCompilers) {
  auto opened = Engine::Open(Options(), Aggregates<Account, Shelf>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  Producer nobody = NewProducer();
  ASSERT_TRUE(nobody.Execute<Account>(Key(7, 8), Deposit{5}, With(Key(1))).ok());
  ASSERT_TRUE(nobody.Execute<Account>(Key(7, 8), Look{}, With(Key(2))).ok());
  ASSERT_TRUE(nobody.Execute<Shelf>(Key(7, 8), Priced{1.5, 7}, With(Key(3))).ok());
  ASSERT_TRUE(nobody.Execute<Shelf>(Key(7, 8), Move<Down>{7}, With(Key(4))).ok());
  std::vector<std::uint64_t> hashes;
  const CommitHeader* last = nullptr;
  LogReader reader = engine_->log().NewReader();
  while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      if ((record.commit.flags & kCommitHasExtensions) == 0 || &record.commit == last) return;
      last = &record.commit;
      IdempotencyKeyBlock block;
      std::memcpy(&block, reinterpret_cast<const std::byte*>(last + 1) + sizeof(ExtensionHeader),
                  sizeof block);
      hashes.push_back(block.body_hash);
    });
  }
  EXPECT_EQ(hashes, (std::vector<std::uint64_t>{0x36dd'67f4'cbda'ebf3, 0x2724'12e6'b3db'0878,
                                                0x5ffd'ef86'6567'fe0c, 0x3c1f'e24c'04ee'a927}));
}

TEST_F(KeysTest, WhatMayHaveNoKeyIsRefusedAtSubmit) {
  auto opened = Engine::Open(Options(), Aggregates<Account, Shelf>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  Producer teller = NewProducer("teller");
  const Sent padded = teller.Submit<Shelf>(Key(1), Padded{1, 2}, With(kOrder));
  EXPECT_EQ(padded.fault(), SendFault::kBadKey);
  EXPECT_EQ(padded.code(), absl::StatusCode::kInvalidArgument);
  const std::vector<Addressed<Deposit>> batch(3, {Key(1), {1}});
  const SentBatch sent =
      teller.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(batch), With(kOrder));
  EXPECT_EQ(sent.fault, SendFault::kBadKey);
  EXPECT_EQ(sent.count, 0U);
  EXPECT_EQ(teller.last_sequence(), Sequence());
  EXPECT_TRUE(teller.Execute<Shelf>(Key(1), Padded{1, 2}).ok());
}

TEST_F(KeysTest, KeyZeroIsNone) {
  OpenWithClock();
  Producer teller = NewProducer();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(teller.Execute<Account>(Key(1), Deposit{1}, With(Key())).value().is_duplicate);
  }
  EXPECT_FALSE(teller.Execute<Account>(Key(1), Deposit{1}, With(Key(0, 1))).value().is_duplicate);
  EXPECT_FALSE(teller.Execute<Account>(Key(1), Deposit{1}, With(Key(1, 0))).value().is_duplicate);
  EXPECT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, With(Key(0, 1))).value().is_duplicate);
  EXPECT_EQ(Cents(1), 5);
}

TEST_F(KeysTest, RefusedCommandsLeaveNoKey) {
  OpenWithClock();
  Producer teller = NewProducer("teller");
  EXPECT_EQ(RefusalCode(teller.Execute<Account>(Key(1), Withdraw{5}, With(kOrder)).status()),
            Account::kInsufficientFunds);
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{5}).ok());
  const auto now = teller.Execute<Account>(Key(1), Withdraw{5}, With(kOrder));
  ASSERT_TRUE(now.ok()) << "decided anew: " << now.status();
  EXPECT_FALSE(now->is_duplicate);
  // A condition that does not hold leaves none either; once executed, the key comes before it.
  SubmitOptions first = With(Key(7));
  first.condition = Exact(Version(7));
  EXPECT_TRUE(absl::IsAborted(teller.Execute<Account>(Key(1), Deposit{1}, first).status()));
  first.condition = Exact(Version(2));
  const std::array others{ConditionOn<Account>(Key(2), NoStream())};
  first.others = others;
  const Receipt receipt = teller.Execute<Account>(Key(1), Deposit{1}, first).value();
  ASSERT_TRUE(teller.Execute<Account>(Key(2), Deposit{1}).ok());
  ExpectFirst(teller.Execute<Account>(Key(1), Deposit{1}, first), receipt);
}

TEST_F(KeysTest, AreRememberedByAnEmptyCommandToo) {
  OpenWithClock();
  Producer nobody = NewProducer();
  const Receipt first = nobody.Execute<Account>(Key(1), Look{}, With(kOrder)).value();
  EXPECT_NE(first.position, Position()) << "it left a record";
  ExpectFirst(nobody.Execute<Account>(Key(1), Look{}, With(kOrder)), first);
  nobody = NewProducer();
  { const Producer gone = std::move(nobody); }
  ReopenWithClock();
  ExpectFirst(NewProducer().Execute<Account>(Key(1), Look{}, With(kOrder)), first);
  EXPECT_EQ(NewProducer().Execute<Account>(Key(1), Look{}).value().position, Position())
      << "without a key it leaves none";
}

TEST_F(KeysTest, TheNewestKeysMaxAreRememberedAndNotOneMore) {
  for (const std::uint32_t keys_max : {1U, 7U}) {
    SCOPED_TRACE(keys_max);
    const TestDirectory directory;
    EngineOptions options = Options();
    options.directory = directory.log();
    options.hot_directory = directory.hot();
    options.keys_max = keys_max;
    const auto is_known = [this](std::uint64_t key) {
      Producer producer = NewProducer();
      return producer.Execute<Account>(Key(1), Deposit{1}, With(Key(key))).value().is_duplicate;
    };
    Open(options);
    for (std::uint64_t key = 1; key <= keys_max + 1; ++key) EXPECT_FALSE(is_known(key));
    for (int life = 0; life < 2; ++life) {
      for (std::uint64_t key = 2; key <= keys_max + 1; ++key) EXPECT_TRUE(is_known(key)) << key;
      engine_.reset();
      Open(options);
    }
    EXPECT_FALSE(is_known(1)) << "the oldest one was forgotten";
    EXPECT_FALSE(is_known(2)) << "and now the next one";
    engine_.reset();
  }
  EngineOptions options = Options();
  for (const std::uint32_t bad : {0U, (1U << 26) + 1}) {
    options.keys_max = bad;
    EXPECT_EQ(Engine::Open(options, Aggregates<Account>{}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  options = Options();
  options.key_window = -1ns;
  EXPECT_EQ(Engine::Open(options, Aggregates<Account>{}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(KeysTest, TheWindowByTimeIsEngineTime) {
  OpenWithClock();
  Producer teller = NewProducer("teller");
  const Receipt first = teller.Execute<Account>(Key(1), Deposit{5}, With(kOrder)).value();
  clock_.Advance(60s - 1ns);
  ExpectFirst(teller.Execute<Account>(Key(1), Deposit{5}, With(kOrder)), first);
  clock_.Advance(1ns);
  const Receipt second = teller.Execute<Account>(Key(1), Deposit{5}, With(kOrder)).value();
  EXPECT_FALSE(second.is_duplicate) << "a duplicate does not prolong the window";
  EXPECT_EQ(Cents(1), 10);
  // Once its time has passed, the key may be another command's.
  clock_.Advance(60s);
  EXPECT_TRUE(teller.Execute<Account>(Key(1), Withdraw{1}, With(kOrder)).ok());
}

// The time that counts is the commit's, not the one at which the log was read again.
TEST_F(KeysTest, TheWindowByTimeGoesOnOverARestart) {
  OpenWithClock();
  const Receipt first =
      NewProducer("teller").Execute<Account>(Key(1), Deposit{5}, With(kOrder)).value();
  clock_.Advance(40s);
  ReopenWithClock();
  ExpectFirst(NewProducer().Execute<Account>(Key(1), Deposit{5}, With(kOrder)), first);
  clock_.Advance(19s);
  ReopenWithClock();
  ExpectFirst(NewProducer().Execute<Account>(Key(1), Deposit{5}, With(kOrder)), first);
  clock_.Advance(1s);
  EXPECT_FALSE(
      NewProducer().Execute<Account>(Key(1), Deposit{5}, With(kOrder)).value().is_duplicate);
}

// What a key answered is an answer of the session's window as any other.
TEST_F(KeysTest, ASessionRemembersWhatAKeyAnswered) {
  OpenWithClock();
  std::optional<Receipt> first;
  {
    Producer nobody = NewProducer();
    first = nobody.Execute<Account>(Key(1), Deposit{5}, With(kOrder)).value();
    Producer teller = NewProducer("teller");
    ASSERT_TRUE(teller.Execute<Account>(Key(2), Deposit{1}).ok());
    ExpectFirst(teller.Execute<Account>(Key(1), Deposit{5}, With(kOrder)), *first);
    EXPECT_EQ(teller.last_sequence(), Sequence(2));
    ExpectFirst(teller.Execute<Account>(Key(1), Deposit{5}, {.resend = Sequence(2)}), *first);
    const SeenRecord record = ReadLog(*engine_).back();
    EXPECT_EQ(record.kind, RecordKind::kAccepted);
    EXPECT_EQ(record.sequence, 2U);
  }
  clock_.Advance(24h);  // the key's window has passed, the session's goes by count
  ReopenWithClock();
  Producer teller = NewProducer("teller");
  EXPECT_EQ(teller.last_sequence(), Sequence(2));
  ExpectFirst(teller.Execute<Account>(Key(1), Deposit{5}, {.resend = Sequence(2)}), *first);
  EXPECT_EQ(Cents(1), 5);
}

// On the lane that it was sent on.
TEST_F(KeysTest, ABulkLaneRemembersWhatAKeyAnswered) {
  OpenWithClock();
  const auto new_bulk = [this] {
    return engine_->NewProducer({.session = "teller", .lane = SessionLane::kBulk}).value();
  };
  Receipt first;
  {
    first = NewProducer().Execute<Account>(Key(1), Deposit{5}, With(kOrder)).value();
    Producer bulk = new_bulk();
    ExpectFirst(bulk.Execute<Account>(Key(1), Deposit{5}, With(kOrder)), first);
    const Producer control = NewProducer("teller");
  }
  ReopenWithClock();
  Producer bulk = new_bulk();
  EXPECT_EQ(bulk.last_sequence(), Sequence(1));
  EXPECT_EQ(NewProducer("teller").last_sequence(), Sequence());
  ExpectFirst(bulk.Execute<Account>(Key(1), Deposit{5}, {.resend = Sequence(1)}), first);
  EXPECT_EQ(Cents(1), 5);
}

TEST_F(KeysTest, ADuplicatesReceiptIsConfirmed) {
  OpenWithClock();
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{5}, With(kOrder)).ok());
  const Receipt again = teller.Execute<Account>(Key(1), Deposit{5}, With(kOrder)).value();
  const Confirmation there{.presence = Presence::kPresent, .is_durable = true};
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{5}).ok());
  EXPECT_EQ(engine_->Confirm(again).value(), there);
  const Receipt look = teller.Execute<Account>(Key(1), Look{}, With(Key(3))).value();
  EXPECT_EQ(engine_->Confirm(look).value(), there);
}

// A duplicate rests on its first one: at kDurable it waits for it, and shares what becomes of it.
TEST_F(KeysTest, ADuplicateWaitsForTheFirstToBeDurable) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.storage = &gate;
  Open(options);
  for (const bool is_broken : {false, true}) {
    const GateOpener opener(gate);
    Producer teller = NewProducer("teller");
    Producer nobody = NewProducer();
    const Key key(1, is_broken ? 2 : 1);
    gate.Shut();
    ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, With(key)).ok());
    EXPECT_TRUE(nobody.Execute<Account>(Key(1), Deposit{1}, With(key)).value().is_duplicate);
    ASSERT_TRUE(nobody.Submit<Account>(Key(1), Deposit{1}, With(key, Ack::kDurable)));
    ASSERT_TRUE(nobody.Submit<Account>(Key(1), Deposit{2}, With(key, Ack::kDurable)));
    ASSERT_TRUE(Await([&] {
      const EngineStats stats = engine_->Stats();
      return stats.outcome(VerdictKind::kKeyReused) == (is_broken ? 2U : 1U);
    }));
    EXPECT_EQ(nobody.Poll([](const Completion&) noexcept {}), 0U);
    is_broken ? gate.Break() : gate.Open();
    const std::vector<Completion> got = Collect(nobody, 2);
    EXPECT_EQ(got[0].verdict.kind(), is_broken ? VerdictKind::kUnknown : VerdictKind::kAccepted);
    EXPECT_EQ(got[0].receipt.is_duplicate, true);
    EXPECT_EQ(got[1].verdict.kind(), is_broken ? VerdictKind::kUnknown : VerdictKind::kKeyReused);
  }
  engine_.reset();  // before its storage
}

// Many with and without key through one frame after the other, on both lanes, by the turn.
TEST_F(KeysTest, AmongOtherCommandsOfATurn) {
  EngineOptions options = Options();
  options.keys_max = 1024;
  options.session_window = 1024;
  Open(options);
  auto bulk = engine_->NewProducer({.session = "teller", .lane = SessionLane::kBulk});
  ASSERT_TRUE(bulk.ok()) << bulk.status();
  for (int life = 0; life < 2; ++life) {
    std::uint64_t duplicates = 0;
    for (std::uint64_t i = 1; i <= 900; ++i) {
      const SubmitOptions with = i % 3 == 0 ? With(Key(i)) : With(Key());
      ASSERT_TRUE(bulk->Submit<Account>(Key(1 + i % 5), Deposit{1}, with));
    }
    for (const Completion& c : Collect(*bulk, 900)) {
      ASSERT_TRUE(c.verdict.is_accepted());
      duplicates += c.receipt.is_duplicate;
    }
    EXPECT_EQ(duplicates, life == 0 ? 0U : 300U);
    std::int64_t sum = 0;
    for (const auto& [key, cents] : Balances()) sum += cents;
    EXPECT_EQ(sum, life == 0 ? 900 : 1500);
    if (life == 1) break;
    { const Producer gone = *std::move(bulk); }
    engine_.reset();
    Open(options);
    bulk = engine_->NewProducer({.session = "teller", .lane = SessionLane::kBulk});
    ASSERT_TRUE(bulk.ok()) << bulk.status();
    EXPECT_EQ(bulk->last_sequence(), Sequence(900));
  }
}

}  // namespace
}  // namespace pawl
