#pragma once

#include <cstddef>

namespace pawl::inline v0 {

// Bytes that one core owns at a time on x86-64 and most ARM cores. Ours, because the value of
// std::hardware_destructive_interference_size depends on -mtune and so cannot shape a layout.
inline constexpr std::size_t kCacheLineBytes = 64;

}  // namespace pawl::inline v0
