#include "readable_segments.h"

namespace pawl::inline v0 {

absl::StatusOr<std::shared_ptr<const Mapping>> ReadableSegments::MapSealed(
    std::uint64_t index) const {
  const std::string path = directory_ + "/" + SegmentName(index);
  absl::StatusOr<std::shared_ptr<Mapping>> mapped = storage_->MapFile(path);
  if (!mapped.ok()) return mapped.status();
  if ((*mapped)->size() != geometry_.segment_bytes) {
    return absl::DataLossError(path + " has " + std::to_string((*mapped)->size()) +
                               " bytes, expected " + std::to_string(geometry_.segment_bytes));
  }
  return *std::move(mapped);
}

}  // namespace pawl::inline v0
