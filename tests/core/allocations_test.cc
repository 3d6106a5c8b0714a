// P15: no allocation on the hot path after start: producer, loop and sync thread, over 10⁷
// commands.

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "allocation_counter.h"
#include "bank_fixture.h"
#include "coroutine.h"
#include "mixed_traffic.h"
#include "pawl/awaiting.h"

namespace pawl {
namespace {

using AllocationsTest = BankTest;

// Allocates once in each way that the counter replaces.
void AllocateEightTimes() {
  static void* volatile kept;  // so that no compiler drops a pair of calls
  const auto drop = [](void* memory) {
    kept = memory;
    std::free(kept);
  };
  kept = std::malloc(100);
  kept = std::realloc(kept, 200'000);
  std::free(kept);
  drop(std::calloc(3, 100));
  drop(std::aligned_alloc(64, 128));
  void* aligned = nullptr;
  ASSERT_EQ(::posix_memalign(&aligned, 64, 128), 0);
  drop(aligned);
  kept = ::operator new(100);
  ::operator delete(kept);
  kept = ::operator new (128, std::align_val_t{64});
  ::operator delete (kept, std::align_val_t{64});
  void* const mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  ::munmap(mapped, 4096);
}

TEST_F(AllocationsTest, TheCounterSeesEveryWayAndEveryThread) {
  if (!CanCountAllocations()) GTEST_SKIP() << "a sanitizer has its own allocator";
  struct Case {
    const char* name;
    CountedThread thread;
  };
  for (const Case& each :
       {Case{"pawl-loop", CountedThread::kLoop}, Case{"pawl-sync", CountedThread::kSync},
        Case{"pawl-projector", CountedThread::kView},
        Case{"test-producer", CountedThread::kProducer}}) {
    std::thread([&each] {
      pthread_setname_np(pthread_self(), each.name);
      if (each.thread == CountedThread::kProducer) RegisterProducerThread();
      StartCounting();
      AllocateEightTimes();
      StopCounting();
    }).join();
    EXPECT_EQ(AllocationsOf(each.thread), 8U) << each.name;
  }
}

TEST_F(AllocationsTest, ProducerLoopAndSyncThreadAllocateNothing) {
  if (!CanCountAllocations()) GTEST_SKIP() << "a sanitizer has its own allocator";
  constexpr std::uint64_t kWarmUp = 200'000;
  constexpr std::uint64_t kCommands = 10'000'000;
  EngineOptions options = directory_.Options();
  options.segment_bytes = std::uint64_t{16} << 20;
  options.undurable_bytes_max = std::uint64_t{64} << 20;
  options.session_window = 4096;
  Open(options);
  for (const bool has_session : {false, true}) {
    Producer producer = NewProducer(has_session ? "teller" : "");
    std::thread([&producer] {
      RegisterProducerThread();
      MixedTraffic traffic(producer);
      traffic.Run(kWarmUp);
      StartCounting();
      traffic.Run(kCommands / 2);
      StopCounting();
      EXPECT_TRUE(traffic.is_sound());
    }).join();
    EXPECT_EQ(AllocationsOf(CountedThread::kProducer), 0U);
    EXPECT_EQ(AllocationsOf(CountedThread::kLoop), 0U);
    EXPECT_EQ(AllocationsOf(CountedThread::kSync), 0U);
  }
  EXPECT_GT(engine_->log().published().value(), options.segment_bytes * 4) << "no segment changed";
}

// Both lanes of a session, keys that are new and keys that are not, more of them than are kept.
TEST_F(AllocationsTest, LanesAndKeysAllocateNothing) {
  if (!CanCountAllocations()) GTEST_SKIP() << "a sanitizer has its own allocator";
  constexpr std::uint64_t kWarmUp = 20'000;
  constexpr std::uint64_t kCommands = 300'000;
  Open();
  auto bulk = engine_->NewProducer({.session = "teller", .lane = SessionLane::kBulk});
  ASSERT_TRUE(bulk.ok()) << bulk.status();
  Producer control = NewProducer("teller");
  std::thread([&] {
    RegisterProducerThread();
    std::uint64_t sent = 0;
    std::uint64_t duplicates = 0;
    const auto run_until = [&](std::uint64_t wanted) {
      while (sent < wanted) {
        for (Producer* producer : {&control, &*bulk}) {
          const SubmitOptions options{.ack = Ack::kPublished, .idempotency_key = Key(1 + sent / 3)};
          if (producer->Submit<Account>(Key(1), Deposit{1}, options)) ++sent;
          producer->Poll(
              [&](const Completion& c) noexcept { duplicates += c.receipt.is_duplicate; });
        }
      }
    };
    run_until(kWarmUp);
    StartCounting();
    run_until(kCommands);
    StopCounting();
    EXPECT_GT(duplicates, kCommands / 2);
  }).join();
  EXPECT_EQ(AllocationsOf(CountedThread::kProducer), 0U);
  EXPECT_EQ(AllocationsOf(CountedThread::kLoop), 0U);
  EXPECT_EQ(AllocationsOf(CountedThread::kSync), 0U);
}

Coroutine SendUntil(AwaitingProducer& teller, std::uint64_t key, std::uint64_t wanted,
                    std::uint64_t& done) {
  while (done < wanted) {
    const SubmitOptions options{.ack = done % 50 == 0 ? Ack::kDurable : Ack::kPublished};
    const Completion c = co_await teller.Call<Account>(Key(key), Deposit{1}, options);
    if (c.verdict.is_accepted()) ++done;
  }
}

// Frames are the coroutines' own, made before; awaiting, waiting for room and sleeping add nothing.
TEST_F(AllocationsTest, AwaitingAllocatesNothing) {
  if (!CanCountAllocations()) GTEST_SKIP() << "a sanitizer has its own allocator";
  constexpr std::uint64_t kWarmUp = 20'000;
  constexpr std::uint64_t kCommands = 500'000;
  EngineOptions options = directory_.Options();
  options.session_window = 64;
  Open(options);
  std::thread([this] {
    RegisterProducerThread();
    AwaitingProducer teller(NewProducer("teller"));
    pollfd answers{.fd = teller.EventFd().value(), .events = POLLIN, .revents = 0};
    std::uint64_t done = 0;
    const auto run_until = [&](std::uint64_t wanted) {
      std::uint64_t sleeps = 0;
      while (done < wanted) {
        if (teller.Run() != 0) continue;
        if (++sleeps % 2 == 0) {
          teller.Wait(std::chrono::milliseconds(100));
        } else if (teller.ArmEventFd()) {
          ::poll(&answers, 1, 100);
        }
      }
    };
    std::vector<Coroutine> all;
    for (std::uint64_t key = 1; key <= 100; ++key) {
      all.push_back(SendUntil(teller, key, kCommands + 1'000, done));
    }
    EXPECT_GT(teller.waiting(), 0U);
    run_until(kWarmUp);
    StartCounting();
    run_until(kCommands);
    StopCounting();
    run_until(kCommands + 1'000);
  }).join();
  EXPECT_EQ(AllocationsOf(CountedThread::kProducer), 0U);
  EXPECT_EQ(AllocationsOf(CountedThread::kLoop), 0U);
}

// Set, set again, cancelled, fired: whatever the queue does with them on the way.
TEST_F(AllocationsTest, TimersAllocateNothing) {
  if (!CanCountAllocations()) GTEST_SKIP() << "a sanitizer has its own allocator";
  constexpr std::uint64_t kWarmUp = 20'000;
  constexpr std::uint64_t kCommands = 300'000;
  EngineOptions options = directory_.Options();
  options.timers_max = 4'096;
  auto opened = Engine::Open(options, Aggregates<Alarm>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  Producer producer = NewProducer();
  std::thread([&producer] {
    RegisterProducerThread();
    const auto run = [&producer](std::uint64_t commands) {
      const SubmitOptions published{.ack = Ack::kPublished};
      for (std::uint64_t i = 0; i < commands; ++i) {
        const Key key(1 + i % 50);
        const auto delay_ns = static_cast<std::int64_t>(i % 7 * i % 5'000'000);
        while (!(i % 3 == 0
                     ? producer.Submit<Alarm>(key, CancelAlarm{i % 11}, published)
                     : producer.Submit<Alarm>(key, SetAlarm{delay_ns, 1, i % 11}, published))) {
          producer.Poll([](const Completion&) noexcept {});
        }
      }
      while (producer.in_flight() != 0) producer.Poll([](const Completion&) noexcept {});
    };
    run(kWarmUp);
    StartCounting();
    run(kCommands);
    StopCounting();
  }).join();
  EXPECT_EQ(AllocationsOf(CountedThread::kProducer), 0U);
  EXPECT_EQ(AllocationsOf(CountedThread::kLoop), 0U);
  EXPECT_EQ(AllocationsOf(CountedThread::kSync), 0U);
  EXPECT_GT(engine_->Stats().timers.fired, kCommands / 100);
}

}  // namespace
}  // namespace pawl
