#include "segment_file.h"

#include <utility>

#include "block_file.h"
#include "segment_set.h"

namespace pawl::inline v0 {

SegmentFile::SegmentFile(Storage* storage, std::string directory, std::uint64_t index)
    : storage_(storage),
      directory_(std::move(directory)),
      path_(directory_ + "/" + SegmentName(index)),
      draft_(path_ + ".tmp") {}

absl::Status SegmentFile::Create() {
  if (const absl::Status gone = UnlinkIfThere(*storage_, draft_); !gone.ok()) return gone;
  absl::StatusOr<std::unique_ptr<File>> file = storage_->Open(draft_, FileMode::kCreate);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  return absl::OkStatus();
}

absl::Status SegmentFile::Allocate(std::uint64_t bytes) { return file_->Allocate(bytes); }

absl::Status SegmentFile::Write(std::uint64_t offset, std::span<const std::byte> bytes) {
  return file_->WriteAt(offset, bytes, {});
}

absl::Status SegmentFile::Sync() { return file_->Sync(); }

absl::Status SegmentFile::Name() {
  file_ = nullptr;
  if (const absl::Status renamed = storage_->Rename(draft_, path_); !renamed.ok()) return renamed;
  return storage_->SyncDirectory(directory_);
}

void SegmentFile::Discard() {
  file_ = nullptr;
  // A draft that cannot be removed is ignored by recovery and replaced by the next Create().
  static_cast<void>(storage_->Unlink(draft_));
}

}  // namespace pawl::inline v0
