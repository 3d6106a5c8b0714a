#pragma once

#include <algorithm>
#include <cstdint>

#include "pawl/parking.h"

namespace pawl::inline v0 {

// When a time-out is over, by KernelParking::NowNs(): one below zero is over now, one beyond the
// clock's end never.
inline std::int64_t DeadlineAfter(std::int64_t timeout_ns) noexcept {
  const std::int64_t now_ns = KernelParking::NowNs();
  return now_ns + std::clamp(timeout_ns, std::int64_t{0}, KernelParking::kNoDeadline - now_ns);
}

}  // namespace pawl::inline v0
