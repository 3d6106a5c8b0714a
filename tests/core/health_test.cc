// Engine::health() and on_health: what counts as a stall, to the millisecond of a clock that the
// test owns, and that nothing which hangs keeps the host from being told.

#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"
#include "manual_clock.h"
#include "thread_facts.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

constexpr SubmitOptions kPublished{.ack = Ack::kPublished};

// One call of on_health.
struct Told {
  EngineHealth from;
  EngineHealth to;
  std::string why;
  std::string thread;
};

std::string NameOfThisThread() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

class HealthTest : public BankTest {
 protected:
  EngineOptions Options(Threads threads) {
    EngineOptions options = directory_.Options(threads);
    options.clock = &clock_;
    options.storage = &gate_;
    options.stall_after = 1s;
    options.on_health = [this](EngineHealth from, EngineHealth to, std::string_view why) noexcept {
      const std::lock_guard lock(mutex_);
      told_.push_back({from, to, std::string(why), NameOfThisThread()});
    };
    options.on_notice = [this](std::string_view text) {
      const std::lock_guard lock(mutex_);
      notices_ += std::string(text) + "\n";
    };
    return options;
  }
  void TearDown() override {
    gate_.Open();
    engine_.reset();
  }

  std::vector<Told> TellAll() {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  std::string Notices() {
    const std::lock_guard lock(mutex_);
    return notices_;
  }
  // Looks after time passed, in steps that count whole.
  void PassAndLook(std::chrono::nanoseconds time) {
    for (; time > 0ns; time -= std::min<std::chrono::nanoseconds>(time, 500ms)) {
      clock_.Advance(std::min<std::chrono::nanoseconds>(time, 500ms));
      engine_->Poll();
    }
  }
  // Host-driven: a sync stands before the shut gate, and was seen there.
  void HangASync(Producer& producer) {
    ASSERT_NO_FATAL_FAILURE(AwaitRest());
    gate_.Shut();
    // That nobody had work before, or looked, does not count.
    PassAndLook(400ms);
    clock_.Advance(400ms);
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kPublished));
    ASSERT_TRUE(Await([&] {
      engine_->Poll();
      return gate_.waiting() > 0;
    }));
    engine_->Poll();
  }
  // Own threads: time passes when somebody looked at the clock, so that an agent which works for as
  // long as some looks take does not seem to hang.
  template <class IsDone>
  bool PassUntilIt(IsDone&& is_done) {
    std::uint64_t seen = 0;
    return Await([&] {
      const std::uint64_t looks = clock_.looks();
      if (looks != seen) clock_.Advance(400ms);
      seen = looks;
      return is_done();
    });
  }
  bool PassUntil(EngineHealth wanted) {
    return PassUntilIt([&] {
      const std::vector<Told> told = TellAll();
      return !told.empty() && told.back().to == wanted;
    });
  }
  // The disk agents have nothing to do, and do nothing.
  void AwaitRest() {
    ASSERT_TRUE(Await([&] {
      if (engine_->threads() != Threads::kOwn) engine_->Poll();
      const Log& log = engine_->log();
      const EngineStats stats = engine_->Stats();
      return log.is_warm() && log.published() == log.durable() && !stats.agents.at(1).is_in_round &&
             !stats.agents.at(2).is_in_round;
    }));
  }

  ManualClock clock_;
  GateStorage gate_;
  std::mutex mutex_;
  std::vector<Told> told_;
  std::string notices_;
};

