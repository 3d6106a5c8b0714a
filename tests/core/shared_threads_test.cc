// Agents that share a thread: who runs where, and that no ring is lost.

#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "thread_facts.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

// Takes what is given to it, and says on which thread.
class Mailbox final : public Agent {
 public:
  explicit Mailbox(std::string_view name = "mailbox", std::int64_t sleep_ns = -1)
      : name_(name), sleep_ns_(sleep_ns) {}

  void Give() noexcept {
    // Release: pairs with the acquire in HasWork().
    given_.fetch_add(1, std::memory_order_release);
    bell_.Ring();
  }
  // Acquire: pairs with the release in DoWork().
  std::int64_t taken() const noexcept { return taken_.load(std::memory_order_acquire); }
  std::int64_t rounds() const noexcept { return rounds_.load(std::memory_order_acquire); }
  int thread() const noexcept { return thread_.load(std::memory_order_acquire); }

  int DoWork() noexcept override {
    // Relaxed: this thread only writes them; published below.
    const std::int64_t before = taken_.load(std::memory_order_relaxed);
    thread_.store(::gettid(), std::memory_order_relaxed);
    rounds_.fetch_add(1, std::memory_order_release);
    // Acquire: pairs with the release in Give().
    const std::int64_t given = given_.load(std::memory_order_acquire);
    // Release: pairs with the acquire in taken().
    taken_.store(given, std::memory_order_release);
    return static_cast<int>(given - before);
  }
  bool HasWork() noexcept override {
    // Acquire: pairs with the release in Give(). Relaxed: this thread's own.
    return given_.load(std::memory_order_acquire) != taken_.load(std::memory_order_relaxed);
  }
  Doorbell& bell() noexcept override { return bell_; }
  std::int64_t sleep_ns() noexcept override { return sleep_ns_; }
  std::string_view name() const noexcept override { return name_; }

 private:
  const std::string name_;
  const std::int64_t sleep_ns_;
  Doorbell bell_;
  std::atomic<std::int64_t> given_{0};   // writers: any. Reader: the agent. Only grows
  std::atomic<std::int64_t> taken_{0};   // writer: the agent. Readers: any. Only grows
  std::atomic<std::int64_t> rounds_{0};  // the same
  std::atomic<int> thread_{0};           // the same; of the newest round
};

// The kernel lists a thread for a moment after it was joined.
bool HasEnded(std::string_view thread) {
  return Await([thread] { return ThreadNamed(thread) == 0; });
}

class SharedThreadsTest : public BankTest {
 protected:
  std::shared_ptr<Mailbox> Attach(const AgentThread& thread, std::string_view name = "mailbox",
                                  std::int64_t sleep_ns = -1) {
    auto agent = std::make_shared<Mailbox>(name, sleep_ns);
    const absl::Status attached = engine_->Attach(agent, thread);
    EXPECT_TRUE(attached.ok()) << attached;
    return agent;
  }
  static void Use(Mailbox& agent) {
    const std::int64_t before = agent.taken();
    agent.Give();
    ASSERT_TRUE(Await([&] { return agent.taken() == before + 1; }));
  }
};

TEST_F(SharedThreadsTest, AgentsThatNameOneThreadShareItAndOthersDoNot) {
  Open();
  const auto one = Attach({.name = "readers"}, "one");
  const auto two = Attach({.name = "readers"}, "two");
  const auto other = Attach({.name = "writers"}, "three");
  const auto alone = Attach({}, "alone");
  for (Mailbox* agent : {one.get(), two.get(), other.get(), alone.get()}) Use(*agent);
  EXPECT_EQ(one->thread(), ThreadNamed("readers"));
  EXPECT_EQ(two->thread(), ThreadNamed("readers"));
  EXPECT_EQ(other->thread(), ThreadNamed("writers"));
  EXPECT_EQ(alone->thread(), ThreadNamed("alone"));
  EXPECT_EQ(ThreadNamed("one"), 0);
  for (Mailbox* agent : {one.get(), two.get(), other.get(), alone.get()}) engine_->Detach(agent);
}

