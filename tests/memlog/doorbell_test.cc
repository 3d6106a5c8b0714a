#include "pawl/doorbell.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "counted_parking.h"

namespace pawl {
namespace {

template <class Parking>
class DoorbellTest : public ::testing::Test {
 protected:
  using Bell = BasicDoorbell<Parking>;
};

using Ways = ::testing::Types<KernelParking, WithoutMembarrier, MembarrierThatStopsWorking>;
TYPED_TEST_SUITE(DoorbellTest, Ways);

TYPED_TEST(DoorbellTest, WaitReturnsAtOnceWhenThereIsWork) {
  typename TestFixture::Bell bell;
  EXPECT_TRUE(bell.Wait([]() noexcept { return true; }));
}

TYPED_TEST(DoorbellTest, WaitTellsWhenTheTimeIsOver) {
  typename TestFixture::Bell bell;
  const std::int64_t before_ns = KernelParking::NowNs();
  EXPECT_FALSE(bell.Wait([]() noexcept { return false; }, 2'000'000));
  EXPECT_GE(KernelParking::NowNs() - before_ns, 2'000'000);
}

TYPED_TEST(DoorbellTest, ATimeoutBeyondTheClockIsForEver) {
  typename TestFixture::Bell bell;
  int looks = 0;
  EXPECT_TRUE(
      bell.Wait([&]() noexcept { return ++looks == 2; }, std::numeric_limits<std::int64_t>::max()));
}

// Each of `kRounds` items is announced once; the sleeper goes back to sleep after each. A lost
// wake-up hangs the test, since nothing else would ring.
TYPED_TEST(DoorbellTest, NoRingIsLostInPingPong) {
  constexpr std::int64_t kRounds = 20'000;
  typename TestFixture::Bell ping;
  typename TestFixture::Bell pong;
  std::atomic<std::int64_t> asked{0};
  std::atomic<std::int64_t> answered{0};
  std::thread sleeper([&] {
    for (std::int64_t round = 1; round <= kRounds; ++round) {
      ping.Wait([&]() noexcept { return asked.load(std::memory_order_acquire) >= round; });
      answered.store(round, std::memory_order_release);
      pong.Ring();
    }
  });
  for (std::int64_t round = 1; round <= kRounds; ++round) {
    asked.store(round, std::memory_order_release);
    ping.Ring();
    pong.Wait([&]() noexcept { return answered.load(std::memory_order_acquire) >= round; });
  }
  sleeper.join();
  EXPECT_EQ(answered.load(std::memory_order_relaxed), kRounds);
}

TYPED_TEST(DoorbellTest, NoRingOfManyRingersIsLost) {
  constexpr int kRingers = 3;
  constexpr std::int64_t kItems = 20'000;
  typename TestFixture::Bell bell;
  std::atomic<std::int64_t> given{0};
  std::vector<std::thread> ringers;
  for (int ringer = 0; ringer < kRingers; ++ringer) {
    ringers.emplace_back([&] {
      for (std::int64_t item = 0; item < kItems; ++item) {
        given.fetch_add(1, std::memory_order_release);
        bell.Ring();
        if (item % 64 == 0) std::this_thread::yield();
      }
    });
  }
  std::int64_t taken = 0;
  while (taken < kRingers * kItems) {
    bell.Wait([&]() noexcept { return given.load(std::memory_order_acquire) > taken; });
    taken = given.load(std::memory_order_acquire);
  }
  for (std::thread& ringer : ringers) ringer.join();
  EXPECT_EQ(taken, kRingers * kItems);
}

// What the ringer wrote before it rang is there when the sleeper is back: checked by TSan too.
TYPED_TEST(DoorbellTest, WorkIsVisibleAfterWait) {
  typename TestFixture::Bell bell;
  std::atomic<bool> is_ready{false};
  std::vector<int> work;
  std::thread ringer([&] {
    work.assign(1000, 7);
    is_ready.store(true, std::memory_order_release);
    bell.Ring();
  });
  EXPECT_TRUE(bell.Wait([&]() noexcept { return is_ready.load(std::memory_order_acquire); }));
  EXPECT_EQ(work.size(), 1000U);
  ringer.join();
}

// A descriptor that a bell signals, and the caller's poll(2) of it.
class EventFd {
 public:
  EventFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  EventFd(const EventFd&) = delete;
  EventFd& operator=(const EventFd&) = delete;
  ~EventFd() { ::close(fd_); }

