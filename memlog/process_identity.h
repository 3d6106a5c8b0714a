#pragma once

#include <cstdint>

namespace pawl::inline v0 {

// A process in one word: its id in the low half, its start in ticks since boot in the high half,
// because an id is used again. 0 = none.
std::uint64_t ThisProcess();

inline std::uint32_t PidOf(std::uint64_t process) noexcept {
  return static_cast<std::uint32_t>(process);
}

// False for a process of another namespace too: for listing, not for deciding.
bool IsAlive(std::uint64_t process);

}  // namespace pawl::inline v0
