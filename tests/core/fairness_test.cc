// P8, design §6: a flooding producer cannot starve another. Measured in commands from the order of
// the log, not in time: no lane is passed over for more than 2 × 256 × producers commands.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "log_records.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr std::uint32_t kTurnCommands = 256;
constexpr std::uint32_t kWindow = 2048;  // several turns of one lane
constexpr std::uint32_t kProducersMax = 16;

constexpr std::uint64_t BoundOf(std::uint64_t producers) { return 2 * kTurnCommands * producers; }

// What enters the queue at once: tickets of one command, or of as many as a turn takes.
enum class Tickets { kSingle, kBatches };

using Case = std::tuple<std::uint32_t, Tickets>;

class FairnessTest : public BankTest, public ::testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    EngineOptions options = directory_.Options(Threads::kHost);
    options.segment_bytes = std::uint64_t{16} << 20;
    options.undurable_bytes_max = std::uint64_t{256} << 20;  // the disk stops nobody
    options.session_window = kWindow;
    options.producers_max = kProducersMax;
    Open(options);
    for (std::uint32_t i = 0; i < producers(); ++i) producers_.push_back(NewProducer());
  }
  void TearDown() override {
    producers_.clear();
    BankTest::TearDown();
  }
  static std::uint32_t producers() { return std::get<0>(GetParam()); }

  // Fills the producer's window with commands to its own account.
  void Flood(std::size_t index) {
    Producer& producer = producers_[index];
    const Key key(index + 1);
    if (std::get<1>(GetParam()) == Tickets::kSingle) {
      while (producer.Submit<Account>(key, Deposit{1}, kQuick)) {
      }
      return;
    }
    const std::vector<Addressed<Deposit>> turn(kTurnCommands, {key, {1}});
    while (producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(turn), kQuick).count !=
           0) {
    }
  }
  void RunOneTurn() { engine_->Poll(std::chrono::nanoseconds(0)); }

  // Commands of others between two of one lane, or before its first or behind its last: all lanes
  // have commands waiting all the time.
  std::uint64_t WorstGap() {
    std::map<std::uint32_t, std::uint64_t> next;  // by stream: index behind its last event
    const std::vector<SeenRecord> events = EventsOf(ReadLog(*engine_));
    std::uint64_t worst = 0;
    for (std::uint64_t i = 0; i < events.size(); ++i) {
      std::uint64_t& behind = next[events[i].stream];
      worst = std::max(worst, i - behind);
      behind = i + 1;
    }
    EXPECT_EQ(next.size(), producers()) << "a lane never had a turn";
    for (const auto& [stream, behind] : next) worst = std::max(worst, events.size() - behind);
    return worst;
  }

  std::vector<Producer> producers_;
};

TEST_P(FairnessTest, NoLaneWaitsForMoreThanTheBoundWhenAllFlood) {
  const std::uint64_t turns = 40 * producers();
  for (std::uint64_t turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < producers_.size(); ++i) Flood(i);
    RunOneTurn();
    for (Producer& producer : producers_) producer.Poll([](const Completion&) noexcept {});
  }
  const std::uint64_t worst = WorstGap();
  std::cout << "worst gap: " << worst << " commands, bound " << BoundOf(producers()) << "\n";
  EXPECT_GT(worst, 0U);
  EXPECT_LE(worst, BoundOf(producers()));
}