  int fd() const { return fd_; }
  // Sleeps until it is readable; a minute is for ever.
  bool WaitReadable(int timeout_ms = 60'000) const {
    pollfd one{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, timeout_ms) == 1;
  }
  bool IsReadable() const { return WaitReadable(0); }

 private:
  const int fd_;
};

using OrderedWays = ::testing::Types<KernelParking, WithoutMembarrier>;
template <class Parking>
class DoorbellWatchTest : public DoorbellTest<Parking> {};
TYPED_TEST_SUITE(DoorbellWatchTest, OrderedWays);

TYPED_TEST(DoorbellWatchTest, OnlyTheRingAfterAWatchMakesTheDescriptorReadable) {
  const EventFd event;
  typename TestFixture::Bell bell;
  const auto no_work = []() noexcept { return false; };
  bell.SetEventFd(event.fd());
  bell.Ring();
  EXPECT_FALSE(event.IsReadable()) << "nobody watched";
  ASSERT_TRUE(bell.Watch(no_work));
  EXPECT_FALSE(event.IsReadable());
  bell.Ring();
  EXPECT_TRUE(event.IsReadable());
  ASSERT_TRUE(bell.Watch(no_work)) << "again, after what was left from before";
  EXPECT_FALSE(event.IsReadable());
  EXPECT_FALSE(bell.Watch([]() noexcept { return true; }));
}

TYPED_TEST(DoorbellWatchTest, WorkThatComesWhileArmingIsSeenAndNeedsNoSignal) {
  const EventFd event;
  typename TestFixture::Bell bell;
  bell.SetEventFd(event.fd());
  int looks = 0;
  EXPECT_FALSE(bell.Watch([&]() noexcept { return ++looks == 2; }));
  bell.Ring();
  EXPECT_FALSE(event.IsReadable());
}

TYPED_TEST(DoorbellWatchTest, AWaitBetweenWatchAndPollLosesNoSignal) {
  const EventFd event;
  typename TestFixture::Bell bell;
  bell.SetEventFd(event.fd());
  std::atomic<bool> is_ready{false};
  const auto has_work = [&]() noexcept { return is_ready.load(std::memory_order_acquire); };
  ASSERT_TRUE(bell.Watch(has_work));
  EXPECT_FALSE(bell.Wait([]() noexcept { return false; }, 1'000'000));
  std::thread ringer([&] {
    is_ready.store(true, std::memory_order_release);
    bell.Ring();
  });
  EXPECT_TRUE(bell.Wait(has_work));
  ringer.join();
  EXPECT_TRUE(event.IsReadable());
}

// As NoRingIsLostInPingPong, with a sleeper that sleeps in poll(2).
TYPED_TEST(DoorbellWatchTest, NoSignalIsLostInPingPong) {
  constexpr std::int64_t kRounds = 20'000;
  const EventFd event;
  typename TestFixture::Bell ping;
  typename TestFixture::Bell pong;
  ping.SetEventFd(event.fd());
  std::atomic<std::int64_t> asked{0};
  std::atomic<std::int64_t> answered{0};
  std::thread sleeper([&] {
    for (std::int64_t round = 1; round <= kRounds; ++round) {
      const auto is_asked = [&]() noexcept {
        return asked.load(std::memory_order_acquire) >= round;
      };
      while (!is_asked()) {
        if (!ping.Watch(is_asked)) continue;
        ASSERT_TRUE(event.WaitReadable()) << "round " << round;
      }
      answered.store(round, std::memory_order_release);
      pong.Ring();
    }
  });
  for (std::int64_t round = 1; round <= kRounds; ++round) {
    asked.store(round, std::memory_order_release);
    ping.Ring();
    const bool is_answered =
        pong.Wait([&]() noexcept { return answered.load(std::memory_order_acquire) >= round; },
                  90'000'000'000);
    ASSERT_TRUE(is_answered);
  }
  sleeper.join();
}

TEST(DoorbellWatchFallbackTest, ABarrierThatStoppedWorkingIsToldInsteadOfALostSignal) {
  const EventFd event;
  BasicDoorbell<MembarrierThatStopsWorking> bell;
  bell.SetEventFd(event.fd());
  EXPECT_FALSE(bell.Watch([]() noexcept { return false; }));
}

TEST(DoorbellCostTest, OneWatchIsSignalledByOneWriteHoweverManyRing) {
  const EventFd event;
  BasicDoorbell<CountedParking> bell;
  bell.SetEventFd(event.fd());
  CountedParking::Reset();
  for (int watch = 1; watch <= 3; ++watch) {
    ASSERT_TRUE(bell.Watch([]() noexcept { return false; }));
    for (int ring = 0; ring < 100; ++ring) bell.Ring();
    EXPECT_EQ(CountedParking::signals(), watch);
  }
  EXPECT_EQ(CountedParking::wakes(), 0);
}

TEST(DoorbellCostTest, RingingAnAwakeSleeperIsOneLoad) {
  if (!KernelParking::Register()) GTEST_SKIP() << "no membarrier here";
  BasicDoorbell<CountedParking> bell;
  CountedParking::Reset();
  for (int ring = 0; ring < 1000; ++ring) bell.Ring();
  EXPECT_EQ(CountedParking::system_calls(), 0);
  EXPECT_EQ(CountedParking::changes(), 0);
}

TEST(DoorbellCostTest, WithoutMembarrierRingingAnAwakeSleeperIsOneExchange) {
  BasicDoorbell<CountedWithoutMembarrier> bell;
  CountedWithoutMembarrier::Reset();
  for (int ring = 0; ring < 1000; ++ring) bell.Ring();
  EXPECT_EQ(CountedWithoutMembarrier::system_calls(), 0);
  EXPECT_EQ(CountedWithoutMembarrier::changes(), 1000);
}

TEST(DoorbellCostTest, AnIdleSleeperMakesNoSystemCallWhileItSleeps) {
  BasicDoorbell<CountedParking> bell;
  CountedParking::Reset();
  std::atomic<bool> is_ready{false};
  std::thread sleeper(
      [&] { bell.Wait([&]() noexcept { return is_ready.load(std::memory_order_acquire); }); });
  // One barrier and one sleep, however long: the sleeper is in the kernel once waits is 1.
  while (CountedParking::waits() == 0) std::this_thread::yield();
  for (int turn = 0; turn < 1000; ++turn) std::this_thread::yield();
  EXPECT_EQ(CountedParking::waits(), 1);
  EXPECT_EQ(CountedParking::heavy_barriers(), KernelParking::Register() ? 1 : 0);
  is_ready.store(true, std::memory_order_release);
  bell.Ring();
  sleeper.join();
  EXPECT_EQ(CountedParking::wakes(), 1);
}

TEST(DoorbellCostTest, OneSleepIsWokenByOneSystemCallHoweverManyRing) {
  BasicDoorbell<CountedParking> bell;
  CountedParking::Reset();
  std::atomic<int> rings{0};
  std::thread sleeper(
      [&] { bell.Wait([&]() noexcept { return rings.load(std::memory_order_acquire) == 100; }); });
  while (CountedParking::waits() == 0) std::this_thread::yield();
  rings.store(100, std::memory_order_release);
  for (int ring = 0; ring < 100; ++ring) bell.Ring();
  sleeper.join();
  EXPECT_EQ(CountedParking::wakes(), 1);
}

// A child of fork() inherits the registration; without it, the child's first sleep would be
// unfenced.
TEST(DoorbellForkTest, TheBarrierWorksInAForkedChild) {
  if (!KernelParking::Register()) GTEST_SKIP() << "no membarrier here";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(KernelParking::HeavyBarrier() ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace pawl
