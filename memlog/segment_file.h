#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/format.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {

// A segment file in the making, step by step, each bounded: under its draft name it gets its
// blocks, header and content and is synced; then it gets its name and the directory is synced.
// A file that has the name of a segment therefore has its full size and a valid header, whenever
// the power fails.
//   threads   one at a time
class SegmentFile {
 public:
  SegmentFile(Storage* storage, std::string directory, std::uint64_t index);

  absl::Status Create();                       // removes a draft of an earlier life
  absl::Status Allocate(std::uint64_t bytes);  // RESOURCE_EXHAUSTED no space
  absl::Status Write(std::uint64_t offset, std::span<const std::byte> bytes);
  absl::Status Sync();
  absl::Status Name();  // rename, sync the directory
  // Removes the draft at once (a failed allocation may have taken the whole disk).
  void Discard();

  const std::string& path() const noexcept { return path_; }

 private:
  Storage* const storage_;
  const std::string directory_;
  const std::string path_;
  const std::string draft_;
  std::unique_ptr<File> file_;
};

}  // namespace pawl::inline v0
