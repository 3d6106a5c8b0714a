#pragma once

#include <atomic>
#include <cstdint>

namespace pawl::inline v0::bench {

// A number that one thread hands to another that sleeps, by std::atomic's wait and notify: what a
// hand-off costs when nothing else is done.
struct alignas(64) WakeWord {
  // Writer: the thread before. Reader: the thread behind. Guards nothing but itself.
  std::atomic<std::uint32_t> number{0};

  void Send(std::uint32_t next) {
    // Release: what a sender did before. Pairs with the acquire in Await().
    number.store(next, std::memory_order_release);
    number.notify_one();
  }
  // Sleeps while the number is `after`.
  std::uint32_t Await(std::uint32_t after) const {
    // Acquire: pairs with the release in Send().
    number.wait(after, std::memory_order_acquire);
    return number.load(std::memory_order_acquire);  // Acquire: as above.
  }
};

}  // namespace pawl::inline v0::bench
