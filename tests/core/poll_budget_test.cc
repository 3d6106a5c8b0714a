// Engine::Poll() returns within its budget and one step; what takes longer is counted and named.
// Time is the clock's: handlers, agents and the disk move it, nobody sleeps.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "../memlog/forwarding_storage.h"
#include "bank_fixture.h"
#include "fake_clock.h"
#include "gate_storage.h"
#include "manual_clock.h"

namespace pawl {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr std::uint64_t kMicrosecond = 1'000;
constexpr std::uint64_t kSliceNs = 4 * kMicrosecond;  // what a step of quick commands takes
constexpr std::uint64_t kMillisecond = FakeClock::kMillisecond;
constexpr std::uint64_t kSecond = FakeClock::kSecond;

// Commands that take as long as they say.
struct Nap {
  std::uint64_t ns;
};
struct Doze {  // another type that does the same
  std::uint64_t ns;
};
struct Slept {
  static constexpr EventType kType{"sleeper.slept", 1};
  std::uint64_t ns;
};
struct Sleeper {
  using Commands = pawl::Commands<Doze, Nap>;
  using Events = pawl::Events<Slept>;
  static constexpr std::string_view kCategory = "sleeper";
  struct State {
    std::uint64_t ns = 0;
  };
  static inline FakeClock* clock = nullptr;
  static inline ManualClock* loop_clock = nullptr;  // for an engine with threads

  template <class C>
  static Verdict Sleep(const C& c, Emit<Sleeper>& emit) noexcept {
    if (loop_clock != nullptr) {
      loop_clock->Advance(nanoseconds(c.ns));
    } else {
      clock->Advance(c.ns);
    }
    emit(Slept{c.ns});
    return Accept();
  }
  static Verdict Decide(const State&, const Nap& c, Emit<Sleeper>& emit) noexcept {
    return Sleep(c, emit);
  }
  static Verdict Decide(const State&, const Doze& c, Emit<Sleeper>& emit) noexcept {
    return Sleep(c, emit);
  }
  static void Evolve(State& s, const Slept& e) noexcept { s.ns += e.ns; }
};

// Has always work, which takes `step_ns`.
class BusyAgent final : public Agent {
 public:
  BusyAgent(FakeClock& clock, std::uint64_t step_ns, std::string_view name)
      : clock_(clock), step_ns_(step_ns), name_(name) {}
  int DoWork() noexcept override {
    if (is_idle) return 0;
    ++steps;
    clock_.Advance(step_ns_);
    return 1;
  }
  bool HasWork() noexcept override { return !is_idle; }
  Doorbell& bell() noexcept override { return bell_; }
  std::string_view name() const noexcept override { return name_; }

  int steps = 0;
  bool is_idle = false;

 private:
  FakeClock& clock_;
  const std::uint64_t step_ns_;
  const std::string name_;
  Doorbell bell_;
};

// A disk on which each durable write to a segment file takes long (without O_DIRECT it is its own
// sync), and each sync of a new segment.
class SlowDisk final : public ForwardingStorage {
 public:
  explicit SlowDisk(FakeClock& clock) : clock_(clock) {}
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override {
    auto opened = below_.Open(path, mode);
    if (!opened.ok() || (!path.ends_with(".seg") && !path.ends_with(".seg.tmp"))) return opened;
    return std::unique_ptr<File>(std::make_unique<SlowFile>(*this, mode, *std::move(opened)));
  }

  std::uint64_t write_ns = 0;
  std::uint64_t sync_ns = 0;
  int writes = 0;
  int syncs = 0;

 private:
  class SlowFile final : public File {
   public:
    SlowFile(SlowDisk& disk, FileMode mode, std::unique_ptr<File> below)
        : disk_(disk), mode_(mode), below_(std::move(below)) {}
    absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> into) override {
      return below_->ReadAt(offset, into);
    }
    absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                         std::span<const std::byte> tail) override {
      if (mode_ == FileMode::kDurable) {
        ++disk_.writes;
        disk_.clock_.Advance(disk_.write_ns);
      }
      return below_->WriteAt(offset, head, tail);
    }
    absl::Status Allocate(std::uint64_t bytes) override { return below_->Allocate(bytes); }
    absl::Status Sync() override {
      ++disk_.syncs;
      disk_.clock_.Advance(disk_.sync_ns);
      return below_->Sync();
    }
    absl::StatusOr<std::uint64_t> Size() override { return below_->Size(); }
    bool is_direct() const noexcept override { return below_->is_direct(); }