TEST_F(HealthTest, ASyncThatHangsIsAStallFromTheMomentOnAndNotBefore) {
  Open(Options(Threads::kHost));
  Producer producer = NewProducer();
  ASSERT_NO_FATAL_FAILURE(HangASync(producer));
  PassAndLook(1s - 1ns);
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
  EXPECT_TRUE(TellAll().empty());
  PassAndLook(1ns);
  EXPECT_EQ(engine_->health(), EngineHealth::kStalled);
  PassAndLook(10s);
  ASSERT_EQ(TellAll().size(), 1U) << "told once";
  EXPECT_EQ(TellAll()[0].from, EngineHealth::kOpen);
  EXPECT_EQ(TellAll()[0].to, EngineHealth::kStalled);
  EXPECT_NE(TellAll()[0].why.find("pawl-sync"), std::string::npos) << TellAll()[0].why;
  EXPECT_EQ(engine_->Stats().health, EngineHealth::kStalled);
  EXPECT_EQ(engine_->Stats().agents.at(1).stalls, 1U);

  gate_.Open();
  ASSERT_TRUE(Await([&] {
    engine_->Poll();
    return engine_->health() == EngineHealth::kOpen;
  }));
  ASSERT_EQ(TellAll().size(), 2U);
  EXPECT_EQ(TellAll()[1].from, EngineHealth::kStalled);
  EXPECT_EQ(TellAll()[1].to, EngineHealth::kOpen);
  EXPECT_EQ(engine_->Stats().health_changes, 2U);
  EXPECT_EQ(engine_->Stats().agents.at(1).stalls, 1U);
  EXPECT_FALSE(engine_->Stats().agents.at(1).is_stalled);
}

// A preparer that cannot make an image hangs as much as a sync does. (It once waited for images for
// a minute: one command for each look is a slow way to fill segments on a busy machine, and the
// preparer used those images again of which the sync agent was done in time.)
TEST_F(HealthTest, APreparerThatHangsIsAStall) {
  EngineOptions options = Options(Threads::kHost);
  Open(options);
  Producer producer = NewProducer();
  ASSERT_NO_FATAL_FAILURE(AwaitRest());
  gate_.HoldImages();
  ASSERT_TRUE(Await([&] {
    // Its window of answers is filled and polled; full segments want new images.
    while (producer.Submit<Account>(Key(1), Deposit{1}, kPublished)) {
    }
    engine_->Poll();
    producer.Poll([](const Completion&) noexcept {});
    return gate_.images_waiting() > 0;
  }));
  // Meanwhile the sync agent has work too, and seems to hang while its own time passes.
  EXPECT_TRUE(Await([&] {
    PassAndLook(100ms);
    const EngineStats stats = engine_->Stats();
    return stats.agents.at(2).is_stalled && !stats.agents.at(1).is_stalled &&
           stats.health == EngineHealth::kStalled;
  }));
}

// A disk without work may rest for as long as it likes.
TEST_F(HealthTest, NothingToDoIsNoStall) {
  Open(Options(Threads::kHostAll));
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  PassAndLook(20s);
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kPublished));
  engine_->Poll();
  PassAndLook(20s);
  EXPECT_TRUE(TellAll().empty());
}

// The machine was suspended, or the host did something else: nobody knows how long the sync hung.
TEST_F(HealthTest, TimeInWhichNobodyLookedCountsAsHalfAtMost) {
  Open(Options(Threads::kHost));
  Producer producer = NewProducer();
  ASSERT_NO_FATAL_FAILURE(HangASync(producer));
  clock_.Advance(1h);
  engine_->Poll();
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
  clock_.Advance(1h);
  engine_->Poll();
  EXPECT_EQ(engine_->health(), EngineHealth::kStalled);
}

