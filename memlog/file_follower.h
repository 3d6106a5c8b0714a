#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "frame_scan.h"
#include "pawl/format.h"
#include "pawl/position.h"
#include "pawl/storage.h"
#include "segment_geometry.h"

namespace pawl::inline v0 {

// Follows a log by its files alone, from the disk, while another process may write it: what the
// disk has of the segment that is being written is copied, because a mapping of it would show stale
// pages. A segment whose seal was read is not written any more; readers map it.
//   threads   one at a time
class FileFollower {
 public:
  struct Start {
    Storage* storage = nullptr;
    std::string directory;
    Manifest manifest;
  };

  explicit FileFollower(const Start& start);
  FileFollower(const FileFollower&) = delete;
  FileFollower& operator=(const FileFollower&) = delete;

  // Stands at `start` from now on, the beginning of a segment.
  void StandAt(const ScanCursor& start);
  // Reads on, as far as frames follow.
  //   errors    DATA_LOSS frames are missing that were durable; FAILED_PRECONDITION a newer format;
  //             what reading says. What was found before can be read all the same
  absl::Status Advance();
  // True if the file that is read was replaced: whoever opened the log wrote its tail anew, and
  // may have cut it.
  bool IsReplaced() const;

  // Behind the last frame.
  const ScanCursor& end() const noexcept { return cursor_; }
  // Up to where it is known to survive a power cut; a frame's end.
  Address durable() const noexcept;
  // The copy of segment `index`, or nullptr: its file is sealed.
  std::shared_ptr<const Mapping> CopyOf(std::uint64_t index) const noexcept;

 private:
  absl::Status ReadEvidence();
  absl::StatusOr<bool> OpenSegment(std::uint64_t index);
  absl::Status ReadMore(std::uint64_t offset, std::uint64_t bytes);
  absl::StatusOr<bool> FollowFrames();
  absl::Status Judged(SegmentVerdict verdict) const;
  std::string PathOf(std::uint64_t index) const;

  const Start start_;
  const SegmentGeometry geometry_;
  ScanCursor cursor_;
  Address evidence_;  // what the slots say

  // Of the segment that is read.
  std::unique_ptr<File> file_;  // open, so that its inode is not given to another file
  FileIdentity identity_;
  SegmentHeader header_{};
  std::shared_ptr<Mapping> copy_;
};

}  // namespace pawl::inline v0
