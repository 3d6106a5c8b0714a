#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "content_hash.h"
#include "health_board.h"
#include "pawl/format.h"
#include "pawl/storage.h"
#include "segment_set.h"
#include "segment_walk.h"
#include "wall_timer.h"

namespace pawl::inline v0 {

// Reads again from the disk what Open() did not: every segment that had an index then, once, at a
// capped rate. Compares frames with their chain and content with the index. Damage is told, and
// readers check that segment's frames themselves; the log goes on.
//   threads   the preparer's
class SegmentScrubber {
 public:
  struct Start {
    Storage* storage = nullptr;
    const Manifest* manifest = nullptr;
    std::string directory;
    SegmentSet* segments = nullptr;
    const HealthBoard* health = nullptr;
    std::function<void(std::string_view)> on_notice;
    std::uint64_t segments_count = 0;    // the first ones, which have an index
    std::uint64_t bytes_per_second = 0;  // 0: never
  };

  explicit SegmentScrubber(const Start& start) : start_(start) {}
  SegmentScrubber(const SegmentScrubber&) = delete;
  SegmentScrubber& operator=(const SegmentScrubber&) = delete;

  // One bounded step. Returns the work done, 0 if there is none now.
  int DoWork() noexcept;
  bool HasWork() const noexcept { return delay_ns() == 0; }
  // Time until the next step is due; −1: all is done, or the log has failed.
  std::int64_t delay_ns() const noexcept;

 private:
  absl::Status Continue();
  absl::Status Compare() const;

  const Start start_;
  std::uint64_t index_ = 0;  // segment being read
  std::unique_ptr<SegmentWalk> walk_;
  std::unique_ptr<ContentHasher> hasher_;
  WallTimer pause_;  // until the next step
};

}  // namespace pawl::inline v0
