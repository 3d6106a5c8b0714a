#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pawl/cache_line.h"
#include "pawl/check.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {

// A segment the loop may write: file allocated and named on disk, image mapped and present.
struct ReadySegment {
  Mapping* image = nullptr;  // kept alive by SegmentSet until sealed and durable
  std::uint64_t index = 0;
  std::uint32_t salt = 0;
};

// Hands segments from the preparer to the loop, in order. All operations are wait-free.
//   threads   Push: preparer; HasNext, Take: loop; size: any
//
// Memory ordering: what the preparer stored into the image and its header before Push() is visible
// to the loop after Take().
class ReadySegments {
 public:
  static constexpr std::uint32_t kSegmentsMax = 1024;  // 64 GiB of 64 MiB segments; power of two

  bool HasNext() const noexcept {
    // Acquire: pairs with the release in Push().
    return tail_.load(std::memory_order_acquire) !=
           head_.load(std::memory_order_relaxed);  // relaxed: own variable
  }

  ReadySegment Take() noexcept {
    PAWL_CHECK(HasNext());
    const std::uint32_t head = head_.load(std::memory_order_relaxed);  // relaxed: own variable
    const ReadySegment next = slots_[head % kSegmentsMax];
    // Release: the slot was read before it may be written again. Pairs with the acquire in Push().
    head_.store(head + 1, std::memory_order_release);
    return next;
  }

  void Push(const ReadySegment& segment) noexcept {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);  // relaxed: own variable
    // Acquire: pairs with the release in Take().
    PAWL_CHECK(tail - head_.load(std::memory_order_acquire) < kSegmentsMax);
    slots_[tail % kSegmentsMax] = segment;
    // Release: slot, image and header before the count. Pairs with the acquire in HasNext().
    tail_.store(tail + 1, std::memory_order_release);
  }

  std::uint32_t size() const noexcept {
    // Relaxed: a hint for the preparer and for statistics.
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed);
  }

 private:
  std::array<ReadySegment, kSegmentsMax> slots_{};
  // Writer: preparer. Reader: loop. Counts segments pushed; only grows.
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> tail_{0};
  // Writer: loop. Reader: preparer. Counts segments taken; only grows.
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> head_{0};
};

}  // namespace pawl::inline v0