TEST_F(HealthTest, WithoutALimitNothingIsAStall) {
  EngineOptions options = Options(Threads::kHost);
  options.stall_after = 0ns;
  Open(options);
  {
    Producer producer = NewProducer();
    ASSERT_NO_FATAL_FAILURE(HangASync(producer));
    PassAndLook(60s);
    EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
    gate_.Open();
  }
  engine_.reset();
  options.stall_after = -1ns;
  EXPECT_EQ(Engine::Open(options, Aggregates<Account>{}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(HealthTest, AFailureIsToldWithItsReasonAndStays) {
  Open(Options(Threads::kHost));
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  gate_.Break();
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kPublished));
  ASSERT_TRUE(Await([&] {
    engine_->Poll();
    return engine_->health() == EngineHealth::kFailed;
  }));
  engine_->Poll();
  PassAndLook(20s);
  ASSERT_EQ(TellAll().size(), 1U);
  EXPECT_EQ(TellAll()[0].to, EngineHealth::kFailed);
  EXPECT_NE(TellAll()[0].why.find("Input/output error"), std::string::npos) << TellAll()[0].why;
  EXPECT_EQ(TellAll()[0].thread, NameOfThisThread()) << "host-driven it runs on the host's thread";
}

TEST_F(HealthTest, ALowDiskIsToldAndItsEndToo) {
  EngineOptions options = Options(Threads::kOwn);
  options.stall_after = 0ns;
  Open(options);
  Producer producer = NewProducer();
  gate_.OpenFull();
  ASSERT_TRUE(Await([&] {
    static_cast<void>(producer.Submit<Account>(Key(1), Deposit{1}, kPublished).fault());
    producer.Poll([](const Completion&) noexcept {});
    const std::vector<Told> told = TellAll();
    return !told.empty() && told.back().to == EngineHealth::kDiskLow;
  }));
  EXPECT_EQ(engine_->health(), EngineHealth::kDiskLow);
  EXPECT_NE(TellAll().back().why.find("No space left"), std::string::npos);
  gate_.Open();
  ASSERT_TRUE(Await([&] {
    static_cast<void>(producer.Submit<Account>(Key(1), Deposit{1}, kPublished).fault());
    producer.Poll([](const Completion&) noexcept {});
    return TellAll().back().to == EngineHealth::kOpen;
  }));
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
}

TEST_F(HealthTest, AHangingDiskKeepsNobodyFromBeingTold) {
  Open(Options(Threads::kOwn));
  Producer producer = NewProducer();
  ASSERT_NO_FATAL_FAILURE(AwaitRest());
  gate_.Shut();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kPublished).ok());
  ASSERT_TRUE(PassUntil(EngineHealth::kStalled));
  EXPECT_EQ(TellAll().back().thread, "pawl-health");
  EXPECT_EQ(engine_->health(), EngineHealth::kStalled);
  EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kPublished).ok()) << "the loop goes on";
  gate_.Open();
  ASSERT_TRUE(PassUntil(EngineHealth::kOpen));
}

// Stop() waits for the disk; who waits with it is told why.
TEST_F(HealthTest, AStopThatHangsIsTold) {
  Open(Options(Threads::kOwn));
  Producer producer = NewProducer();
  ASSERT_NO_FATAL_FAILURE(AwaitRest());
  gate_.Shut();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kPublished).ok());
  std::thread stopper([this] { EXPECT_TRUE(engine_->Stop().ok()); });
  EXPECT_TRUE(PassUntil(EngineHealth::kStalled));
  gate_.Open();
  stopper.join();
  EXPECT_EQ(TellAll().back().to, EngineHealth::kOpen);
}

// Hangs while it is told to.
struct Brake {
  static inline std::atomic<bool> is_on{false};
  static inline std::atomic<int> waiting{0};
  static void Pass() noexcept {
    waiting.fetch_add(1, std::memory_order_acq_rel);
    while (is_on.load(std::memory_order_acquire)) std::this_thread::yield();
    waiting.fetch_sub(1, std::memory_order_acq_rel);
  }
};

struct Halt {};
struct Braked {
  using Commands = pawl::Commands<Halt>;
  using Events = pawl::Events<Deposited>;
  static constexpr std::string_view kCategory = "braked";
  struct State {};
  static Verdict Decide(const State&, const Halt&, Emit<Braked>& emit) noexcept {
    Brake::Pass();
    emit(Deposited{1});
    return Accept();
  }
  static void Evolve(State&, const Deposited&) noexcept {}
};

class BrakeOff {
 public:
  ~BrakeOff() { Brake::is_on.store(false, std::memory_order_release); }
};

