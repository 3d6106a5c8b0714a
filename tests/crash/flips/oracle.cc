#include "oracle.h"

#include <algorithm>
#include <array>
#include <vector>

#include "pawl/format.h"

namespace pawl::inline v0 {
namespace {

using Outcome = Expected::Outcome;

class Oracle {
 public:
  explicit Oracle(const Damage& damage) : damage_(damage), subject_(*damage.subject) {}

  Expected Judge();

 private:
  bool IsDamaged(FileKind kind) const noexcept { return damage_.file->kind == kind; }
  bool IsHit(const FrameKept& frame, FileKind kind) const;
  bool IsBelievedImage(std::uint64_t index) const;
  bool IsSeen(const FrameKept& frame) const;
  bool IsHeaderHit() const;
  std::uint64_t SlotEvidence() const;
  void Follow();
  std::uint64_t Evidence() const;

  const Damage& damage_;
  const Subject& subject_;
  std::uint64_t end_ = kSegmentHeaderBytes;  // address of the log's end
  std::uint64_t kept_ = 0;
  std::uint32_t epoch_ = 0;
  std::size_t followed_ = 0;  // frames before the end
};

// The damage changes a byte of the frame as it stands in the files, or in the images. What is cut
// off a segment's file reads as zeros.
bool Oracle::IsHit(const FrameKept& frame, FileKind kind) const {
  if (!IsDamaged(kind) || damage_.file->index != frame.seen.address / kSegmentBytesMin)
    return false;
  const std::uint64_t start = damage_.file->index * kSegmentBytesMin;
  const std::uint64_t from = start + damage_.from();
  if (damage_.is_truncation) return frame.last_byte > from;
  return from >= frame.seen.address && from < frame.seen.address + frame.seen.length;
}

bool Oracle::IsHeaderHit() const { return damage_.from() < kSegmentHeaderBytes; }

// An image counts from the segment of the durable mark on, if it has the right size and header.
bool Oracle::IsBelievedImage(std::uint64_t index) const {
  if (!subject_.has_marks || index < subject_.durable / kSegmentBytesMin) return false;
  if (IsDamaged(FileKind::kImage) && damage_.file->index == index) {
    return !damage_.is_truncation && !IsHeaderHit();
  }
  return std::any_of(subject_.files.begin(), subject_.files.end(), [&](const FileKept& file) {
    return file.kind == FileKind::kImage && file.index == index;
  });
}

bool Oracle::IsSeen(const FrameKept& frame) const {
  if (IsBelievedImage(frame.seen.address / kSegmentBytesMin)) {
    return frame.is_in_image && !IsHit(frame, FileKind::kImage);
  }
  return frame.is_in_file && !IsHit(frame, FileKind::kSegment);
}

// Goes from frame to frame, each beginning where the one before ends.
void Oracle::Follow() {
  for (const FrameKept& frame : subject_.frames) {
    if (frame.seen.address != end_ || !IsSeen(frame)) break;
    ++followed_;
    kept_ = frame.seen.end_position;
    epoch_ = frame.epoch;
    end_ = frame.seen.address + frame.seen.length;
    if (!frame.is_seal) continue;
    end_ = (frame.seen.address / kSegmentBytesMin + 1) * kSegmentBytesMin + kSegmentHeaderBytes;
  }
}

// Of the slots that are whole, the newest counts. 0: none is.
std::uint64_t Oracle::SlotEvidence() const {
  const SlotKept* newest = nullptr;
  for (std::size_t i = 0; i < subject_.slots.size(); ++i) {
    const bool is_hit = IsDamaged(FileKind::kEvidence) && damage_.from() < (i + 1) * kBlockBytes &&
                        damage_.to() > i * kBlockBytes;
    if (is_hit || !subject_.slots[i].is_valid) continue;
    if (newest == nullptr || subject_.slots[i].round > newest->round) newest = &subject_.slots[i];
  }
  return newest == nullptr ? 0 : newest->durable_address;
}

// The highest address that something whole still says was durable.
std::uint64_t Oracle::Evidence() const {
  std::uint64_t evidence = SlotEvidence();
  for (std::size_t i = 0; i < subject_.frames.size(); ++i) {
    const FrameKept& frame = subject_.frames[i];
    const bool is_whole = IsSeen(frame) || (frame.is_in_file && !IsHit(frame, FileKind::kSegment));
    // Behind the end only frames of the last life count.
    if (i < followed_ || (is_whole && frame.epoch >= epoch_)) {
      evidence = std::max(evidence, frame.seen.durable_address);
    }
  }
  return evidence;
}

Expected Oracle::Judge() {
  Expected expected;
  if (IsDamaged(FileKind::kMarks)) {
    return {.outcome = Outcome::kDurableKept,
            .kept = subject_.durable_records,
            .hits_owed_frame = false};
  }
  for (const FrameKept& frame : subject_.frames) {
    const bool is_owed = frame.seen.end_position <= subject_.owed;
    if (is_owed && (IsHit(frame, FileKind::kSegment) || IsHit(frame, FileKind::kImage))) {
      expected.hits_owed_frame = true;
    }
  }
  const bool is_refused = IsDamaged(FileKind::kManifest) ||
                          (IsDamaged(FileKind::kSegment) && IsHeaderHit()) || SlotEvidence() == 0;
  Follow();
  expected.kept = kept_;
  const bool is_published_lost = subject_.has_marks && end_ < subject_.published;
  if (is_refused || is_published_lost || end_ < Evidence()) expected.outcome = Outcome::kRefused;
  return expected;
}

}  // namespace

Expected Expect(const Damage& damage) { return Oracle(damage).Judge(); }

}  // namespace pawl::inline v0
