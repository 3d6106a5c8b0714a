#include <algorithm>
#include <cstring>
#include <utility>

#include "block_file.h"
#include "log_names.h"
#include "manifest.h"
#include "recovery.h"
#include "segment_file.h"

namespace pawl::inline v0 {

absl::Status Recovery::Settle() {
  if (absl::Status removed = RemoveDrafts(); !removed.ok()) return removed;
  if (absl::Status kept = KeepCutBytes(); !kept.ok()) return kept;
  // What was prepared ahead is the reserve of a full disk: its room is what the tail needs.
  if (absl::Status removed = RemoveLaterSegments(); !removed.ok()) return removed;
  if (absl::Status rewritten = RewriteSegments(); !rewritten.ok()) return rewritten;
  // Everything is in the files now; the images of the life before have nothing to add.
  return start_.images->RemoveAll();
}

absl::Status Recovery::KeepCutBytes() {
  if (!facts_.has_bytes_behind) return absl::OkStatus();
  for (std::uint64_t index = tail_index(); index < source_.count(); ++index) {
    const absl::StatusOr<SegmentView> segment = source_.Read(index);
    if (!segment.ok()) return segment.status();
    const std::uint64_t address = std::max(end_.next.value(), geometry_.FirstFrame(index));
    const std::span<const std::byte> bytes = BytesBehind(*segment);
    if (bytes.empty()) continue;
    if (absl::Status kept = KeepPiece(address, bytes); !kept.ok()) return kept;
    report_.cut_bytes += bytes.size();
  }
  return absl::OkStatus();
}

// A tear at the same address in another life gets another name; the same bytes (this open began
// before and was interrupted) do not.
absl::Status Recovery::KeepPiece(std::uint64_t address, std::span<const std::byte> bytes) {
  constexpr int kPiecesMax = 100;
  for (int piece = 0; piece < kPiecesMax; ++piece) {
    const std::string name = std::to_string(address) +
                             (piece == 0 ? std::string() : "-" + std::to_string(piece)) + ".cut";
    const std::string path = start_.directory + "/" + name;
    const absl::StatusOr<bool> is_kept = IsKept(path, bytes);
    const bool is_free = absl::IsNotFound(is_kept.status());
    if (!is_kept.ok() && !is_free) return is_kept.status();
    if (!is_free && !*is_kept) continue;
    if (report_.cut_file.empty()) report_.cut_file = path;
    if (!is_free) return start_.storage->SyncDirectory(start_.directory);
    return ReplaceFile(*start_.storage, start_.directory, name, bytes);
  }
  return absl::FailedPreconditionError(start_.directory + " keeps " + std::to_string(kPiecesMax) +
                                       " pieces cut at address " + std::to_string(address) +
                                       ": look at them and move them away");
}

// True if the file holds these bytes; NOT_FOUND if there is none.
absl::StatusOr<bool> Recovery::IsKept(const std::string& path,
                                      std::span<const std::byte> bytes) const {
  const absl::StatusOr<std::unique_ptr<File>> file = start_.storage->Open(path, FileMode::kRead);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size != bytes.size()) return false;
  std::vector<std::byte> kept(bytes.size());
  if (const absl::Status read = (*file)->ReadAt(0, kept); !read.ok()) return read;
  return std::equal(kept.begin(), kept.end(), bytes.begin());
}

// What the page cache shows of bytes that no sync is known to have covered is not trusted: they are
// written anew, with zeros behind the end, under another name, and renamed over the old file. So is
// a file that was cut short behind its seal: readers map whole segments.
absl::Status Recovery::RewriteSegments() {
  const std::uint64_t tail = tail_index();
  std::uint64_t first = geometry_.IndexOf(KnownDurable().value());
  if (marks_.has_value()) first = std::min(first, geometry_.IndexOf(marks_->durable));
  for (std::uint64_t index = 0; index <= tail; ++index) {
    // A sealed segment that was cut short behind its seal gets its full size back.
    if (index < std::min(first, tail) && !source_.is_short(index)) continue;
    if (absl::Status rewritten = RewriteSegment(index); !rewritten.ok()) return rewritten;
  }
  return absl::OkStatus();
}

absl::Status Recovery::RewriteSegment(std::uint64_t index) {
  std::vector<std::byte> bytes(sizeof(SegmentHeader));
  SegmentHeader header;
  if (index < source_.count()) {
    const absl::StatusOr<SegmentView> segment = source_.Read(index);
    if (!segment.ok()) return segment.status();
    const std::uint64_t start = geometry_.Start(index);
    const std::uint64_t size = std::min(end_.next.value() - start, geometry_.segment_bytes);
    bytes.assign(segment->bytes.begin(),
                 segment->bytes.begin() + static_cast<std::ptrdiff_t>(size));
    header = source_.header(index);
  } else {
    header = NewSegmentHeader(*start_.storage, start_.manifest, index, newest_epoch_.value() + 1);
  }
  std::memcpy(bytes.data(), &header, sizeof header);

  SegmentFile file(start_.storage, start_.directory, index);
  absl::Status done = file.Create();
  if (done.ok()) done = file.Allocate(geometry_.segment_bytes);
  if (done.ok()) done = file.Write(0, bytes);
  if (done.ok()) done = file.Sync();
  if (!done.ok()) {
    file.Discard();
    return done;
  }
  if (absl::Status named = file.Name(); !named.ok()) return named;
  if (index == tail_index()) {
    tail_header_ = header;
    tail_bytes_ = std::move(bytes);
  }
  return absl::OkStatus();
}

// From the last one down, each removal durable before the next: no power cut leaves a gap.
absl::Status Recovery::RemoveLaterSegments() {
  for (std::uint64_t index = source_.count(); index-- > tail_index() + 1;) {
    if (!source_.has_file(index)) continue;
    if (absl::Status gone = UnlinkIfThere(*start_.storage, FileOf(index)); !gone.ok()) return gone;
    if (absl::Status synced = start_.storage->SyncDirectory(start_.directory); !synced.ok()) {
      return synced;
    }
  }
  return absl::OkStatus();
}

// Of preparers that died. First of all: on a full disk theirs is the room that the tail needs.
absl::Status Recovery::RemoveDrafts() {
  const absl::StatusOr<std::vector<std::string>> names = start_.storage->List(start_.directory);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::size_t end = name.rfind(".tmp");
    if (end == std::string::npos || !IsSegmentName(name.substr(0, end))) continue;
    if (absl::Status gone = UnlinkIfThere(*start_.storage, start_.directory + "/" + name);
        !gone.ok()) {
      return gone;
    }
  }
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
