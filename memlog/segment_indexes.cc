#include "segment_indexes.h"

#include <algorithm>
#include <utility>

#include "pawl/check.h"

namespace pawl::inline v0 {

SegmentIndexes::SegmentIndexes(Storage* storage, std::string directory)
    : storage_(storage), directory_(std::move(directory)) {}

void SegmentIndexes::Add(const SegmentHeader& segment, const IndexedSegment& indexed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  PAWL_CHECK(segment.index == rows_.size());
  rows_.push_back({segment, indexed});
}

std::uint64_t SegmentIndexes::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return rows_.size();
}

std::optional<IndexedSegment> SegmentIndexes::Find(std::uint64_t index) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (index >= rows_.size()) return std::nullopt;
  return rows_[index].indexed;
}

std::uint64_t SegmentIndexes::SegmentOf(Position position) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto row = std::lower_bound(
      rows_.begin(), rows_.end(), position,
      [](const Row& each, Position value) { return each.indexed.last_position() < value; });
  return static_cast<std::uint64_t>(row - rows_.begin());
}

std::uint64_t SegmentIndexes::SegmentBefore(std::uint64_t time_ns) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto row = std::lower_bound(
      rows_.begin(), rows_.end(), time_ns,
      [](const Row& each, std::uint64_t value) { return each.indexed.first_time_ns < value; });
  return row == rows_.begin() ? 0 : static_cast<std::uint64_t>(row - rows_.begin()) - 1;
}

absl::StatusOr<std::shared_ptr<const SegmentIndex>> SegmentIndexes::Load(std::uint64_t index) {
  const std::lock_guard<std::mutex> lock(mutex_);
  PAWL_CHECK(index < rows_.size());
  for (const std::shared_ptr<const SegmentIndex>& each : loaded_) {
    if (each != nullptr && each->header().index == index) return each;
  }
  absl::StatusOr<std::unique_ptr<const SegmentIndex>> read =
      SegmentIndex::Read(*storage_, directory_, rows_[index].header);
  if (!read.ok()) return read.status();
  std::shared_ptr<const SegmentIndex> loaded = *std::move(read);
  loaded_[next_loaded_] = loaded;
  next_loaded_ = (next_loaded_ + 1) % kLoadedMax;
  return loaded;
}

}  // namespace pawl::inline v0
