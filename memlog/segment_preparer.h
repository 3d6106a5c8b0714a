#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "health_board.h"
#include "hot_images.h"
#include "pawl/format.h"
#include "pawl/hot_marks.h"
#include "pawl/ready_segments.h"
#include "pawl/storage.h"
#include "segment_file.h"
#include "segment_set.h"
#include "wall_timer.h"

namespace pawl::inline v0 {

// Makes segments ready ahead of the loop, step by bounded step: a durable file with all its
// blocks, and an image with all its memory present. Retired images are zeroed and used again if
// nobody reads them any more, else unlinked (a mapping that is held stays valid).
//   threads   one at a time
class SegmentPreparer {
 public:
  struct Start {
    Storage* storage = nullptr;
    const Manifest* manifest = nullptr;
    std::string directory;
    HotMarks* marks = nullptr;
    HotImages* images = nullptr;
    SegmentSet* segments = nullptr;
    ReadySegments* ready = nullptr;
    HealthBoard* health = nullptr;
    Epoch epoch;
    std::uint64_t next_index = 0;
    std::uint32_t segments_ahead = 1;
    std::size_t images_max = 3;
  };

  explicit SegmentPreparer(const Start& start);
  SegmentPreparer(const SegmentPreparer&) = delete;
  SegmentPreparer& operator=(const SegmentPreparer&) = delete;

  // One bounded step. Returns the work done, 0 if there is none now.
  int DoWork() noexcept;
  bool HasWork() const noexcept;
  // Time until the next try after a full disk; −1: nothing waits for time.
  std::int64_t delay_ns() const noexcept;

 private:
  enum class Step { kRest, kFile, kAllocate, kHeader, kName, kZeros, kImage, kWipe, kHandOver };

  absl::Status Take(Step step);
  absl::Status CreateFile();
  absl::Status WriteHeader();
  absl::Status NameFile();
  absl::Status WriteZeros();
  absl::Status TakeImage();
  absl::Status WipeImage();
  absl::Status HandOver();
  void HandleRetired();
  void Fail(const absl::Status& why);
  bool WantsSegment() const noexcept;
  bool IsUrgent() const noexcept;

  const Start start_;
  Step step_ = Step::kRest;
  std::uint64_t index_;  // next segment to hand over
  std::unique_ptr<SegmentFile> file_;
  std::unique_ptr<File> durable_;
  std::uint64_t zeroed_ = 0;  // file bytes
  std::uint64_t wiped_ = 0;   // image bytes
  SegmentHeader header_{};
  SegmentSet::Image image_;
  std::optional<SegmentSet::Image> spare_;
  WallTimer retry_;
  std::uint64_t backoff_ns_ = 0;  // 0: nothing waits
};

}  // namespace pawl::inline v0
