#include "core_distance.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "placement.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::uint64_t kRounds = 20'000;

// Two words that two threads write in turns, each in a line of its own.
class PingPong {
 public:
  void Ask() noexcept {
    for (std::uint64_t round = 1; round <= kRounds; ++round) {
      // Relaxed: nothing but the numbers themselves is handed over. Pairs with the load in
      // Answer().
      ping_.store(round, std::memory_order_relaxed);
      // Relaxed: likewise, with the store in Answer().
      while (pong_.load(std::memory_order_relaxed) != round) SpinOnce();
    }
  }
  void Answer() noexcept {
    for (std::uint64_t round = 1; round <= kRounds; ++round) {
      // Relaxed: as in Ask(), with whose accesses both are paired.
      while (ping_.load(std::memory_order_relaxed) != round) SpinOnce();
      pong_.store(round, std::memory_order_relaxed);
    }
  }

 private:
  alignas(64) std::atomic<std::uint64_t> ping_{0};  // Writer: the asking thread.
  alignas(64) std::atomic<std::uint64_t> pong_{0};  // Writer: the answering one.
};

}  // namespace

double CoreDistanceNs(int one, int other) {
  if (one == kAnyCore || other == kAnyCore || one == other) return 0;
  PingPong words;
  std::chrono::duration<double, std::nano> passed{};
  std::thread answering([&] {
    PinThisThread(other);
    words.Answer();
  });
  std::thread asking([&] {
    PinThisThread(one);
    const auto begun = std::chrono::steady_clock::now();
    words.Ask();
    passed = std::chrono::steady_clock::now() - begun;
  });
  asking.join();
  answering.join();
  return passed.count() / (2.0 * kRounds);
}

}  // namespace pawl::inline v0::bench