TEST_F(HealthTest, AHandlerThatHangsIsAStallAndTold) {
  auto opened = Engine::Open(Options(Threads::kOwn), Aggregates<Braked>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  Producer producer = NewProducer();
  ASSERT_NO_FATAL_FAILURE(AwaitRest());
  const BrakeOff off;
  Brake::is_on.store(true, std::memory_order_release);
  ASSERT_TRUE(producer.Submit<Braked>(Key(1), Halt{}, kPublished));
  ASSERT_TRUE(PassUntil(EngineHealth::kStalled));
  EXPECT_NE(TellAll().back().why.find("pawl-loop"), std::string::npos) << TellAll().back().why;
  EXPECT_EQ(TellAll().back().thread, "pawl-health");
  EXPECT_TRUE(engine_->Stats().agents.at(0).is_stalled) << "who asks does not wait for the loop";
  Brake::is_on.store(false, std::memory_order_release);
  Collect(producer, 1);
  ASSERT_TRUE(PassUntil(EngineHealth::kOpen));
}

// An agent that the host attached: not the engine.
class HangingAgent final : public Agent {
 public:
  int DoWork() noexcept override {
    Brake::Pass();
    return 0;
  }
  bool HasWork() noexcept override { return Brake::is_on.load(std::memory_order_acquire); }
  Doorbell& bell() noexcept override { return bell_; }
  std::string_view name() const noexcept override { return "hanging-agent"; }

 private:
  Doorbell bell_;
};

// Has nothing to do.
class QuietAgent final : public Agent {
 public:
  int DoWork() noexcept override { return 0; }
  bool HasWork() noexcept override { return false; }
  Doorbell& bell() noexcept override { return bell_; }
  std::string_view name() const noexcept override { return "quiet-agent"; }

 private:
  Doorbell bell_;
};

TEST_F(HealthTest, AnAttachedAgentThatHangsIsNamedAndCountedAndTheEngineIsOpen) {
  Open(Options(Threads::kOwn));
  const auto agent = std::make_shared<HangingAgent>();
  const BrakeOff off;
  ASSERT_TRUE(engine_->Attach(agent).ok());
  Brake::is_on.store(true, std::memory_order_release);
  agent->bell().Ring();
  ASSERT_TRUE(PassUntilIt([&] { return engine_->Stats().agents.at(3).is_stalled; }));
  EXPECT_EQ(engine_->Stats().agents.at(3).name, "hanging-agent");
  EXPECT_EQ(engine_->Stats().agents.at(3).stalls, 1U);
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
  EXPECT_TRUE(TellAll().empty());
  ASSERT_TRUE(Await([&] { return Notices().find("hanging-agent") != std::string::npos; }));
  Brake::is_on.store(false, std::memory_order_release);
  ASSERT_TRUE(Await([&] { return !engine_->Stats().agents.at(3).is_stalled; }));
  engine_->Detach(agent.get());
  EXPECT_EQ(engine_->Stats().agents.size(), 3U);
}

// Works as long as somebody runs it, a millisecond in each step.
class BusyAgent final : public Agent {
 public:
  explicit BusyAgent(ManualClock& clock) : clock_(clock) {}
  int DoWork() noexcept override {
    clock_.Advance(1ms);
    ++steps;
    return 1;
  }
  bool HasWork() noexcept override { return true; }
  Doorbell& bell() noexcept override { return bell_; }
  std::string_view name() const noexcept override { return "busy-agent"; }

  std::uint64_t steps = 0;

 private:
  ManualClock& clock_;
  Doorbell bell_;
};

// However large the budget is.
TEST_F(HealthTest, AHostThatIsBusyIsToldMeanwhile) {
  Open(Options(Threads::kHost));
  Producer producer = NewProducer();
  ASSERT_NO_FATAL_FAILURE(HangASync(producer));
  const auto agent = std::make_shared<BusyAgent>(clock_);
  ASSERT_TRUE(engine_->Attach(agent).ok());
  engine_->Poll(1s - 1ms);
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
  engine_->Poll(1ms);
  EXPECT_EQ(engine_->health(), EngineHealth::kStalled);
  ASSERT_EQ(TellAll().size(), 1U);
  EXPECT_EQ(engine_->Stats().agents.at(3).rounds, agent->steps);
  engine_->Detach(agent.get());
}

// Who waits for an answer runs the engine, and is told why it does not come.
TEST_F(HealthTest, AHostThatWaitsIsTold) {
  EngineOptions options = Options(Threads::kHost);
  options.on_health = [this](EngineHealth, EngineHealth to, std::string_view) noexcept {
    if (to == EngineHealth::kStalled) gate_.Open();
  };
  Open(options);
  Producer producer = NewProducer();
  ASSERT_NO_FATAL_FAILURE(HangASync(producer));
  clock_.SetStep(10ms);
  EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, {}, 60s).ok());
  EXPECT_GE(engine_->Stats().agents.at(1).stalls, 1U);
}

