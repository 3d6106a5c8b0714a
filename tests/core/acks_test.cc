// P3: no answer at kDurable, refusals and duplicates included, comes before the sync it rests on.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "fallback.h"
#include "gate_storage.h"
#include "log_records.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

constexpr SubmitOptions kPublished{.ack = Ack::kPublished};
constexpr SubmitOptions kDurable{.ack = Ack::kDurable};

class AcksTest : public BankTest, public ::testing::WithParamInterface<Fallback> {
 protected:
  void SetUp() override {
    if (!ground_.is_there()) GTEST_SKIP() << "mounting a file system needs root";
    ground_.Apply(gate_);
  }
  EngineOptions Options() {
    EngineOptions options = ground_.Options();
    options.storage = &gate_;
    options.stall_after = std::chrono::nanoseconds(0);  // a gate that is shut is no surprise here
    return options;
  }
  void OpenGated(std::uint64_t undurable_bytes_max = std::uint64_t{4} << 20) {
    EngineOptions options = Options();
    options.undurable_bytes_max = undurable_bytes_max;
    Open(options);
  }
  // Shuts the gate and waits until a sync stands before it.
  void ShutWithASyncWaiting(Producer& producer) {
    gate_.Shut();
    ASSERT_TRUE(producer.Execute<Account>(Key(99), Deposit{1}, kPublished).ok());
    ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));
  }
  // Commands of another producer are answered at once, so the loop has been past all before.
  void PassTheLoop(Producer& other) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(other.Execute<Account>(Key(98), Deposit{1}, kPublished).ok());
    }
  }

  void ExpectBounded(std::uint64_t undurable_bytes_max) {
    // Durable first: it may only grow between the two looks.
    const Address durable = engine_->log().durable();
    const Address published = engine_->log().published();
    EXPECT_TRUE(published <= durable || published - durable <= undurable_bytes_max);
  }

  const FallbackGround ground_{GetParam()};
  GateStorage gate_;
};

TEST_P(AcksTest, NothingDurableIsAnsweredBeforeTheSyncAndPublishedIsAtOnce) {
  OpenGated();
  const GateOpener opener(gate_);
  Producer teller = NewProducer("teller");
  Producer other = NewProducer();
  ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{100}, kDurable).ok());
  ShutWithASyncWaiting(other);

  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{5}, kDurable));     // 2 accepted
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Withdraw{999}, kDurable));  // 3 refused
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{5},
                                     {.ack = Ack::kDurable, .resend = Sequence(2)}));  // duplicate
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Look{}, kDurable));  // 4 no events
  PassTheLoop(other);
  EXPECT_EQ(teller.Poll([](const Completion&) noexcept {}), 0U);
  EXPECT_LT(engine_->log().durable(), engine_->log().published());

  // Published ones overtake them.
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kPublished));
  EXPECT_EQ(Collect(teller, 1)[0].sequence, Sequence(5));
  PassTheLoop(other);
  EXPECT_EQ(teller.Poll([](const Completion&) noexcept {}), 0U);

  const Address published = engine_->log().published();
  gate_.Open();
  const std::vector<Completion> got = Collect(teller, 4);
  EXPECT_EQ(got[0].sequence, Sequence(2));
  EXPECT_TRUE(got[0].verdict.is_accepted());
  EXPECT_EQ(got[0].receipt.level, Ack::kDurable);
  EXPECT_EQ(got[1].sequence, Sequence(3));
  EXPECT_EQ(got[1].verdict, Refuse(Account::kInsufficientFunds));
  EXPECT_EQ(got[2].sequence, Sequence(2));
  EXPECT_TRUE(got[2].receipt.is_duplicate);
  EXPECT_EQ(got[3].sequence, Sequence(4));
  EXPECT_TRUE(Await([&] { return engine_->log().durable() >= published; }));
}

TEST_P(AcksTest, ADurableRefusalWaitsForWhatItIsBasedOnAlthoughItIsAlone) {
  OpenGated();
  const GateOpener opener(gate_);
  Producer teller = NewProducer("teller");
  Producer other = NewProducer();
  ShutWithASyncWaiting(other);  // published, not durable
  Producer anonymous = NewProducer();
  ASSERT_TRUE(anonymous.Submit<Account>(Key(1), Withdraw{1}, kDurable));
  PassTheLoop(other);
  EXPECT_EQ(anonymous.Poll([](const Completion&) noexcept {}), 0U);
  gate_.Open();
  EXPECT_EQ(Collect(anonymous, 1)[0].verdict, Refuse(Account::kInsufficientFunds));
}

TEST_P(AcksTest, AnswersOfALevelComeInOrder) {
  OpenGated();
  Producer teller = NewProducer("teller");
  std::uint64_t published = 0;
  std::uint64_t durable = 0;
  std::uint64_t answered = 0;
  constexpr std::uint64_t kCommands = 20'000;
  std::uint64_t sent = 0;
  ASSERT_TRUE(Await([&] {
    if (sent < kCommands) {
      const Ack ack = sent % 3 == 0 ? Ack::kDurable : Ack::kPublished;
      if (teller.Submit<Account>(Key(1), Deposit{1}, {.ack = ack})) ++sent;
    }
    teller.Poll([&](const Completion& c) noexcept {
      std::uint64_t& last = c.receipt.level == Ack::kDurable ? durable : published;
      EXPECT_GT(c.sequence.value(), last);
      last = c.sequence.value();
      ++answered;
    });
    return answered == kCommands;
  }));
  EXPECT_EQ(teller.in_flight(), 0U);
}

