#pragma once

#include <cstdint>

#include "durable_file.h"
#include "durable_subject.h"

// What the machine needs without the engine: the limits that the scenario measures against.
namespace pawl::inline v0::bench {

// A zero-written file that is written once, 1 MiB at a time, each durable before the next. The
// bytes are new to the caches, as those of a log are: a disk takes one MiB sent again and again
// faster.
//   threads   one at a time
class SyncedWrites {
 public:
  explicit SyncedWrites(const DurableOptions& options);

  // Writes the next `mib` MiB, as far as there are. Returns the seconds it took.
  double Write(std::uint64_t mib);

  [[nodiscard]] std::uint64_t written_bytes() const;
  [[nodiscard]] bool is_direct() const { return file_.is_direct(); }
  // What was written is there.
  [[nodiscard]] bool is_verified() const;

 private:
  const DurableFile file_;
  const std::uint64_t source_mib_;
  const DiskBytes source_;
  std::uint64_t written_mib_ = 0;
};

// One durable append of a block now and then, O_DIRECT and O_DSYNC.
TimedResult RunBareAppends(const DurableOptions& options);

// Wakes a thread on the loop's core that sleeps, now and then, and waits asleep until it answers:
// two hand-offs.
TimedResult RunTwoHandOffs(const DurableOptions& options);

}  // namespace pawl::inline v0::bench