// A thread of somebody who gave no name is not shared, although its name is asked for.
TEST_F(SharedThreadsTest, AThreadWithoutANameOfItsOwnIsNotShared) {
  Open();
  const auto alone = Attach({}, "readers");
  const auto named = Attach({.name = "readers"}, "two");
  Use(*alone);
  Use(*named);
  EXPECT_NE(alone->thread(), named->thread());
}

TEST_F(SharedThreadsTest, TheFirstOnePinsTheThread) {
  Open();
  cpu_set_t cores;
  ASSERT_EQ(::sched_getaffinity(0, sizeof cores, &cores), 0);
  std::size_t allowed = 0;
  while (!CPU_ISSET(allowed, &cores)) ++allowed;
  const int core = static_cast<int>(allowed);
  const auto first = Attach({.name = "readers", .core = core});
  const auto second = Attach({.name = "readers"});
  const auto third = Attach({.name = "readers", .core = core});
  ASSERT_EQ(::sched_getaffinity(ThreadNamed("readers"), sizeof cores, &cores), 0);
  EXPECT_EQ(CPU_COUNT(&cores), 1);
  EXPECT_TRUE(CPU_ISSET(allowed, &cores));
  const absl::Status refused =
      engine_->Attach(std::make_shared<Mailbox>(), {.name = "readers", .core = core + 1});
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
  for (const auto& agent : {first, second, third}) Use(*agent);
}

TEST_F(SharedThreadsTest, TheEnginesThreadsHaveNamesAndAreWhereTheOptionsPinThem) {
  const std::vector<int> allowed = CoresOf(0);
  EngineOptions options = directory_.Options();
  Open(options);
  for (const char* const name : {"pawl-loop", "pawl-sync", "pawl-prepare", "pawl-health"}) {
    ASSERT_NE(ThreadNamed(name), 0) << name;
    EXPECT_EQ(CoresOf(ThreadNamed(name)), allowed) << name;
  }
  engine_.reset();
  options.loop_core = allowed.front();
  options.disk_core = allowed.back();
  Open(options);
  EXPECT_EQ(CoresOf(ThreadNamed("pawl-loop")), std::vector{allowed.front()});
  EXPECT_EQ(CoresOf(ThreadNamed("pawl-sync")), std::vector{allowed.back()});
  EXPECT_EQ(CoresOf(ThreadNamed("pawl-prepare")), std::vector{allowed.back()});
  EXPECT_EQ(CoresOf(ThreadNamed("pawl-health")), std::vector{allowed.back()});
  EXPECT_EQ(CoresOf(0), allowed);
  ASSERT_TRUE(NewProducer().Execute<Account>(Key(1), Deposit{1}).ok());
}

TEST_F(SharedThreadsTest, ANameTooLongAndACoreThatIsNotThereAreRefused) {
  Open();
  const auto agent = std::make_shared<Mailbox>();
  const auto code = [&](const AgentThread& thread) {
    return engine_->Attach(agent, thread).code();
  };
  EXPECT_EQ(code({.name = "sixteen-letters-"}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.name = "readers", .core = CPU_SETSIZE + 1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.name = "fifteen-letters"}), absl::StatusCode::kOk);
  Use(*agent);
}

TEST_F(SharedThreadsTest, AThreadEndsWithItsLastAgentAndItsNameCanBeUsedAgain) {
  Open();
  for (int life = 0; life < 3; ++life) {
    const auto one = Attach({.name = "readers"});
    const auto two = Attach({.name = "readers"});
    Use(*one);
    engine_->Detach(one.get());
    const std::int64_t rounds = one->rounds();
    one->Give();  // rings a bell at which nobody sleeps any more
    Use(*two);
    Use(*two);
    EXPECT_EQ(one->rounds(), rounds) << "a detached agent runs no more";
    EXPECT_NE(ThreadNamed("readers"), 0);
    engine_->Detach(two.get());
    EXPECT_TRUE(HasEnded("readers"));
  }
}

TEST_F(SharedThreadsTest, AgentsMayJoinTheEnginesOwn) {
  Open();
  const int threads = ThreadNamed("pawl-loop");
  const auto with_loop = Attach({.name = "pawl-loop"});
  const auto with_sync = Attach({.name = "pawl-sync"});
  Use(*with_loop);
  Use(*with_sync);
  EXPECT_EQ(with_loop->thread(), threads);
  EXPECT_EQ(with_sync->thread(), ThreadNamed("pawl-sync"));
  Producer producer = NewProducer("teller");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
    if (i == 50) engine_->Detach(with_loop.get());
    if (i == 70) engine_->Detach(with_sync.get());
  }
  EXPECT_EQ(ThreadNamed("pawl-loop"), threads);
}

