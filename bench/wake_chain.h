#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "wake_schedule.h"
#include "wake_subject.h"

namespace pawl::inline v0::bench {

// The rival of a wake-up: what the machine needs for the same three sleepers (loop, projector,
// reader) when each does nothing but wake the next one, by std::atomic's wait and notify. No queue,
// log, view, disk or answer: a floor, not a product.
//   threads   one
class WakeChain {
 public:
  explicit WakeChain(const WakeOptions& options);
  WakeChain(const WakeChain&) = delete;
  WakeChain& operator=(const WakeChain&) = delete;
  ~WakeChain();

  // Sends `samples` numbers through the chain; fills `visible` only.
  WakeTimes Run(WakeSchedule& schedule);
  // Every number came out as it went in.
  [[nodiscard]] bool is_verified() const { return is_verified_; }

 private:
  static constexpr std::uint32_t kEnd = UINT32_MAX;
  static constexpr std::size_t kRelays = 2;

  struct alignas(64) Word {
    // Writer: the thread before. Reader: the thread behind. Guards nothing but itself.
    std::atomic<std::uint32_t> number{0};

    void Send(std::uint32_t next) {
      // Release: what a sender did before. Pairs with the acquire in Await().
      number.store(next, std::memory_order_release);
      number.notify_one();
    }
    std::uint32_t Await(std::uint32_t after) const {
      // Acquire: pairs with the release in Send().
      number.wait(after, std::memory_order_acquire);
      return number.load(std::memory_order_acquire);  // Acquire: as above.
    }
  };

  void Relay(std::size_t index, int core);

  const WakeOptions& options_;
  std::array<Word, kRelays + 1> words_;
  std::array<std::thread, kRelays> relays_;
  std::uint32_t sent_ = 0;
  bool is_verified_ = true;
};

}  // namespace pawl::inline v0::bench
