#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "health_board.h"
#include "index_builder.h"
#include "pawl/format.h"
#include "pawl/hot_marks.h"
#include "pawl/storage.h"
#include "segment_set.h"
#include "segment_walk.h"
#include "wall_timer.h"

namespace pawl::inline v0 {

// Reads each sealed segment once from the disk, checks every frame, and writes down its index, step
// by bounded step. An index is a convenience: what keeps it from being written is told once and
// tried again; the log goes on.
//   threads   the preparer's
class SegmentIndexer {
 public:
  struct Start {
    Storage* storage = nullptr;
    const Manifest* manifest = nullptr;
    std::string directory;
    const HotMarks* marks = nullptr;
    SegmentSet* segments = nullptr;
    HealthBoard* health = nullptr;
    std::function<void(std::string_view)> on_notice;
    std::uint64_t next_index = 0;  // the first segment without an index
    ScanCursor cursor;             // where its first frame begins
    ContentHash chain_before{};
  };

  explicit SegmentIndexer(const Start& start);
  SegmentIndexer(const SegmentIndexer&) = delete;
  SegmentIndexer& operator=(const SegmentIndexer&) = delete;

  // One bounded step. Returns the work done, 0 if there is none now.
  int DoWork() noexcept;
  bool HasWork() const noexcept;
  // Time until the next try, after a full disk or while the disk is busy; −1: nothing waits.
  std::int64_t delay_ns() const noexcept;

 private:
  bool CanWork() const noexcept;
  bool IsDiskBusy() const noexcept;
  void Wait(std::uint64_t ns);
  absl::Status Begin();
  absl::Status Continue();
  absl::Status Finish();
  absl::Status Damage(const absl::Status& why);
  void Fail(const absl::Status& why);

  const Start start_;
  std::uint64_t index_;  // next segment to index
  ScanCursor cursor_;    // where it begins
  ContentHash chain_before_;
  std::unique_ptr<SegmentWalk> walk_;
  std::unique_ptr<IndexBuilder> builder_;
  WallTimer wait_;
  bool is_waiting_ = false;
  bool has_told_ = false;    // that this segment's index cannot be written
  bool is_damaged_ = false;  // the segment on the disk is not what was written: no further
};

}  // namespace pawl::inline v0
