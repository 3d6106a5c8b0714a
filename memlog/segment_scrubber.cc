#include "segment_scrubber.h"

#include <optional>
#include <utility>

namespace pawl::inline v0 {
namespace {

// Read and checked in one step: the disk serves others in between.
constexpr std::uint64_t kStepBytes = std::uint64_t{512} << 10;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

}  // namespace

std::int64_t SegmentScrubber::delay_ns() const noexcept {
  if (index_ >= start_.segments_count || start_.bytes_per_second == 0) return -1;
  // A disk that failed is left alone.
  if (start_.health->health() == LogHealth::kFailed) return -1;
  return pause_.Left(start_.storage->WallClockNs());
}

int SegmentScrubber::DoWork() noexcept {
  if (!HasWork()) return 0;
  pause_.Set(start_.storage->WallClockNs(), kStepBytes * kNsPerSecond / start_.bytes_per_second);
  const absl::Status done = Continue();
  if (!done.ok()) {
    if (start_.on_notice) start_.on_notice(std::string(done.message()));
    walk_ = nullptr;
    ++index_;
  }
  return 1;
}

absl::Status SegmentScrubber::Continue() {
  if (walk_ == nullptr) {
    ScanCursor start;
    start.next = Address(start_.segments->geometry().FirstFrame(0));
    if (index_ > 0) start = start_.segments->indexes().Find(index_ - 1)->end;
    absl::StatusOr<std::unique_ptr<SegmentWalk>> walk =
        SegmentWalk::Open(*start_.storage, start_.directory, *start_.manifest, index_, start);
    if (!walk.ok()) return walk.status();
    walk_ = *std::move(walk);
    hasher_ = std::make_unique<ContentHasher>();
  }
  for (std::uint64_t bytes = 0; bytes < kStepBytes;) {
    const absl::StatusOr<const FrameHeader*> frame = walk_->Next();
    if (!frame.ok()) return frame.status();
    if (*frame == nullptr) {
      if (absl::Status same = Compare(); !same.ok()) return same;
      start_.segments->SetVerified(index_, true);
      walk_ = nullptr;
      ++index_;
      return absl::OkStatus();
    }
    hasher_->Add({reinterpret_cast<const std::byte*>(*frame), (*frame)->length});
    bytes += (*frame)->length;
  }
  return absl::OkStatus();
}

absl::Status SegmentScrubber::Compare() const {
  const std::optional<IndexedSegment> indexed = start_.segments->indexes().Find(index_);
  if (indexed->content_hash == hasher_->Finish()) return absl::OkStatus();
  return absl::DataLossError(start_.directory + "/" + SegmentName(index_) +
                             ": every frame is valid, but they are not those that were indexed: "
                             "restore the file from a backup");
}

}  // namespace pawl::inline v0