// The last one sends one command at a time, each into the others' flood: counted are the commands
// that are decided between its sending and its decision.
TEST_P(FairnessTest, APoliteOneWaitsForNoMoreThanTheBound) {
  Producer& polite = producers_.back();
  std::uint64_t newest = 0;  // position of what was decided so far
  const auto see = [&newest](const Completion& c) noexcept {
    newest = std::max(newest, c.receipt.position.value());
  };
  std::optional<std::uint64_t> sent_at;
  std::uint64_t worst = 0;
  std::uint64_t answered = 0;
  for (std::uint64_t turn = 0; turn < 40U * producers(); ++turn) {
    for (std::size_t i = 0; i + 1 < producers_.size(); ++i) Flood(i);
    if (!sent_at) {
      ASSERT_TRUE(polite.Submit<Account>(Key(producers()), Deposit{1}, kQuick));
      sent_at = newest;
    }
    RunOneTurn();
    polite.Poll([&](const Completion& c) noexcept {
      worst = std::max(worst, c.receipt.position.value() - *sent_at - 1);
      ++answered;
      sent_at.reset();
    });
    for (Producer& producer : producers_) producer.Poll(see);
    if (sent_at) worst = std::max(worst, newest - *sent_at);
  }
  std::cout << "worst wait: " << worst << " commands, bound " << BoundOf(producers()) << "\n";
  EXPECT_GT(answered, 1U);
  EXPECT_LE(worst, BoundOf(producers()));
}

INSTANTIATE_TEST_SUITE_P(Of, FairnessTest,
                         ::testing::Combine(::testing::Values(2U, 3U, kProducersMax),
                                            ::testing::Values(Tickets::kSingle, Tickets::kBatches)),
                         [](const auto& param) {
                           return std::to_string(std::get<0>(param.param)) +
                                  (std::get<1>(param.param) == Tickets::kSingle ? "Single"
                                                                                : "Batches");
                         });

// Found by reading: each turn that found no room passed the lane over whose turn it was.
TEST(FairnessWithoutRoomTest, ATurnWithoutRoomIsNobodysTurn) {
  constexpr std::uint64_t kProducers = 3;
  const TestDirectory directory;
  GateStorage gate;
  EngineOptions options = directory.Options(Threads::kHost);
  options.undurable_bytes_max = options.segment_bytes;
  options.session_window = std::uint32_t{1} << 14;
  options.commit_bytes_max = 1024;
  options.storage = &gate;
  auto engine = Engine::Open(options, Aggregates<Account>{});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const GateOpener opener(gate);
  std::vector<Producer> producers;
  for (std::uint64_t i = 0; i < kProducers; ++i) {
    producers.push_back(*(*engine)->NewProducer());
  }
  gate.Shut();
  const auto decided = [&] { return (*engine)->Stats().outcome(VerdictKind::kAccepted); };
  for (std::uint64_t i = 0; i < kProducers; ++i) {
    const std::vector<Addressed<Deposit>> all(options.session_window, {Key(i + 1), {1}});
    ASSERT_EQ(producers[i].SubmitBatch<Account>(std::span(all), kQuick).count, all.size());
  }
  (*engine)->Poll(kWholeTurns);
  const std::uint64_t until_full = decided();
  ASSERT_LT(until_full, kProducers * options.session_window);
  for (int turn = 0; turn < 4; ++turn) (*engine)->Poll(std::chrono::nanoseconds(0));
  ASSERT_EQ(decided(), until_full) << "there was no room";
  gate.Open();
  ASSERT_TRUE(Await([&] {
    (*engine)->Poll(kWholeTurns);
    return decided() == kProducers * options.session_window;
  }));
  // The lanes' turns as the log has them, while all wait: each stream is one lane's.
  std::vector<std::uint32_t> turns;
  std::map<std::uint32_t, std::uint64_t> count;
  std::uint64_t in_turn = 0;
  for (const SeenRecord& event : EventsOf(ReadLog(**engine))) {
    if (turns.empty() || turns.back() != event.stream) {
      turns.push_back(event.stream);
      in_turn = 0;
    }
    ASSERT_LE(++in_turn, kTurnCommands) << "two turns, one behind the other";
    if (++count[event.stream] == options.session_window) break;
  }
  ASSERT_GT(turns.size(), 3 * kProducers);
  for (std::size_t i = kProducers; i < turns.size(); ++i) {
    ASSERT_EQ(turns[i], turns[i - kProducers]) << "turn " << i;
  }
  producers.clear();
  engine->reset();  // before its storage
}

}  // namespace
}  // namespace pawl