// One look at the room is enough for many commands: they end when a frame is full.
TEST_P(AcksTest, UndurableBytesAreBoundedForCommandsThatFillFrames) {
  constexpr std::uint64_t kUndurableMax = std::uint64_t{2} << 20;
  constexpr std::uint32_t kEvents = 500;  // 16 KB: a frame is full long before 256 commits
  EngineOptions options = Options();
  options.undurable_bytes_max = kUndurableMax;
  auto opened = Engine::Open(options, Aggregates<Probe>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  const GateOpener opener(gate_);
  Producer teller = NewProducer("teller");
  ASSERT_TRUE(Await([&] { return engine_->log().ready_segments() > 0; }));
  gate_.Shut();
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  const auto send_and_poll = [&] {
    const auto fill = [](std::uint32_t, Key& key, EmitMany& command) noexcept {
      key = Key(1);
      command = {.own = kEvents, .other = 0, .to = {}};
    };
    const SentBatch batch = teller.SubmitBatch<Probe, EmitMany>(256, fill, kPublished);
    sent += batch.count;
    teller.Poll([&](const Completion& c) noexcept {
      EXPECT_TRUE(c.verdict.is_accepted());
      EXPECT_EQ(c.receipt.version.value(), kEvents * ++answered);
    });
    return batch.fault;
  };
  ASSERT_TRUE(Await([&] {
    const SendFault fault = send_and_poll();
    ExpectBounded(kUndurableMax);
    return fault == SendFault::kUndurable;
  }));
  gate_.Open();
  ASSERT_TRUE(Await([&] {
    if (answered < 200) {
      send_and_poll();
    } else {
      teller.Poll([&](const Completion&) noexcept { ++answered; });
    }
    return answered >= 200 && teller.in_flight() == 0;
  }));
  EXPECT_EQ(answered, sent);
  EXPECT_EQ(EventsOf(ReadLog(*engine_)).size(), sent * kEvents);
}

// Also when the disk was behind before, whose reason is told first.
TEST_P(AcksTest, ALowDiskIsToldAndTheLogGoesOnByItselfWhenThereIsRoom) {
  OpenGated(std::uint64_t{2} << 20);  // reached before the segment that is ready is full
  const GateOpener opener(gate_);
  Producer teller = NewProducer("teller");
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  const auto poll = [&] {
    teller.Poll([&](const Completion& c) noexcept {
      EXPECT_TRUE(c.verdict.is_accepted());
      ++answered;
    });
  };
  const auto send_until = [&](auto&& is_wanted) {
    return Await([&] {
      const Sent one = teller.Submit<Account>(Key(1), Deposit{1}, kPublished);
      if (one) ++sent;
      poll();
      return is_wanted(one.fault());
    });
  };
  ASSERT_TRUE(Await([&] { return engine_->log().ready_segments() > 0; }));
  gate_.ShutFull();
  ASSERT_TRUE(send_until([](SendFault fault) { return fault == SendFault::kUndurable; }));
  gate_.OpenFull();
  ASSERT_TRUE(send_until([](SendFault fault) { return fault == SendFault::kDiskLow; }));
  EXPECT_EQ(Sent(SendFault::kDiskLow).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine_->health(), EngineHealth::kDiskLow);
  EXPECT_NE(engine_->error().message().find("No space left"), std::string::npos)
      << engine_->error();

  gate_.Open();
  const std::uint64_t before = sent;
  ASSERT_TRUE(send_until([&](SendFault) { return sent > before; }));
  ASSERT_TRUE(Await([&] {
    poll();
    return teller.in_flight() == 0;
  }));
  EXPECT_EQ(answered, sent);
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
}

TEST_P(AcksTest, UndurableBytesAreBoundedAndNothingIsLostWhenTheDiskComesBack) {
  constexpr std::uint64_t kUndurableMax = std::uint64_t{2} << 20;
  OpenGated(kUndurableMax);
  const GateOpener opener(gate_);
  Producer teller = NewProducer("teller");
  // Behind the gate no segment is made: without the next one the log would be full before the
  // bound.
  ASSERT_TRUE(Await([&] { return engine_->log().ready_segments() > 0; }));
  gate_.Shut();
  std::int64_t accepted = 0;
  const auto count = [&accepted](const Completion& c) noexcept {
    EXPECT_TRUE(c.verdict.is_accepted());
    ++accepted;
  };
  std::int64_t sent = 0;
  SendFault fault = SendFault::kNone;
  ASSERT_TRUE(Await([&] {
    const Sent one = teller.Submit<Account>(Key(1), Deposit{1}, kPublished);
    if (one) ++sent;
    if (one.fault() == SendFault::kWindowFull) teller.Poll(count);
    fault = one.fault();
    ExpectBounded(kUndurableMax);
    return fault == SendFault::kUndurable;
  }));
  EXPECT_EQ(Sent(fault).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(engine_->log().published() - engine_->log().durable(), kUndurableMax / 4)
      << "refused long before the bound";
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);

  gate_.Open();
  ASSERT_TRUE(Await([&] {
    const Sent one = teller.Submit<Account>(Key(1), Deposit{1}, kPublished);
    if (one) ++sent;
    if (one.fault() == SendFault::kWindowFull) teller.Poll(count);
    return static_cast<bool>(one);
  })) << "nothing is taken after the disk came back";
  ASSERT_TRUE(Await([&] {
    teller.Poll(count);
    return teller.in_flight() == 0;
  }));
  EXPECT_EQ(accepted, sent);
  EXPECT_EQ(Balances()[0].second, sent);
}

INSTANTIATE_TEST_SUITE_P(On, AcksTest,
                         ::testing::Values(Fallback::kNone, Fallback::kNoDirectWrites,
                                           Fallback::kNoRoom, Fallback::kRoomForSome,
                                           Fallback::kNoPermission, Fallback::kNoBootId),
                         [](const auto& param) { return std::string(NameOf(param.param)); });

}  // namespace
}  // namespace pawl
