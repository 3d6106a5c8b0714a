#pragma once

#include <atomic>
#include <cstdint>

#include "pawl/cache_line.h"
#include "pawl/producer.h"

namespace pawl::inline v0 {

// Whether producers may send now: one line that all of them read and that changes rarely.
struct alignas(kCacheLineBytes) Admission {
  // SendFault::kNone or why not. Writer: the loop. Readers: producers. Guards nothing: the loop
  // answers whatever still reaches it.
  std::atomic<SendFault> fault{SendFault::kNone};

  // Writer: Engine::Stop(), once. Readers: producers, between the two halves of the barrier that
  // ProducerLane and Stop() share: who sees false is seen sending by Stop().
  std::atomic<bool> is_closed{false};

  SendFault Current() const noexcept {
    // Relaxed: ordered by the barrier, see above.
    if (is_closed.load(std::memory_order_relaxed)) return SendFault::kUnavailable;
    // Relaxed: a hint that saves a trip, see above.
    return fault.load(std::memory_order_relaxed);
  }
  // Returns whether that is news.
  //   threads   loop only
  bool Set(SendFault now) noexcept {
    // Relaxed: only the loop writes.
    if (fault.load(std::memory_order_relaxed) == now) return false;
    // Relaxed: guards nothing. Who sleeps until it changes is rung afterwards.
    fault.store(now, std::memory_order_relaxed);
    return true;
  }
};

}  // namespace pawl::inline v0
