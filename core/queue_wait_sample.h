#pragma once

#include <atomic>
#include <cstdint>

#include "pawl/cache_line.h"

namespace pawl::inline v0 {

// One command of a lane whose way through the queue is timed: the loop asks for one, the producer
// writes down which it was and when it sent it, the loop takes that when it comes to the command.
// The producer reads the clock when asked only, the loop never for this.
//   threads   the producer's, the loop's
//
// Memory ordering: the producer's words are written before the ticket of the command goes into the
// queue, and looked at after tickets came out of it; `state_` guards cursor_ besides.
class alignas(kCacheLineBytes) QueueWaitSample {
 public:
  // --- loop, also before the lane is handed out ---

  void Ask() noexcept {
    // Relaxed: guards nothing; the producer writes cursor_ after it saw this.
    state_.store(kAsked, std::memory_order_relaxed);
  }
  // When the command was sent, if it is one of the `count` ones from `cursor` on; 0: it is not, or
  // there is none. Once given, nothing is asked for.
  std::uint64_t Take(std::uint64_t cursor, std::uint64_t count) noexcept {
    // Acquire: cursor_ of that time. Pairs with the release in Put().
    const std::uint64_t sent_ns = state_.load(std::memory_order_acquire);
    if (sent_ns <= kIdle) [[likely]]
      return 0;
    // Relaxed: guarded by state_.
    if (cursor_.load(std::memory_order_relaxed) - cursor >= count) return 0;
    // Relaxed: guards nothing.
    state_.store(kIdle, std::memory_order_relaxed);
    return sent_ns;
  }
  bool is_idle() const noexcept {
    // Relaxed: the loop's own word then.
    return state_.load(std::memory_order_relaxed) == kIdle;
  }

  // --- producer ---

  bool is_asked() const noexcept {
    // Relaxed: a wish.
    return state_.load(std::memory_order_relaxed) == kAsked;
  }
  // The command with that cursor is sent now.
  void Put(std::uint64_t cursor, std::uint64_t now_ns) noexcept {
    // Relaxed: guarded by state_.
    cursor_.store(cursor, std::memory_order_relaxed);
    // Release: cursor_ before it. Pairs with the acquire in Take().
    state_.store(now_ns > kIdle ? now_ns : kIdle + 1, std::memory_order_release);
  }
  // It was not sent after all: it has the cursor of the next one that is.
  void TakeBack() noexcept { Ask(); }

 private:
  static constexpr std::uint64_t kAsked = 0;
  static constexpr std::uint64_t kIdle = 1;

  // Time at which the command was sent, nanoseconds since boot, or one of the above. Writers: the
  // producer while it is kAsked, or of a command that the loop cannot have seen; the loop else.
  // Guards cursor_.
  std::atomic<std::uint64_t> state_{kIdle};
  // Which one. Writer: the producer. Reader: the loop.
  std::atomic<std::uint64_t> cursor_{0};
};

}  // namespace pawl::inline v0
