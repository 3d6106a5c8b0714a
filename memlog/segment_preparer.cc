#include "segment_preparer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "block_file.h"
#include "manifest.h"
#include "pawl/check.h"
#include "zero_blocks.h"

namespace pawl::inline v0 {
namespace {

// Zeros written or stored in one step: about a millisecond of the disk.
constexpr std::uint64_t kZeroBytes = kZeroBlocksBytesMax;
// With more than this to be synced the disk has better things to do than zeros: a block that was
// not zero-written costs its first append 226 µs instead of 153.
constexpr std::uint64_t kZeroBacklogBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kBackoffMinNs = 10'000'000;
constexpr std::uint64_t kBackoffMaxNs = 1'000'000'000;

// The copy keeps the last reader's accesses before ours: its drop is a read-modify-write that
// acquires what the reader released with its own reference. (use_count() alone is relaxed.)
bool IsUnread(const std::shared_ptr<Mapping>& mapping) noexcept {
  if (mapping.use_count() != 1) return false;
  const std::shared_ptr<Mapping> ordered = mapping;
  return true;
}

}  // namespace

SegmentPreparer::SegmentPreparer(const Start& start) : start_(start), index_(start.next_index) {}

bool SegmentPreparer::WantsSegment() const noexcept {
  return start_.ready->size() < start_.segments_ahead &&
         start_.segments->images() < start_.images_max;
}

// The loop is about to need the segment: nothing that can be left out is waited for.
bool SegmentPreparer::IsUrgent() const noexcept {
  if (start_.ready->HasNext()) return false;
  // Relaxed: a hint.
  const std::uint64_t published = start_.marks->published.load(std::memory_order_relaxed);
  const std::uint64_t bytes = start_.manifest->segment_bytes;
  return published % bytes > bytes / 2;
}

int SegmentPreparer::DoWork() noexcept {
  if (start_.health->health() == LogHealth::kFailed) return 0;
  if (start_.segments->HasRetired()) {
    HandleRetired();
    return 1;
  }
  if (step_ == Step::kRest && !WantsSegment()) return 0;
  if (delay_ns() > 0) return 0;
  if (step_ == Step::kRest) step_ = Step::kFile;
  if (const absl::Status done = Take(step_); !done.ok()) Fail(done);
  return 1;
}

bool SegmentPreparer::HasWork() const noexcept {
  if (start_.health->health() == LogHealth::kFailed) return false;
  if (start_.segments->HasRetired()) return true;
  return (step_ != Step::kRest || WantsSegment()) && delay_ns() <= 0;
}

std::int64_t SegmentPreparer::delay_ns() const noexcept {
  return backoff_ns_ == 0 ? -1 : retry_.Left(start_.storage->WallClockNs());
}

absl::Status SegmentPreparer::Take(Step step) {
  switch (step) {
    case Step::kRest: return absl::OkStatus();
    case Step::kFile: return CreateFile();
    case Step::kAllocate:
      step_ = Step::kHeader;
      return file_->Allocate(start_.manifest->segment_bytes);
    case Step::kHeader: return WriteHeader();
    case Step::kName: return NameFile();
    case Step::kZeros: return WriteZeros();
    case Step::kImage: return TakeImage();
    case Step::kWipe: return WipeImage();
    case Step::kHandOver: return HandOver();
  }
  return absl::OkStatus();
}

absl::Status SegmentPreparer::CreateFile() {
  step_ = Step::kAllocate;
  file_ = std::make_unique<SegmentFile>(start_.storage, start_.directory, index_);
  return file_->Create();
}

absl::Status SegmentPreparer::WriteHeader() {
  step_ = Step::kName;
  header_ = NewSegmentHeader(*start_.storage, *start_.manifest, index_, start_.epoch.value());
  if (const absl::Status written = file_->Write(0, BytesOf(header_)); !written.ok()) return written;
  return file_->Sync();
}

absl::Status SegmentPreparer::NameFile() {
  step_ = Step::kZeros;
  zeroed_ = kSegmentHeaderBytes;
  if (const absl::Status named = file_->Name(); !named.ok()) return named;
  absl::StatusOr<std::unique_ptr<File>> durable =
      start_.storage->Open(file_->path(), FileMode::kDurable);
  if (!durable.ok()) return durable.status();
  durable_ = *std::move(durable);
  return absl::OkStatus();
}

absl::Status SegmentPreparer::WriteZeros() {
  // Acquire, both: only for the distance; pairs with the releases of loop and sync agent.
  const std::uint64_t published = start_.marks->published.load(std::memory_order_acquire);
  const std::uint64_t durable = start_.marks->durable.load(std::memory_order_acquire);
  const bool is_busy = published > durable + kZeroBacklogBytes;
  const std::uint64_t left = start_.manifest->segment_bytes - zeroed_;
  if (left == 0 || is_busy || IsUrgent()) {
    step_ = Step::kImage;
    return absl::OkStatus();
  }
  const std::span<const std::byte> zeros = ZeroBlocks(std::min(kZeroBytes, left));
  const std::uint64_t at = zeroed_;
  zeroed_ += zeros.size();
  return durable_->WriteAt(at, zeros, {});
}

absl::Status SegmentPreparer::TakeImage() {
  if (spare_.has_value()) {
    image_ = *std::move(spare_);
    spare_.reset();
    wiped_ = 0;
    step_ = Step::kWipe;
    const absl::Status taken = start_.images->MakeDraft(image_, index_);
    if (!absl::IsFailedPrecondition(taken)) return taken;
    // A reader elsewhere keeps it, as long as it likes: what it sees never changes.
    static_cast<void>(start_.images->Drop(std::exchange(image_, {})));
    step_ = Step::kImage;
    return absl::OkStatus();
  }
  step_ = Step::kHandOver;
  absl::StatusOr<SegmentSet::Image> draft =
      start_.images->NewDraft(index_, start_.manifest->segment_bytes);
  if (!draft.ok()) return draft.status();
  image_ = *std::move(draft);
  return absl::OkStatus();
}

absl::Status SegmentPreparer::WipeImage() {
  const std::uint64_t left = image_.mapping->size() - wiped_;
  start_.storage->StoreBytes(*image_.mapping, wiped_, ZeroBlocks(std::min(kZeroBytes, left)));
  wiped_ += std::min(kZeroBytes, left);
  if (wiped_ == image_.mapping->size()) step_ = Step::kHandOver;
  return absl::OkStatus();
}

absl::Status SegmentPreparer::HandOver() {
  start_.storage->StoreBytes(*image_.mapping, 0, BytesOf(header_));
  if (const absl::Status named = start_.images->NameDraft(image_, index_); !named.ok()) {
    return named;
  }
  const ReadySegment ready{.image = image_.mapping.get(), .index = index_, .salt = header_.salt};
  start_.segments->AddHot(index_, std::exchange(image_, {}), std::move(durable_), zeroed_);
  start_.ready->Push(ready);
  file_ = nullptr;
  ++index_;
  step_ = Step::kRest;
  backoff_ns_ = 0;
  if (start_.health->health() == LogHealth::kDiskLow) start_.health->SetOpen();
  start_.health->RingBell();
  return absl::OkStatus();
}

// The set no longer gives the image to anybody, so a count of one cannot grow again.
void SegmentPreparer::HandleRetired() {
  std::optional<SegmentSet::Retired> retired = start_.segments->TakeRetired();
  if (!retired.has_value()) return;
  if (!spare_.has_value() && IsUnread(retired->image.mapping)) {
    spare_ = std::move(retired->image);
    return;
  }
  // A file that stays costs memory until the next open removes it; the log is not hurt.
  static_cast<void>(start_.images->Drop(retired->image));
}

// Whatever was made so far is removed: nothing half-made stays on a full disk.
void SegmentPreparer::Fail(const absl::Status& why) {
  if (file_ != nullptr) {
    durable_ = nullptr;
    file_->Discard();
    static_cast<void>(start_.storage->Unlink(file_->path()));
    file_ = nullptr;
  }
  if (image_.mapping != nullptr) {
    static_cast<void>(start_.images->Drop(image_));
    image_ = {};
  }
  step_ = Step::kRest;
  if (why.code() == absl::StatusCode::kUnknown) {
    start_.health->SetFailed(Explained(why, "stop, repair the disk, open the log again"));
    return;
  }
  backoff_ns_ = std::clamp(backoff_ns_ * 2, kBackoffMinNs, kBackoffMaxNs);
  retry_.Set(start_.storage->WallClockNs(), backoff_ns_);
  start_.health->SetDiskLow(Explained(why, "make room; the log goes on by itself"));
}

}  // namespace pawl::inline v0
