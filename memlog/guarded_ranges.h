#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// The mappings of this process that its fault guard looks after. Lock-free, so that a signal
// handler can look into it.
//   threads   any
//
// Memory ordering: a range is written before its `begin` (release), which the handler loads
// (acquire). A range is removed before its memory is unmapped, when nobody reads it any more.
class GuardedRanges {
 public:
  // Of the process; constant-initialised, never destroyed.
  static GuardedRanges& Get() noexcept;

  void Add(Mapping& mapping) noexcept;
  void Remove(const Mapping& mapping) noexcept;
  // Signal handler: marks the mapping that `address` is in as damaged.
  //   returns   false: it is in none
  bool Damage(const void* address) noexcept;

 private:
  static constexpr std::size_t kRangesMax = 4096;
  static constexpr std::uintptr_t kFree = 0;
  static constexpr std::uintptr_t kClaimed = 1;  // being written; no mapping begins there

  struct Range {
    std::atomic<std::uintptr_t> begin{kFree};
    std::atomic<std::uintptr_t> end{0};
    std::atomic<Mapping*> mapping{nullptr};
  };

  std::array<Range, kRangesMax> ranges_{};
  // Ranges at and behind it were never used. Only grows.
  std::atomic<std::size_t> used_{0};
};

}  // namespace pawl::inline v0
