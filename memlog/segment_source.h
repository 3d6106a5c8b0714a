#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "frame_scan.h"
#include "pawl/format.h"
#include "pawl/storage.h"
#include "segment_set.h"

namespace pawl::inline v0 {

// The segments that recovery reads: files from the disk and, once believed, hot images. Writes
// nothing.
//   threads   one at a time
class SegmentSource {
 public:
  SegmentSource(Storage* storage, std::string directory, const Manifest& manifest);

  // Lists the files 0, 1, 2… and checks size and header of each.
  //   errors    DATA_LOSS a gap, a header that is damaged or of another log
  absl::Status List();

  // Believes images in `directories`, that of the marks first, of segments from `first` on; each
  // must be the twin of its file, if there is one.
  //   errors    what mapping an image failed with, unless none is there
  absl::Status UseImages(const std::vector<std::string>& directories, std::uint64_t first);

  // Segments 0…count − 1 can be read.
  std::uint64_t count() const noexcept { return headers_.size(); }
  const SegmentHeader& header(std::uint64_t index) const { return headers_[index]; }
  bool has_file(std::uint64_t index) const noexcept { return index < files_; }
  bool has_full_size(std::uint64_t index) const { return sizes_[index] == manifest_.segment_bytes; }
  // A file that has less than a segment's bytes: no reader could map it.
  bool is_short(std::uint64_t index) const {
    return has_file(index) && sizes_[index] < manifest_.segment_bytes;
  }

  // Valid until the next call. A file cut short reads as zeros behind its end.
  absl::StatusOr<SegmentView> Read(std::uint64_t index);      // image, else file
  absl::StatusOr<SegmentView> ReadFile(std::uint64_t index);  // from the disk

 private:
  absl::StatusOr<SegmentHeader> ReadHeader(std::uint64_t index);
  absl::Status FillBuffer(std::uint64_t index);
  absl::StatusOr<std::shared_ptr<Mapping>> FindImage(const std::string& path, std::uint64_t index);

  Storage* const storage_;
  const std::string directory_;
  const Manifest manifest_;
  std::vector<SegmentHeader> headers_;
  std::vector<std::uint64_t> sizes_;  // of the files
  std::uint64_t files_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Mapping>> images_;
  std::vector<std::byte> memory_;
  std::span<std::byte> buffer_;            // one segment's file; block-aligned part of memory_
  std::optional<std::uint64_t> buffered_;  // which one
};

// Index of a segment file's name; nothing for other names.
std::optional<std::uint64_t> SegmentIndexOf(const std::string& name);

}  // namespace pawl::inline v0
