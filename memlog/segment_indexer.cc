#include "segment_indexer.h"

#include <cstring>
#include <utility>
#include <vector>

#include "block_file.h"

namespace pawl::inline v0 {
namespace {

// Read and checked in one step: under a millisecond.
constexpr std::uint64_t kStepBytes = std::uint64_t{512} << 10;
constexpr std::uint64_t kRetryNs = 1'000'000'000;
// With more than this to be synced the log is under load: an index can wait, and the core that it
// takes cannot be spared.
constexpr std::uint64_t kBusyBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kBusyNs = 100'000'000;

}  // namespace

SegmentIndexer::SegmentIndexer(const Start& start)
    : start_(start),
      index_(start.next_index),
      cursor_(start.cursor),
      chain_before_(start.chain_before) {}

// On a disk that is low the next segment comes first; one that failed is left alone.
bool SegmentIndexer::CanWork() const noexcept {
  return !is_damaged_ && start_.health->health() == LogHealth::kOpen;
}

bool SegmentIndexer::IsDiskBusy() const noexcept {
  // Acquire, both: only for the distance; pairs with the releases of loop and sync agent.
  const std::uint64_t durable = start_.marks->durable.load(std::memory_order_acquire);
  return start_.marks->published.load(std::memory_order_acquire) > durable + kBusyBytes;
}

void SegmentIndexer::Wait(std::uint64_t ns) {
  is_waiting_ = true;
  wait_.Set(start_.storage->WallClockNs(), ns);
}

bool SegmentIndexer::HasWork() const noexcept {
  if (!CanWork() || delay_ns() > 0) return false;
  return walk_ != nullptr || start_.segments->IsSealed(index_);
}

std::int64_t SegmentIndexer::delay_ns() const noexcept {
  return is_waiting_ && CanWork() ? wait_.Left(start_.storage->WallClockNs()) : -1;
}

int SegmentIndexer::DoWork() noexcept {
  if (!HasWork()) return 0;
  if (IsDiskBusy()) {
    Wait(kBusyNs);
    return 0;
  }
  is_waiting_ = false;
  const absl::Status done = walk_ == nullptr ? Begin() : Continue();
  if (!done.ok()) Fail(done);
  return 1;
}

absl::Status SegmentIndexer::Begin() {
  absl::StatusOr<std::unique_ptr<SegmentWalk>> walk =
      SegmentWalk::Open(*start_.storage, start_.directory, *start_.manifest, index_, cursor_);
  if (!walk.ok()) return Damage(walk.status());
  walk_ = *std::move(walk);
  builder_ = std::make_unique<IndexBuilder>(walk_->header(), cursor_, chain_before_);
  return absl::OkStatus();
}

absl::Status SegmentIndexer::Continue() {
  for (std::uint64_t bytes = 0; bytes < kStepBytes;) {
    const absl::StatusOr<const FrameHeader*> frame = walk_->Next();
    if (!frame.ok()) return Damage(frame.status());
    if (*frame == nullptr) return Finish();
    builder_->Add(**frame);
    bytes += (*frame)->length;
  }
  return absl::OkStatus();
}

absl::Status SegmentIndexer::Finish() {
  const std::vector<std::byte> bytes = builder_->Finish(walk_->cursor());
  const absl::Status written =
      ReplaceFile(*start_.storage, start_.directory, IndexName(index_), bytes);
  if (!written.ok()) return written;
  SegmentIndexHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const IndexedSegment indexed = SegmentIndex::Summarise(header);
  start_.segments->indexes().Add(walk_->header(), indexed);
  start_.segments->SetVerified(index_, true);
  chain_before_ = indexed.chain_hash;
  cursor_ = indexed.end;
  walk_ = nullptr;
  builder_ = nullptr;
  has_told_ = false;
  ++index_;
  return absl::OkStatus();
}

// What cannot be read is not hidden by an index: readers check every frame of it themselves.
absl::Status SegmentIndexer::Damage(const absl::Status& why) {
  is_damaged_ = true;
  start_.segments->SetVerified(index_, false);
  return absl::DataLossError(why.message());
}

void SegmentIndexer::Fail(const absl::Status& why) {
  walk_ = nullptr;
  builder_ = nullptr;
  if (absl::IsUnknown(why)) {
    start_.health->SetFailed(Explained(why, "stop, repair the disk, open the log again"));
    return;
  }
  if (!has_told_ && start_.on_notice) {
    start_.on_notice("no index for segment " + std::to_string(index_) + ": " +
                     std::string(why.message()));
  }
  has_told_ = true;
  Wait(kRetryNs);
}

}  // namespace pawl::inline v0