   private:
    SlowDisk& disk_;
    const FileMode mode_;
    const std::unique_ptr<File> below_;
  };

  FakeClock& clock_;
};

class PollBudgetTest : public ::testing::Test {
 protected:
  void TearDown() override {
    producer_.reset();
    engine_.reset();
    Sleeper::loop_clock = nullptr;
  }

  void Open(Threads threads = Threads::kHostAll, std::uint64_t decide_budget_ns = 50'000) {
    EngineOptions options = directory_.Options(threads);
    options.clock = &clock_;
    if (threads == Threads::kHostAll) options.storage = &disk_;
    options.session_window = 4096;
    options.decide_budget_ns = decide_budget_ns;
    Sleeper::clock = &clock_;
    auto opened = Engine::Open(options, Aggregates<Sleeper>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    producer_ = std::make_unique<Producer>(*engine_->NewProducer());
    Rest();
  }
  void Rest() {
    while (engine_->Poll(std::chrono::seconds(1)) != 0) {
    }
  }
  // `count` commands of one type that take `ns` each.
  template <class C>
  void Submit(std::size_t count, std::uint64_t ns) {
    const std::vector<Addressed<C>> commands(count, {Key(1), {ns}});
    ASSERT_EQ(producer_->SubmitBatch<Sleeper>(std::span(commands), kQuick).count, count);
  }
  std::size_t Answers() {
    return producer_->Poll([](const Completion&) noexcept {});
  }
  // What a Poll() takes.
  std::uint64_t TimeOf(nanoseconds budget) {
    const std::uint64_t before = clock_.boot_ns;
    engine_->Poll(budget);
    return clock_.boot_ns - before;
  }
  SlowDecides Slow() {
    auto slow = engine_->FindSlowDecides();
    EXPECT_TRUE(slow.ok()) << slow.status();
    return slow.value_or(SlowDecides());
  }

  const TestDirectory directory_;
  FakeClock clock_;
  ManualClock loop_clock_;  // of an engine with threads
  SlowDisk disk_{clock_};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Producer> producer_;
};

TEST_F(PollBudgetTest, QuickCommandsEndWithinTheBudgetAndAFewMicroseconds) {
  Open();
  Submit<Nap>(4096, kMicrosecond);
  std::size_t answered = 0;
  while (answered < 4096) {
    EXPECT_LE(TimeOf(microseconds(100)), 100 * kMicrosecond + 2 * kSliceNs);
    const std::size_t got = Answers();
    EXPECT_GE(got, 90U) << "and not much before";
    answered += got;
    if (answered == 4096) break;
  }
  EXPECT_EQ(engine_->poll_overruns().count, 0U);
  EXPECT_EQ(Slow().turns, 0U);
}

TEST_F(PollBudgetTest, SlowCommandsEndItBehindOneOfThem) {
  Open();
  Submit<Nap>(200, kMillisecond);
  // Nobody knows yet that they are slow.
  EXPECT_LE(TimeOf(microseconds(100)), 16 * kMillisecond);
  EXPECT_LE(Answers(), 16U);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(TimeOf(microseconds(100)), kMillisecond);
    EXPECT_EQ(Answers(), 1U);
  }
  // Three fit in.
  EXPECT_EQ(TimeOf(microseconds(2'500)), 3 * kMillisecond);
  EXPECT_EQ(Answers(), 3U);
}

// As many as quick ones made of a slice, once.
TEST_F(PollBudgetTest, SlowCommandsBehindQuickOnesEndItBehindASliceOfThem) {
  Open();
  for (int i = 0; i < 8; ++i) {
    Submit<Nap>(512, 1);
    Rest();
    ASSERT_EQ(Answers(), 512U);
  }
  Submit<Nap>(1'024, kMillisecond);
  EXPECT_EQ(TimeOf(microseconds(100)), 256 * kMillisecond);
  EXPECT_EQ(Answers(), 256U);
  EXPECT_EQ(engine_->poll_overruns().count, 1U);
  EXPECT_EQ(engine_->poll_overruns().longest_ns, 256 * kMillisecond - 100 * kMicrosecond);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(TimeOf(microseconds(100)), kMillisecond);
    EXPECT_EQ(Answers(), 1U);
  }
}

// Found by reading: a turn of commands that are answered and not decided looked at no clock.
TEST_F(PollBudgetTest, ResendsAndStrangersEndItToo) {
  ManualClock clock;  // on which each look takes a while
  Sleeper::clock = &clock_;
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.clock = &clock;
  options.session_window = 256;
  engine_ = *Engine::Open(options, Aggregates<Sleeper>{});
  producer_ = std::make_unique<Producer>(*engine_->NewProducer({.session = "sleeper"}));
  ASSERT_TRUE(producer_->Execute<Sleeper>(Key(1), Nap{0}, kQuick).ok());
  clock.SetStep(microseconds(10));
  for (const bool is_stranger : {false, true}) {
    SCOPED_TRACE(is_stranger);
    if (is_stranger) {
      ASSERT_TRUE(engine_->CloseSession("sleeper").ok());
    }
    SubmitOptions resend = kQuick;
    resend.resend = Sequence(1);
    for (int i = 0; i < 256; ++i) ASSERT_TRUE(producer_->Submit<Sleeper>(Key(1), Nap{0}, resend));
    // A slice of one command, once that is known to be slow.
    std::size_t most = 0;
    for (int i = 0; i < 40; ++i) {
      engine_->Poll(microseconds(1));
      const std::size_t got = Answers();
      if (i >= 20) most = std::max(most, got);
    }
    EXPECT_EQ(most, 1U);
    Rest();
    Answers();
    EXPECT_EQ(producer_->in_flight(), 0U);
  }
  producer_.reset();
  engine_.reset();  // before its clock
}

TEST_F(PollBudgetTest, AnOverrunIsCountedAndNamed) {
  Open();
  Submit<Nap>(3, kMillisecond);
  EXPECT_EQ(TimeOf(microseconds(100)), 3 * kMillisecond) << "the first step is of 16 commands";
  const PollOverruns& overruns = engine_->poll_overruns();
  EXPECT_EQ(overruns.count, 1U);
  EXPECT_EQ(overruns.longest_ns, 3 * kMillisecond - 100 * kMicrosecond);
  EXPECT_EQ(overruns.longest_by, "pawl-loop");
  Submit<Nap>(1, kMillisecond);
  engine_->Poll(microseconds(100));
  EXPECT_EQ(overruns.count, 2U);
  EXPECT_EQ(overruns.longest_ns, 3 * kMillisecond - 100 * kMicrosecond) << "still the longest";
  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.poll_overruns, 2U);
  EXPECT_EQ(stats.longest_overrun_ns, overruns.longest_ns);
}

TEST_F(PollBudgetTest, BudgetAndOneDecideIsNoOverrun) {
  Open();
  Submit<Nap>(1, 60 * kMicrosecond);
  engine_->Poll(microseconds(10));
  EXPECT_EQ(engine_->poll_overruns().count, 0U) << "50 µs beyond the budget";
  Submit<Nap>(1, 60 * kMicrosecond + 1);
  engine_->Poll(microseconds(10));
  EXPECT_EQ(engine_->poll_overruns().count, 1U);
}

TEST_F(PollBudgetTest, ASlowCommandIsNamed) {
  Open();
  Submit<Doze>(1, 51 * kMicrosecond);
  Submit<Nap>(1, 10);
  Rest();
  SlowDecides slow = Slow();
  EXPECT_EQ(slow.turns, 1U);
  EXPECT_EQ(slow.found, 0U) << "one of two types: not known which";
  EXPECT_EQ(slow.command, "");
  Submit<Doze>(1, 50 * kMicrosecond);
  Rest();
  EXPECT_EQ(Slow().turns, 1U) << "its budget";
  Submit<Nap>(1, 90 * kMicrosecond);
  Rest();
  Submit<Doze>(1, 70 * kMicrosecond);
  Rest();
  slow = Slow();
  EXPECT_EQ(slow.turns, 3U);
  EXPECT_EQ(slow.found, 2U);
  EXPECT_EQ(slow.longest_ns, 90 * kMicrosecond);
  EXPECT_EQ(slow.category, "sleeper");
  EXPECT_TRUE(slow.command.ends_with("Nap")) << slow.command;
  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.slow_turns, 3U);
  EXPECT_EQ(stats.slow_decides, 2U);
  EXPECT_EQ(stats.slowest_decide_ns, 90 * kMicrosecond);
}

TEST_F(PollBudgetTest, WithThreadsOfItsOwnASlowCommandThatIsAloneInItsTurnIsNamed) {
  EngineOptions options = directory_.Options(Threads::kOwn);
  options.clock = &loop_clock_;
  Sleeper::loop_clock = &loop_clock_;
  engine_ = *Engine::Open(options, Aggregates<Sleeper>{});
  producer_ = std::make_unique<Producer>(*engine_->NewProducer());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(producer_->Execute<Sleeper>(Key(1), Doze{50 * kMicrosecond}, kQuick).ok());
  }
  EXPECT_EQ(Slow().turns, 0U) << "its budget";
  // Once, and never again.
  ASSERT_TRUE(producer_->Execute<Sleeper>(Key(1), Nap{kMillisecond}, kQuick).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(producer_->Execute<Sleeper>(Key(1), Doze{0}, kQuick).ok());
  }
  const SlowDecides slow = Slow();
  EXPECT_EQ(slow.turns, 1U);
  EXPECT_EQ(slow.found, 1U);
  EXPECT_EQ(slow.longest_ns, kMillisecond);
  EXPECT_EQ(slow.category, "sleeper");
  EXPECT_TRUE(slow.command.ends_with("Nap")) << slow.command;
  const EngineStats stats = engine_->Stats();
  EXPECT_EQ(stats.slow_turns, 1U);
  EXPECT_EQ(stats.slow_decides, 1U);
  EXPECT_EQ(stats.slowest_decide_ns, kMillisecond);
}

