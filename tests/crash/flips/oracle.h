#pragma once

#include <cstdint>

#include "damage.h"

namespace pawl::inline v0 {

// What opening a damaged log must come to, by FORMAT.md ("Recovery") and by what was written; knows
// nothing of the engine's reading.
struct Expected {
  enum class Outcome : std::uint8_t {
    kRefused,
    kAccepted,
    kDurableKept,  // of the marks, which carry no checksum: refused, or all durable records there
  };
  Outcome outcome = Outcome::kAccepted;
  std::uint64_t kept = 0;        // records recovered, if accepted; at least, if kDurableKept
  bool hits_owed_frame = false;  // a frame that was acknowledged is damaged
};

Expected Expect(const Damage& damage);

}  // namespace pawl::inline v0
