#include "segment_set.h"

#include <utility>

#include "pawl/check.h"

namespace pawl::inline v0 {

SegmentSet::SegmentSet(Storage* storage, std::string directory, std::uint64_t segment_bytes)
    : ReadableSegments(storage, std::move(directory), segment_bytes) {}

void SegmentSet::AddHot(std::uint64_t index, Image image, std::unique_ptr<File> file,
                        std::uint64_t written_bytes) {
  PAWL_CHECK(image.mapping != nullptr && image.mapping->size() == geometry().segment_bytes);
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool is_new =
      segments_.try_emplace(index, Segment{std::move(image), std::move(file), written_bytes, {}})
          .second;
  PAWL_CHECK(is_new);
  ++images_;
}

void SegmentSet::AddSealed(std::uint64_t index, bool is_verified) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool is_new =
      segments_.try_emplace(index, Segment{{}, nullptr, 0, {}, true, is_verified}).second;
  PAWL_CHECK(is_new);
}

absl::StatusOr<ReadableSegments::Entered> SegmentSet::Enter(std::uint64_t index) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = segments_.find(index);
  if (found == segments_.end()) {
    return absl::DataLossError("segment " + std::to_string(index) + " of " + directory() +
                               " is missing");
  }
  Segment& segment = found->second;
  if (!segment.is_sealed) return Entered{segment.image.mapping};
  std::shared_ptr<const Mapping> mapped_before = segment.sealed.lock();
  if (mapped_before != nullptr && !mapped_before->is_damaged()) {
    return Entered{std::move(mapped_before), segment.is_verified};
  }
  absl::StatusOr<std::shared_ptr<const Mapping>> mapped = MapSealed(index);
  if (!mapped.ok()) return mapped.status();
  segment.sealed = *mapped;
  return Entered{*std::move(mapped), segment.is_verified};
}

void SegmentSet::SetVerified(std::uint64_t index, bool is_verified) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = segments_.find(index);
  PAWL_CHECK(found != segments_.end() && found->second.is_sealed);
  found->second.is_verified = is_verified;
}

bool SegmentSet::IsSealed(std::uint64_t index) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = segments_.find(index);
  return found != segments_.end() && found->second.is_sealed;
}

SegmentSet::SyncTarget SegmentSet::TakeForSync(std::uint64_t index) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = segments_.find(index);
  PAWL_CHECK(found != segments_.end() && !found->second.is_sealed);
  Segment& segment = found->second;
  return SyncTarget{segment.image.mapping, std::move(segment.file), segment.written_bytes};
}

void SegmentSet::Retire(std::uint64_t index) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = segments_.find(index);
  PAWL_CHECK(found != segments_.end() && !found->second.is_sealed);
  found->second.is_sealed = true;
  ++retired_;
}

std::optional<SegmentSet::Retired> SegmentSet::TakeRetired() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (retired_ == 0) return std::nullopt;
  // Segments retire in order, so the oldest one with an image is the one.
  auto at = segments_.lower_bound(oldest_image_);
  while (at != segments_.end() && at->second.image.mapping == nullptr) ++at;
  PAWL_CHECK(at != segments_.end() && at->second.is_sealed);
  oldest_image_ = at->first + 1;
  --retired_;
  --images_;
  Retired retired{at->first, std::move(at->second.image)};
  at->second.image = Image{};
  return retired;
}

bool SegmentSet::HasRetired() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return retired_ > 0;
}

std::size_t SegmentSet::images() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return images_;
}

}  // namespace pawl::inline v0
