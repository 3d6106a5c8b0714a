#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "pawl/histogram.h"
#include "placement.h"
#include "wake_schedule.h"

namespace pawl::inline v0::bench {

// The loop has its own core; producer, sync agent and preparer share the other.
struct DurableOptions {
  std::uint64_t commands = 1'000'000;  // Of each level, under load.
  std::uint64_t segment_bytes = 0;     // Under load; 0: one segment holds the run.
  std::uint64_t window = 65'536;       // Commands under way, under load.
  std::uint64_t synced_mib = 128;      // Written 1 MiB at a time beside it.
  std::uint64_t slices = 2;            // A run under load takes turns with the bare file so often.
  std::uint64_t samples = 150;         // Isolated commands, appends, hand-offs.
  WakeSchedule::Gaps gaps{.min_ns = 2'000'000, .max_ns = 5'000'000};  // Between them.
  std::uint64_t rate = 20'000;                                        // Commands per second.
  std::uint64_t paced_commands = 20'000;
  std::uint64_t frames = 78'125;  // Stored 128 bytes at a time at 10 MB/s.
  std::uint64_t seed = 1;
  Placement placement;
  std::string directory;  // On disk.
};

// What one run under load came to. Bytes are those of the log.
struct LoadResult {
  double published_commands_per_second = 0;  // Until the last answer "published".
  double durable_commands_per_second = 0;    // Until the last answer "durable".
  double log_bytes_per_command = 0;
  double published_bytes_per_second = 0;
  double durable_bytes_per_second = 0;
  double synced_bytes_per_second = 0;  // Of the bare file beside it.
  bool is_direct = false;
  bool is_verified = false;

  // What "durable" can reach at most.
  [[nodiscard]] double limit_bytes_per_second() const {
    return std::min(published_bytes_per_second, synced_bytes_per_second);
  }
};

// Durations of one run, from the intended time where there is a schedule.
struct TimedResult {
  Histogram times;
  bool is_direct = false;
  bool is_verified = false;
};

}  // namespace pawl::inline v0::bench
