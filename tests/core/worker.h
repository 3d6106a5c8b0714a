#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "bank_fixture.h"
#include "thread_facts.h"

namespace pawl {

// A thread that does one thing, and says whether it sleeps or is done. Joined at the end.
class Worker {
 public:
  template <class Work>
  explicit Worker(Work work)
      : thread_([this, work = std::move(work)]() mutable {
          number_.store(::gettid(), std::memory_order_release);
          work();
          is_done_.store(true, std::memory_order_release);
        }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { thread_.join(); }

  // Waits until the thread sleeps in the kernel, to be woken by another one.
  [[nodiscard]] bool Sleeps(long call = SYS_futex) const {
    return Await([this, call] {
      const int number = number_.load(std::memory_order_acquire);
      return number != 0 && IsInSystemCall(number, call);
    });
  }
  bool is_done() const { return is_done_.load(std::memory_order_acquire); }

 private:
  std::atomic<int> number_{0};
  std::atomic<bool> is_done_{false};
  std::thread thread_;
};

}  // namespace pawl
