#pragma once

#include <cstddef>
#include <cstdint>

namespace pawl::inline v0 {

// Payload of RecordKind::kClockAdopted: engine time was set forward to the wall clock, which had
// been ahead for so long that it is believed. Alone in a commit of cause kControl; its frame and
// all behind it have the new time.
struct ClockAdopted {
  std::uint64_t held_ns;     // engine time before, nanoseconds since 1970
  std::uint64_t adopted_ns;  // engine time from here on: what the wall clock said; > held_ns
  std::uint64_t stable_ns;   // for so long, by the boot clock, the wall clock had not stepped again
};
static_assert(sizeof(ClockAdopted) == 24);
static_assert(offsetof(ClockAdopted, adopted_ns) == 8 && offsetof(ClockAdopted, stable_ns) == 16);

}  // namespace pawl::inline v0