TEST_F(PollBudgetTest, WithoutABudgetForCommandsNoneIsTimed) {
  Open(Threads::kHostAll, 0);
  Submit<Nap>(3, kSecond);
  Rest();
  EXPECT_EQ(Slow().turns, 0U);
  EXPECT_EQ(Slow().found, 0U);
}

TEST_F(PollBudgetTest, ADiskThatTakesASecondHoldsItForOneCall) {
  Open();
  disk_.write_ns = kSecond;
  Submit<Nap>(1, 1);
  std::uint64_t seconds = 0;
  for (int i = 0; i < 20; ++i) {
    const int writes = disk_.writes;
    const std::uint64_t took = TimeOf(microseconds(100));
    EXPECT_LE(took, kSecond + 100 * kMicrosecond);
    EXPECT_LE(disk_.writes - writes, 1);
    seconds += took / kSecond;
  }
  EXPECT_GE(seconds, 1U) << "the command was made durable";
  const PollOverruns& overruns = engine_->poll_overruns();
  EXPECT_EQ(overruns.count, seconds);
  EXPECT_GE(overruns.longest_ns, kSecond - 100 * kMicrosecond);
  EXPECT_EQ(overruns.longest_by, "pawl-sync");
}

TEST_F(PollBudgetTest, ASegmentWhoseSyncTakesASecondHoldsItForOneCall) {
  Open();
  disk_.sync_ns = kSecond;
  const int before = disk_.syncs;
  std::uint64_t seconds = 0;
  // Commands until two more segments were made.
  for (int i = 0; i < 200 && disk_.syncs - before < 2; ++i) {
    Submit<Nap>(256, 1);
    while (producer_->in_flight() > 0) {
      const int syncs = disk_.syncs;
      const std::uint64_t took = TimeOf(microseconds(100));
      ASSERT_LE(took, kSecond + 100 * kMicrosecond);
      ASSERT_LE(disk_.syncs - syncs, 1);
      seconds += took / kSecond;
      Answers();
    }
  }
  EXPECT_EQ(disk_.syncs - before, 2);
  EXPECT_EQ(seconds, 2U);
  EXPECT_EQ(engine_->poll_overruns().count, 2U);
  EXPECT_EQ(engine_->poll_overruns().longest_by, "pawl-prepare");
}

