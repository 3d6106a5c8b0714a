#pragma once

#include <cstddef>
#include <cstdint>

namespace pawl::inline v0 {

// Bytes that one core owns at a time on x86-64 and most ARM cores. Ours, because the value of
// std::hardware_destructive_interference_size depends on -mtune and so cannot shape a layout.
inline constexpr std::size_t kCacheLineBytes = 64;

// `bytes` behind `address`, to be prefetched only: no object needs to be there.
inline const void* Ahead(const void* address, std::size_t bytes) noexcept {
  return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(address) + bytes);
}

// Asks for the line of `address` as one that this core is about to change. A hint: any address will
// do, and nothing is changed. (The compiler's own prefetch for writing asks for a copy to read,
// which the first store has to give up again, unless the build is for newer processors only.)
inline void PrefetchToWrite(const void* address) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

}  // namespace pawl::inline v0
