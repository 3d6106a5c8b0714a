#include "attached_segments.h"

#include <cstring>
#include <utility>

#include "content_hash.h"
#include "hot_images.h"
#include "manifest.h"
#include "pawl/check.h"

namespace pawl::inline v0 {

AttachedSegments::AttachedSegments(Start start)
    : ReadableSegments(start.storage, start.directory, start.manifest.segment_bytes),
      start_(std::move(start)),
      files_(
          {.storage = start_.storage, .directory = start_.directory, .manifest = start_.manifest}) {
  indexed_end_.next = Address(geometry().FirstFrame(0));
}

absl::Status AttachedSegments::Refresh() {
  is_outdated_ = false;
  if (marks_ != nullptr && AreMarksCurrent()) {
    ReadIndexes();
    return absl::OkStatus();
  }
  const bool was_in_files = marks_ == nullptr && generation() > 0;
  FindMarks();
  const bool goes_on = marks_ == nullptr && was_in_files && !files_.IsReplaced();
  if (!goes_on) BeginAnew();
  if (marks_ == nullptr) return FollowFiles();
  TakeSeat();
  return absl::OkStatus();
}

void AttachedSegments::BeginAnew() {
  NextGeneration();
  mapped_.clear();
  ReadIndexes();
  files_.StandAt(indexed_end_);
}

absl::Status AttachedSegments::FollowFiles() {
  absl::Status advanced = files_.Advance();
  // Evidence of the next life was met, and the file of the one before: the next one's has it all.
  while (absl::IsDataLoss(advanced) && files_.IsReplaced()) {
    BeginAnew();
    advanced = files_.Advance();
  }
  return advanced;
}

// The newest ones, if there are any.
void AttachedSegments::FindMarks() {
  marks_ = nullptr;
  marks_mapping_ = nullptr;
  seat_ = nullptr;
  if (!start_.boot_id.has_value()) return;
  for (const std::string& directory : start_.hot_directories) {
    const std::string path = directory + "/" + kMarksName;
    const absl::StatusOr<FileIdentity> before = storage().Identify(path);
    const absl::StatusOr<std::shared_ptr<Mapping>> mapped = MapMarks(directory);
    const absl::StatusOr<FileIdentity> after = storage().Identify(path);
    // Replaced meanwhile: the next look finds the new ones.
    if (!mapped.ok() || !before.ok() || !after.ok() || *before != *after) continue;
    const auto& marks = *reinterpret_cast<const HotMarks*>((*mapped)->data());
    if (!AreOpen(marks, *start_.boot_id) ||
        !AreOf(marks, start_.manifest, start_.manifest_identity) ||
        (marks_ != nullptr && marks.epoch <= marks_->epoch)) {
      continue;
    }
    marks_mapping_ = *mapped;
    marks_ = &marks;
    marks_directory_ = directory;
    marks_identity_ = *after;
  }
}

absl::StatusOr<std::shared_ptr<Mapping>> AttachedSegments::MapMarks(
    const std::string& directory) const {
  absl::StatusOr<std::shared_ptr<Mapping>> mapped = storage().MapKept(directory + "/" + kMarksName);
  if (mapped.ok() && (*mapped)->size() < sizeof(HotMarks)) return absl::NotFoundError("too short");
  return mapped;
}

bool AttachedSegments::AreMarksCurrent() const {
  if (!AreOpen(*marks_, *start_.boot_id)) return false;
  const absl::StatusOr<FileIdentity> identity =
      storage().Identify(marks_directory_ + "/" + kMarksName);
  return identity.ok() && *identity == marks_identity_;
}

void AttachedSegments::TakeSeat() {
  absl::StatusOr<std::shared_ptr<Mapping>> file =
      storage().MapImage(marks_directory_ + "/" + kReadersName, 0);
  if (!file.ok()) return;
  absl::StatusOr<std::unique_ptr<ReaderSeat>> seat =
      ReaderSeat::Take(*std::move(file), start_.manifest.log_id, start_.name);
  if (seat.ok()) seat_ = *std::move(seat);
}

// Those that came since the last look.
void AttachedSegments::ReadIndexes() {
  for (;;) {
    const std::uint64_t index = indexes().count();
    const std::string path = directory() + "/" + SegmentName(index);
    // Acquire: the segment's file is whole. Pairs with the release of the sync agent.
    if (marks_ != nullptr &&
        geometry().IndexOf(marks_->durable.load(std::memory_order_acquire)) <= index) {
      return;
    }
    const absl::StatusOr<std::unique_ptr<File>> file = storage().Open(path, FileMode::kRead);
    if (!file.ok()) return;
    const absl::StatusOr<SegmentHeader> header =
        ReadSegmentHeader(**file, start_.manifest, index, path);
    if (!header.ok()) return;
    const absl::StatusOr<IndexedSegment> read =
        SegmentIndex::ReadHeader(storage(), directory(), *header);
    const ContentHash chain = index == 0 ? ContentHash{} : indexes().Find(index - 1)->chain_hash;
    if (!read.ok() || !read->Follows(indexed_end_, chain)) return;
    indexes().Add(*header, *read);
    indexed_end_ = read->EndCursor();
  }
}

absl::StatusOr<ReadableSegments::Entered> AttachedSegments::Enter(std::uint64_t index) {
  std::shared_ptr<const Mapping> before = mapped_[index].lock();
  if (before != nullptr && !before->is_damaged()) {
    return Entered{.memory = std::move(before), .is_verified = false};
  }
  absl::StatusOr<std::shared_ptr<const Mapping>> mapped = Map(index);
  std::erase_if(mapped_, [](const auto& each) { return each.second.expired(); });
  if (!mapped.ok()) return mapped.status();
  mapped_[index] = *mapped;
  return Entered{.memory = *std::move(mapped), .is_verified = false};
}

absl::StatusOr<std::shared_ptr<const Mapping>> AttachedSegments::Map(std::uint64_t index) {
  if (marks_ == nullptr) {
    if (std::shared_ptr<const Mapping> copy = files_.CopyOf(index)) return copy;
    return MapSealed(index);
  }
  // Acquire: the segment's file is whole. Pairs with the release of the sync agent.
  const std::uint64_t durable = marks_->durable.load(std::memory_order_acquire);
  if (geometry().IndexOf(durable) > index) return MapSealed(index);
  absl::StatusOr<std::shared_ptr<const Mapping>> image = MapImage(index);
  // Who opens the log anew takes the marks away before the images, and makes new images after that:
  // now this one, or that there is none, is of the life of these marks.
  if (!AreMarksCurrent()) {
    is_outdated_ = true;
    return absl::UnavailableError(directory() + " was opened anew: AttachedLog::Refresh() follows");
  }
  return absl::IsNotFound(image.status()) ? MapSealed(index) : image;
}

absl::StatusOr<std::shared_ptr<const Mapping>> AttachedSegments::MapImage(
    std::uint64_t index) const {
  absl::Status status = absl::NotFoundError(ImageName(index) + " is not there");
  for (const std::string& directory : start_.hot_directories) {
    const std::string path = directory + "/" + ImageName(index);
    absl::StatusOr<std::shared_ptr<Mapping>> image = storage().MapKept(path);
    if (!image.ok()) {
      if (directory == marks_directory_) status = image.status();
      continue;
    }
    if ((*image)->size() != geometry().segment_bytes) {
      return absl::DataLossError(path + " has " + std::to_string((*image)->size()) +
                                 " bytes, expected " + std::to_string(geometry().segment_bytes));
    }
    SegmentHeader header;
    std::memcpy(&header, (*image)->data(), sizeof header);
    if (absl::Status good = CheckSegmentHeader(header, start_.manifest, index, path); !good.ok()) {
      return good;
    }
    return *std::move(image);
  }
  return status;
}

}  // namespace pawl::inline v0
