#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <absl/status/statusor.h>

#include "pawl/storage.h"
#include "segment_geometry.h"
#include "segment_indexes.h"

namespace pawl::inline v0 {

// Where readers find the bytes of a segment: the engine's own segments, or those of a log that
// another process writes.
class ReadableSegments {
 public:
  // What a reader needs of a segment.
  struct Entered {
    std::shared_ptr<const Mapping> memory;
    bool is_verified = true;  // false: check each frame before it is handed out
  };

  ReadableSegments(const ReadableSegments&) = delete;
  ReadableSegments& operator=(const ReadableSegments&) = delete;
  virtual ~ReadableSegments() = default;

  const SegmentGeometry& geometry() const noexcept { return geometry_; }
  SegmentIndexes& indexes() noexcept { return indexes_; }

  // The memory to read segment `index` from, the whole segment.
  //   errors    DATA_LOSS no such segment; UNAVAILABLE not now, the writer is being replaced; what
  //             MapFile says
  virtual absl::StatusOr<Entered> Enter(std::uint64_t index) = 0;

  // Grows when memory that Enter() gave before is not read on: another writer goes on in another.
  // Constant where the writer lives in this process.
  std::uint64_t generation() const noexcept { return generation_; }

 protected:
  ReadableSegments(Storage* storage, std::string directory, std::uint64_t segment_bytes)
      : storage_(storage),
        directory_(std::move(directory)),
        geometry_{segment_bytes},
        indexes_(storage, directory_) {}

  void NextGeneration() noexcept { ++generation_; }
  Storage& storage() const noexcept { return *storage_; }
  const std::string& directory() const noexcept { return directory_; }

  // Maps the file of a segment that is sealed and durable.
  absl::StatusOr<std::shared_ptr<const Mapping>> MapSealed(std::uint64_t index) const;

 private:
  Storage* const storage_;
  const std::string directory_;
  const SegmentGeometry geometry_;
  SegmentIndexes indexes_;
  std::uint64_t generation_ = 0;
};

}  // namespace pawl::inline v0