TEST_F(PollBudgetTest, ADiskWithAThreadOfItsOwnHoldsNothing) {
  GateStorage gate;
  EngineOptions options = directory_.Options(Threads::kHost);
  options.clock = &clock_;
  options.storage = &gate;
  engine_ = *Engine::Open(options, Aggregates<Sleeper>{});
  Sleeper::clock = &clock_;
  {
    Producer producer = *engine_->NewProducer();
    Rest();
    const GateOpener opener(gate);
    gate.Shut();
    ASSERT_TRUE(producer.Submit<Sleeper>(Key(1), Nap{1}, kQuick));
    while (producer.Poll([](const Completion&) noexcept {}) == 0) engine_->Poll();
    ASSERT_TRUE(Await([&] { return gate.waiting() > 0; }));
    engine_->Poll();  // returns although the disk does not
    EXPECT_EQ(engine_->poll_overruns().count, 0U);
  }
  engine_.reset();  // before its storage
}

TEST_F(PollBudgetTest, AnAgentThatTakesLongIsNamed) {
  Open();
  auto slow = std::make_shared<BusyAgent>(clock_, 7 * kMillisecond, "slow-agent");
  ASSERT_TRUE(engine_->Attach(slow).ok());
  EXPECT_EQ(TimeOf(microseconds(100)), 7 * kMillisecond) << "one of its rounds";
  EXPECT_EQ(engine_->poll_overruns().longest_by, "slow-agent");
  EXPECT_EQ(engine_->poll_overruns().longest_ns, 7 * kMillisecond - 100 * kMicrosecond);
  engine_->Detach(slow.get());
  EXPECT_EQ(engine_->poll_overruns().longest_by, "slow-agent") << "it may be gone";
}

