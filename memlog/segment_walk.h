#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "frame_scan.h"
#include "pawl/storage.h"
#include "segment_geometry.h"

namespace pawl::inline v0 {

// Reads the frames of a sealed segment from its file, piece by piece, and checks every one of them
// against the one before: what the disk has, not what a cache shows, where the storage can.
//   threads   one at a time
class SegmentWalk {
 public:
  // Opens the file of segment `index` and checks its header. `start` stands where its first frame
  // begins.
  //   errors    what opening and reading say; DATA_LOSS not the header of this segment
  static absl::StatusOr<std::unique_ptr<SegmentWalk>> Open(Storage& storage,
                                                           const std::string& directory,
                                                           const Manifest& manifest,
                                                           std::uint64_t index,
                                                           const ScanCursor& start);

  // The next frame; its bytes stay until the next call. nullptr: the seal is behind.
  //   errors    DATA_LOSS no valid frame stands there; what reading says
  absl::StatusOr<const FrameHeader*> Next();

  // Behind the last frame; behind the seal, where the next segment's first frame starts.
  const ScanCursor& cursor() const noexcept { return cursor_; }
  const SegmentHeader& header() const noexcept { return header_; }

 private:
  SegmentWalk(std::unique_ptr<File> file, std::string path, const SegmentHeader& header,
              const ScanCursor& start);
  absl::Status Have(std::uint64_t offset, std::uint64_t bytes);
  absl::Status Damage() const;

  const std::unique_ptr<File> file_;
  const std::string path_;
  const SegmentGeometry geometry_;
  const SegmentHeader header_;
  ScanCursor cursor_;
  bool is_sealed_ = false;
  std::vector<std::byte> memory_;
  std::span<std::byte> piece_;  // block-aligned part of memory_
  std::uint64_t first_ = 0;     // its offset in the segment
};

}  // namespace pawl::inline v0
