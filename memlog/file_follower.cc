#include "file_follower.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "block_memory.h"
#include "evidence.h"
#include "manifest.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;
// Both slots are never written at once, but each read may meet a write of its slot.
constexpr int kEvidenceReadsMax = 3;

// A segment's copy. Its memory comes when it is filled.
class Copy final : public Mapping {
 public:
  //   returns   nullptr: no memory
  static std::shared_ptr<Mapping> New(std::size_t bytes) {
    void* const memory = std::calloc(bytes + kBlockBytes, 1);
    return memory == nullptr ? nullptr : std::make_shared<Copy>(memory, bytes);
  }
  Copy(void* memory, std::size_t bytes) noexcept : Mapping(AlignUp(memory), bytes), all_(memory) {}
  ~Copy() override { std::free(all_); }

 private:
  static std::byte* AlignUp(void* memory) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(memory);
    return static_cast<std::byte*>(memory) + (kBlockBytes - at % kBlockBytes) % kBlockBytes;
  }
  void* const all_;
};

}  // namespace

FileFollower::FileFollower(const Start& start)
    : start_(start), geometry_{start.manifest.segment_bytes} {
  cursor_.next = Address(geometry_.FirstFrame(0));
}

std::string FileFollower::PathOf(std::uint64_t index) const {
  return start_.directory + "/" + SegmentName(index);
}

void FileFollower::StandAt(const ScanCursor& start) {
  cursor_ = start;
  file_ = nullptr;
  copy_ = nullptr;
}

Address FileFollower::durable() const noexcept {
  return std::min(cursor_.next, std::max(evidence_, cursor_.evidence));
}

std::shared_ptr<const Mapping> FileFollower::CopyOf(std::uint64_t index) const noexcept {
  return file_ != nullptr && header_.index == index ? copy_ : nullptr;
}

bool FileFollower::IsReplaced() const {
  if (file_ == nullptr) return false;
  const absl::StatusOr<FileIdentity> identity = start_.storage->Identify(PathOf(header_.index));
  return identity.ok() && *identity != identity_;
}

// Evidence first: what it speaks of was on the disk before.
absl::Status FileFollower::Advance() {
  if (const absl::Status read = ReadEvidence(); !read.ok()) return read;
  for (;;) {
    const std::uint64_t index = geometry_.IndexOf(cursor_.next.value());
    if (file_ == nullptr || header_.index != index) {
      const absl::StatusOr<bool> is_there = OpenSegment(index);
      if (!is_there.ok()) return is_there.status();
      if (!*is_there) break;
    }
    const absl::StatusOr<bool> is_sealed = FollowFrames();
    if (!is_sealed.ok()) return is_sealed.status();
    if (!*is_sealed) break;
  }
  if (evidence_ <= cursor_.next ||
      geometry_.Normalised(evidence_.value()) == cursor_.next.value()) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      PathOf(geometry_.IndexOf(cursor_.next.value())) + " at offset " +
      std::to_string(cursor_.next.value() % geometry_.segment_bytes) + ", behind position " +
      std::to_string(cursor_.position.value()) + ": no valid frame, but everything below address " +
      std::to_string(evidence_.value()) + " was durable; what is before can be read");
}

absl::Status FileFollower::ReadEvidence() {
  absl::Status status;
  for (int i = 0; i < kEvidenceReadsMax; ++i) {
    const absl::StatusOr<EvidenceFound> found =
        Evidence::Read(*start_.storage, start_.directory, start_.manifest.log_id);
    status = found.status();
    if (!found.ok()) continue;
    evidence_ = found->durable;
    return status;
  }
  return status;
}

//   returns   false: there is no such file yet
absl::StatusOr<bool> FileFollower::OpenSegment(std::uint64_t index) {
  const std::string path = PathOf(index);
  const absl::StatusOr<FileIdentity> identity = start_.storage->Identify(path);
  if (absl::IsNotFound(identity.status())) return false;
  if (!identity.ok()) return identity.status();
  absl::StatusOr<std::unique_ptr<File>> file = start_.storage->Open(path, FileMode::kRead);
  if (absl::IsNotFound(file.status())) return false;
  if (!file.ok()) return file.status();
  const absl::StatusOr<SegmentHeader> header =
      ReadSegmentHeader(**file, start_.manifest, index, path);
  if (!header.ok()) return header.status();
  std::shared_ptr<Mapping> copy = Copy::New(start_.manifest.segment_bytes);
  if (copy == nullptr) {
    return absl::ResourceExhaustedError("no memory for the " +
                                        std::to_string(start_.manifest.segment_bytes) +
                                        " bytes of segment " + std::to_string(index));
  }
  identity_ = *identity;
  header_ = *header;
  copy_ = std::move(copy);
  std::memcpy(copy_->data(), &header_, sizeof header_);
  file_ = *std::move(file);
  return true;
}

// Whole blocks; the one at `offset` may have been half full when it was read.
absl::Status FileFollower::ReadMore(std::uint64_t offset, std::uint64_t bytes) {
  const std::uint64_t first = BlockStart(offset);
  const std::uint64_t end = std::min(BlockEnd(offset + bytes), copy_->size());
  const absl::Status read = file_->ReadAt(first, {copy_->data() + first, end - first});
  // A file cut short ends there.
  return absl::IsOutOfRange(read) ? absl::OkStatus() : read;
}

//   returns   true: the seal was reached
absl::StatusOr<bool> FileFollower::FollowFrames() {
  const std::uint64_t start = geometry_.Start(header_.index);
  const SegmentView view{
      .bytes = {copy_->data(), copy_->size()}, .index = header_.index, .salt = header_.salt};
  for (;;) {
    const std::uint64_t offset = cursor_.next.value() - start;
    if (const absl::Status read = ReadMore(offset, kBlockBytes); !read.ok()) return read;
    FrameHeader next;
    std::memcpy(&next, copy_->data() + offset, sizeof next);
    if (next.length == 0) return false;
    const std::uint64_t wanted = std::max<std::uint64_t>(kPieceBytes, next.length);
    if (const absl::Status read = ReadMore(offset, wanted); !read.ok()) return read;
    const Address before = cursor_.next;
    const SegmentVerdict verdict = ScanSegment(view, geometry_, cursor_);
    if (verdict == SegmentVerdict::kSealed) return true;
    if (const absl::Status known = Judged(verdict); !known.ok()) return known;
    // What begins there is not whole yet.
    if (cursor_.next == before) return false;
  }
}

absl::Status FileFollower::Judged(SegmentVerdict verdict) const {
  const std::string path = PathOf(header_.index);
  if (verdict == SegmentVerdict::kNewer) {
    return absl::FailedPreconditionError(path +
                                         ": a frame of a kind unknown to this library: read the "
                                         "log with a newer one");
  }
  if (verdict == SegmentVerdict::kMalformed) {
    return absl::DataLossError(path + ": a whole frame whose commits contradict it");
  }
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