TEST_F(PollBudgetTest, NoBudgetIsSoSmallThatItStarvesOne) {
  for (const nanoseconds budget : {nanoseconds(0), nanoseconds(-1), nanoseconds(1)}) {
    Open();
    auto one = std::make_shared<BusyAgent>(clock_, 1, "one");
    auto two = std::make_shared<BusyAgent>(clock_, 1, "two");
    ASSERT_TRUE(engine_->Attach(one).ok());
    ASSERT_TRUE(engine_->Attach(two).ok());
    // Each has work all the time, the loop included.
    Submit<Nap>(4000, 1);
    std::size_t answered = 0;
    int polls = 0;
    for (; answered < 4000; ++polls) {
      ASSERT_TRUE(one->steps == two->steps || one->steps == two->steps + 1);
      engine_->Poll(budget);
      answered += Answers();
      ASSERT_LT(polls, 1'000);
    }
    // Loop, sync, preparer and the two.
    EXPECT_GE(one->steps, polls / 5 - 1);
    EXPECT_GE(two->steps, polls / 5 - 1);
    engine_->Detach(one.get());
    engine_->Detach(two.get());
    producer_.reset();
    engine_.reset();
  }
}

TEST_F(PollBudgetTest, GoesOnWhereTheLastOneEnded) {
  Open(Threads::kHost);
  std::vector<std::shared_ptr<BusyAgent>> agents;
  for (const char* name : {"a", "b", "c"}) {
    agents.push_back(std::make_shared<BusyAgent>(clock_, 10, name));
    ASSERT_TRUE(engine_->Attach(agents.back()).ok());
  }
  for (int i = 1; i <= 30; ++i) {
    EXPECT_EQ(engine_->Poll(nanoseconds(0)), 1) << "one step";
    for (int agent = 0; agent < 3; ++agent) {
      EXPECT_EQ(agents[static_cast<std::size_t>(agent)]->steps, (i + 2 - agent) / 3) << i;
    }
  }
  engine_->Detach(agents[1].get());
  for (int i = 0; i < 4; ++i) engine_->Poll(nanoseconds(0));
  EXPECT_EQ(agents[0]->steps + agents[2]->steps, 24);
  EXPECT_EQ(agents[0]->steps, agents[2]->steps);
  for (const auto& agent : agents) agent->is_idle = true;  // a stop runs what is left
}

TEST_F(PollBudgetTest, EndsWhenNothingIsLeftWhateverTheBudget) {
  Open(Threads::kHost);
  for (const nanoseconds budget : {nanoseconds::max(), nanoseconds::min(), nanoseconds(0)}) {
    EXPECT_EQ(engine_->Poll(budget), 0);
  }
  clock_.boot_ns = std::numeric_limits<std::uint64_t>::max() - 10;
  Submit<Nap>(5, 1);
  EXPECT_GT(engine_->Poll(nanoseconds::max()), 0) << "the end of the clock's numbers";
  EXPECT_EQ(Answers(), 5U);
}

TEST_F(PollBudgetTest, TimeIsTheClocksAndNobodyElses) {
  Open();
  // A clock that stands still never ends a budget.
  Submit<Nap>(4096, 0);
  engine_->Poll(nanoseconds(1));
  EXPECT_EQ(Answers(), 4096U);
}

}  // namespace
}  // namespace pawl