// A thread that the loop shares hangs with the loop.
TEST_F(HealthTest, AnAgentThatHangsOnTheLoopsThreadIsAStallAndNamed) {
  Open(Options(Threads::kOwn));
  const auto agent = std::make_shared<HangingAgent>();
  const BrakeOff off;
  ASSERT_TRUE(engine_->Attach(agent, {.name = "pawl-loop"}).ok());
  Brake::is_on.store(true, std::memory_order_release);
  agent->bell().Ring();
  ASSERT_TRUE(PassUntil(EngineHealth::kStalled));
  EXPECT_NE(TellAll().back().why.find("hanging-agent"), std::string::npos) << TellAll().back().why;
  EXPECT_FALSE(engine_->Stats().agents.at(0).is_stalled) << "its neighbour is";
  Brake::is_on.store(false, std::memory_order_release);
  ASSERT_TRUE(PassUntil(EngineHealth::kOpen));
  engine_->Detach(agent.get());
}

TEST_F(HealthTest, ANeighbourOfOneThatHangsIsNotBlamed) {
  Open(Options(Threads::kOwn));
  const auto agent = std::make_shared<HangingAgent>();
  const auto neighbour = std::make_shared<QuietAgent>();
  const BrakeOff off;
  ASSERT_TRUE(engine_->Attach(neighbour, {.name = "both"}).ok());
  ASSERT_TRUE(engine_->Attach(agent, {.name = "both"}).ok());
  Brake::is_on.store(true, std::memory_order_release);
  agent->bell().Ring();
  ASSERT_TRUE(PassUntilIt([&] { return engine_->Stats().agents.at(4).is_stalled; }));
  EXPECT_FALSE(engine_->Stats().agents.at(3).is_stalled);
  EXPECT_FALSE(engine_->Stats().agents.at(3).is_in_round);
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
  Brake::is_on.store(false, std::memory_order_release);
  engine_->Detach(agent.get());
  engine_->Detach(neighbour.get());
}

// Whether a thread of this process sleeps in the kernel without a deadline.
bool SleepsForGood(int thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/syscall");
  std::string number;
  std::array<std::string, 4> arguments;
  file >> number;
  for (std::string& argument : arguments) file >> argument;
  return number == "202" && arguments[3] == "0x0";  // futex(word, operation, value, timeout)
}

// While all is idle nobody looks; what begins then is looked at all the same.
TEST_F(HealthTest, AWatchThatRestsIsWokenByWhoBegins) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "knows the system call's number of one processor only";
#endif
  Open(Options(Threads::kOwn));
  Producer producer = NewProducer();
  const int watch = ThreadNamed("pawl-health");
  ASSERT_NE(watch, 0);
  if (!std::ifstream("/proc/self/task/" + std::to_string(watch) + "/syscall")) {
    GTEST_SKIP() << "this kernel does not show what threads wait for";
  }
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Await([&] { return SleepsForGood(watch); })) << "it never rests";
    gate_.Shut();
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kPublished).ok());
    ASSERT_TRUE(PassUntil(EngineHealth::kStalled));
    gate_.Open();
    ASSERT_TRUE(PassUntil(EngineHealth::kOpen));
  }
}

}  // namespace
}  // namespace pawl
