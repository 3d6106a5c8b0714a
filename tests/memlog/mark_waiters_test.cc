#include "pawl/mark_waiters.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "counted_parking.h"

namespace pawl {
namespace {

constexpr std::int64_t kForEver = KernelParking::kNoDeadline;

template <class Parking>
class MarkWaitersTest : public ::testing::Test {
 protected:
  void MoveTo(std::int64_t value) {
    mark_.store(value, std::memory_order_release);
    waiters_.Notify();
  }
  auto Reached(std::int64_t value) {
    return [this, value]() noexcept { return mark_.load(std::memory_order_acquire) >= value; };
  }

  std::atomic<std::int64_t> mark_{0};
  BasicMarkWaiters<Parking> waiters_;
};

using Ways = ::testing::Types<KernelParking, WithoutMembarrier, MembarrierThatStopsWorking>;
TYPED_TEST_SUITE(MarkWaitersTest, Ways);

TYPED_TEST(MarkWaitersTest, AMarkAlreadyReachedNeedsNoWait) {
  this->MoveTo(3);
  EXPECT_TRUE(this->waiters_.WaitUntil(this->Reached(3), 0));
}

TYPED_TEST(MarkWaitersTest, AnswersFalseAfterTheDeadline) {
  const std::int64_t deadline_ns = KernelParking::NowNs() + 2'000'000;
  EXPECT_FALSE(this->waiters_.WaitUntil(this->Reached(1), deadline_ns));
  EXPECT_GE(KernelParking::NowNs(), deadline_ns);
  EXPECT_FALSE(this->waiters_.WaitUntil(this->Reached(1), 0));
}

// Several waiters in different strides; every mark is the last chance of those who want it, so a
// lost wake-up hangs the test at the end at the latest.
TYPED_TEST(MarkWaitersTest, NoWaiterIsForgotten) {
  constexpr std::int64_t kLast = 20'000;
  std::vector<std::thread> threads;
  for (std::int64_t stride = 1; stride <= 3; ++stride) {
    threads.emplace_back([this, stride] {
      for (std::int64_t wanted = stride; wanted <= kLast; wanted += stride) {
        ASSERT_TRUE(this->waiters_.WaitUntil(this->Reached(wanted), kForEver));
      }
    });
  }
  for (std::int64_t value = 1; value <= kLast; ++value) {
    this->MoveTo(value);
    if (value % 16 == 0) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
}

// The mark moves only after the waiter has seen the one before: a forgotten one hangs at once.
TYPED_TEST(MarkWaitersTest, NoWaiterIsForgottenInPingPong) {
  constexpr std::int64_t kLast = 20'000;
  std::atomic<std::int64_t> seen{0};
  std::thread waiter([&] {
    for (std::int64_t wanted = 1; wanted <= kLast; ++wanted) {
      ASSERT_TRUE(this->waiters_.WaitUntil(this->Reached(wanted), kForEver));
      seen.store(wanted, std::memory_order_release);
    }
  });
  for (std::int64_t value = 1; value <= kLast; ++value) {
    this->MoveTo(value);
    while (seen.load(std::memory_order_acquire) < value) std::this_thread::yield();
  }
  waiter.join();
}

TYPED_TEST(MarkWaitersTest, WhatTheNotifierWroteIsVisibleToTheWaiter) {
  std::vector<int> content;
  std::thread notifier([&] {
    content.assign(100, 1);
    this->MoveTo(1);
  });
  ASSERT_TRUE(this->waiters_.WaitUntil(this->Reached(1), kForEver));
  EXPECT_EQ(content.size(), 100U);
  notifier.join();
}

TEST(MarkWaitersCostTest, NotifyingNobodyIsOneLoad) {
  if (!KernelParking::Register()) GTEST_SKIP() << "no membarrier here";
  BasicMarkWaiters<CountedParking> waiters;
  CountedParking::Reset();
  for (int turn = 0; turn < 1000; ++turn) waiters.Notify();
  EXPECT_EQ(CountedParking::system_calls(), 0);
  EXPECT_EQ(CountedParking::changes(), 0);
}

TEST(MarkWaitersCostTest, WithoutMembarrierNotifyingNobodyMakesNoSystemCall) {
  BasicMarkWaiters<CountedWithoutMembarrier> waiters;
  CountedWithoutMembarrier::Reset();
  for (int turn = 0; turn < 1000; ++turn) waiters.Notify();
  EXPECT_EQ(CountedWithoutMembarrier::system_calls(), 0);
}

TEST(MarkWaitersCostTest, OneWakeServesAllSleepersAndLaterNotificationsAreFree) {
  BasicMarkWaiters<CountedParking> waiters;
  CountedParking::Reset();
  std::atomic<bool> is_reached{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      ASSERT_TRUE(waiters.WaitUntil(
          [&]() noexcept { return is_reached.load(std::memory_order_acquire); }, kForEver));
    });
  }
  while (CountedParking::waits() < 3) std::this_thread::yield();
  is_reached.store(true, std::memory_order_release);
  waiters.Notify();
  for (std::thread& thread : threads) thread.join();
  for (int turn = 0; turn < 1000; ++turn) waiters.Notify();
  EXPECT_EQ(CountedParking::wakes(), 1);
}

}  // namespace
}  // namespace pawl
