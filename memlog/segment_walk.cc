#include "segment_walk.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "block_memory.h"
#include "manifest.h"

namespace pawl::inline v0 {
namespace {

// Large enough that the disk streams; small enough for a cache.
constexpr std::uint64_t kPieceBytes = std::uint64_t{256} << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentWalk>> SegmentWalk::Open(Storage& storage,
                                                               const std::string& directory,
                                                               const Manifest& manifest,
                                                               std::uint64_t index,
                                                               const ScanCursor& start) {
  const std::string path = directory + "/" + SegmentName(index);
  absl::StatusOr<std::unique_ptr<File>> file = storage.Open(path, FileMode::kRead);
  if (!file.ok()) return file.status();
  const absl::StatusOr<SegmentHeader> header = ReadSegmentHeader(**file, manifest, index, path);
  if (!header.ok()) return header.status();
  return std::unique_ptr<SegmentWalk>(new SegmentWalk(*std::move(file), path, *header, start));
}

SegmentWalk::SegmentWalk(std::unique_ptr<File> file, std::string path, const SegmentHeader& header,
                         const ScanCursor& start)
    : file_(std::move(file)),
      path_(std::move(path)),
      geometry_{header.segment_bytes},
      header_(header),
      cursor_(start) {}

absl::StatusOr<const FrameHeader*> SegmentWalk::Next() {
  if (is_sealed_) return nullptr;
  const std::uint64_t offset = cursor_.next.value() - geometry_.Start(header_.index);
  if (absl::Status read = Have(offset, sizeof(FrameHeader)); !read.ok()) return read;
  std::uint32_t length = 0;
  std::memcpy(&length, piece_.data() + (offset - first_), sizeof length);
  if (length > geometry_.segment_bytes - offset) return Damage();
  if (absl::Status read = Have(offset, length); !read.ok()) return read;
  const SegmentView view{
      .bytes = piece_, .index = header_.index, .salt = header_.salt, .first = first_};
  if (CheckFrame(view, geometry_, cursor_) != FrameVerdict::kValid) return Damage();
  const auto* const frame = reinterpret_cast<const FrameHeader*>(piece_.data() + (offset - first_));
  AdvanceOver(*frame, header_.index, geometry_, cursor_);
  is_sealed_ = frame->kind == FrameKind::kSeal;
  return frame;
}

// Makes `bytes` bytes from `offset` on part of the piece.
absl::Status SegmentWalk::Have(std::uint64_t offset, std::uint64_t bytes) {
  if (offset >= first_ && offset + bytes <= first_ + piece_.size()) return absl::OkStatus();
  if (offset + bytes > geometry_.segment_bytes) return Damage();
  const std::uint64_t first = BlockStart(offset);
  const std::uint64_t wanted = BlockEnd(offset + bytes - first);
  const std::uint64_t size =
      std::min(std::max(wanted, kPieceBytes), geometry_.segment_bytes - first);
  piece_ = BlocksIn(memory_, size);
  first_ = first;
  const absl::Status read = file_->ReadAt(first, piece_);
  if (!read.ok()) piece_ = {};
  if (absl::IsOutOfRange(read)) return Damage();
  return read;
}

absl::Status SegmentWalk::Damage() const {
  return absl::DataLossError(path_ + " at offset " +
                             std::to_string(cursor_.next.value() - geometry_.Start(header_.index)) +
                             ", behind position " + std::to_string(cursor_.position.value()) +
                             ": no valid frame on the disk, though the segment was sealed and "
                             "durable: restore the file from a backup");
}

}  // namespace pawl::inline v0
