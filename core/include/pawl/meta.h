#pragma once

#include <chrono>
#include <cstdint>

#include "pawl/key.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

// What an event's reader learns besides the event.
struct Meta {
  Key key;                // of the aggregate
  Position position;      // of the event in the log
  Version version;        // of the aggregate after the event
  std::uint64_t time_ns;  // engine time of the frame, nanoseconds since 1970
};

}  // namespace pawl::inline v0