// Rows: three of the engine's own agents, then these.
TEST_F(SharedThreadsTest, EachAgentHasRoundsAndSleepsOfItsOwn) {
  Open();
  const auto one = Attach({.name = "readers"}, "one");
  for (int i = 0; i < 3; ++i) Use(*one);
  const auto two = Attach({.name = "readers"}, "two");
  Use(*two);
  const auto are_counted = [&] {
    const EngineStats stats = engine_->Stats();
    return stats.agents.at(3).rounds == static_cast<std::uint64_t>(one->rounds()) &&
           stats.agents.at(4).rounds == static_cast<std::uint64_t>(two->rounds());
  };
  EXPECT_TRUE(Await(are_counted));
  ASSERT_TRUE(Await([&] { return engine_->Stats().agents.at(4).sleeps > 0; }));
  EngineStats stats = engine_->Stats();
  ASSERT_EQ(stats.agents.size(), 5U);
  EXPECT_EQ(stats.agents[3].name, "one");
  EXPECT_EQ(stats.agents[4].name, "two");
  EXPECT_GT(stats.agents[3].sleeps, 0U);
  engine_->Detach(one.get());
  Use(*two);
  stats = engine_->Stats();
  ASSERT_EQ(stats.agents.size(), 4U);
  EXPECT_EQ(stats.agents[3].name, "two");
}

TEST_F(SharedThreadsTest, StopEndsThemAllAndRunsWhatIsLeft) {
  Open();
  const auto one = Attach({.name = "readers"});
  const auto two = Attach({.name = "pawl-loop"});
  Use(*one);
  EXPECT_TRUE(engine_->Stop().ok());
  EXPECT_TRUE(HasEnded("readers"));
  EXPECT_TRUE(HasEnded("pawl-loop"));
  EXPECT_FALSE(engine_->Attach(std::make_shared<Mailbox>(), {.name = "readers"}).ok());
  engine_->Detach(one.get());
  engine_->Detach(two.get());
}

TEST_F(SharedThreadsTest, TheShortestSleepOfAllCounts) {
  Open();
  const auto patient = Attach({.name = "readers"}, "patient", 3'600'000'000'000);
  const auto eager = Attach({.name = "readers"}, "eager", 1'000'000);
  const auto endless = Attach({.name = "readers"}, "endless", -1);
  const std::int64_t rounds = eager->rounds();
  // Far more rounds than those between going idle and sleeping.
  EXPECT_TRUE(Await([&] { return eager->rounds() > rounds + 1'000; })) << "nobody rang";
}

// Each piece of work is announced once, while the thread sleeps, falls asleep or is awake; a ring
// that is lost hangs the test. All three kinds of ringers: users of one agent, of another one, and
// the loop.
TEST_F(SharedThreadsTest, NoRingOfAnySharingAgentIsLost) {
  constexpr int kRounds = 600;  // some 30,000 yields a ringer
  Open();
  std::array<std::shared_ptr<Mailbox>, 3> agents;
  for (auto& agent : agents) agent = Attach({.name = "readers"});
  std::vector<std::thread> ringers;
  for (const auto& agent : agents) {
    ringers.emplace_back([&agent] {
      for (int i = 1; i <= kRounds; ++i) {
        // Until the thread is about to sleep, sleeps, or still looks for more.
        for (int yields = i % 97; yields > 0; --yields) std::this_thread::yield();
        agent->Give();
        ASSERT_TRUE(Await([&] { return agent->taken() == i; })) << "after " << i;
      }
    });
  }
  // Meanwhile agents come and go, and the loop rings too.
  Producer producer = NewProducer();
  for (int i = 0; i < 200; ++i) {
    const auto guest = Attach({.name = "readers"});
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
    Use(*guest);
    engine_->Detach(guest.get());
  }
  for (std::thread& ringer : ringers) ringer.join();
}

}  // namespace
}  // namespace pawl
