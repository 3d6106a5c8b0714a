#pragma once

#include <array>
#include <cstdint>
#include <thread>

#include "wake_schedule.h"
#include "wake_subject.h"
#include "wake_word.h"

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

  void Relay(std::size_t index, int core);

  const WakeOptions& options_;
  std::array<WakeWord, kRelays + 1> words_;
  std::array<std::thread, kRelays> relays_;
  std::uint32_t sent_ = 0;
  bool is_verified_ = true;
};

}  // namespace pawl::inline v0::bench
