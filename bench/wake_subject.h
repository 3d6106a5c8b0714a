#pragma once

#include <cstdint>
#include <string>

#include "pawl/histogram.h"
#include "placement.h"
#include "wake_schedule.h"

namespace pawl::inline v0::bench {

struct WakeOptions {
  std::uint64_t samples = 250;  // Commands in a run.
  std::uint64_t seed = 1;
  WakeSchedule::Gaps gaps{.min_ns = 5'000'000, .max_ns = 20'000'000};
  Placement placement;
  int reader_core = kAnyCore;
  std::string directory;      // On disk.
  std::string hot_directory;  // In memory.
};

// Durations from the moment a command was to be sent.
struct WakeTimes {
  Histogram visible;    // Until a reader that waited for it in its sleep has seen it.
  Histogram published;  // Until the sender holds the answer "published".
  Histogram durable;    // Until the sender holds the answer "durable".

  void Merge(const WakeTimes& other) {
    visible.Merge(other.visible);
    published.Merge(other.published);
    durable.Merge(other.durable);
  }
};

}  // namespace pawl::inline v0::bench
