// The ways of a LogReader that are not "on to the next frame": backward, and to a place.

#include <cstring>
#include <string>

#include "frame_scan.h"
#include "pawl/log_reader.h"
#include "readable_segments.h"

namespace pawl::inline v0 {
namespace {

// What a frame says of lengths is believed as far as a frame of that length can be there.
bool IsFrameLength(std::uint32_t length, std::uint64_t room) noexcept {
  return length >= sizeof(FrameHeader) && length % kFrameAlignBytes == 0 && length <= room;
}

}  // namespace

// Nothing of the segment is looked at: it may not be there yet.
void LogReader::StandAt(Address address, Position position) noexcept {
  address_ = address;
  position_ = position;
  previous_length_ = 0;
  if (address.value() < segment_start_ || address.value() >= segment_end_) segment_ = nullptr;
}

void LogReader::StandBefore(Address frame) noexcept {
  StandAt(frame, Position());
  if (segment_ == nullptr && !EnterSegment()) return;
  position_ = Position(At(frame)->first_position - 1);
  previous_length_ = At(frame)->previous_length;
}

// `segment` has an index, or its first frame was found sound, or nothing is in it yet.
void LogReader::StandAtStart(std::uint64_t segment) noexcept {
  const Address address(segments_->geometry().FirstFrame(segment));
  if (segment == 0) return StandAt(address, Position());
  const std::optional<IndexedSegment> before = segments_->indexes().Find(segment - 1);
  if (before.has_value()) return StandAt(address, before->end.position);
  StandAt(address, Position());
  if (segment_ != nullptr || EnterSegment()) {
    position_ = Position(At(address)->first_position - 1);
  }
}

// Where the tables of the segment say that the search may begin; at its start without tables.
template <class Choose>
void LogReader::StandInIndexed(std::uint64_t segment, Choose choose) {
  const auto index = segments_->indexes().Load(segment);
  if (!index.ok()) return StandAtStart(segment);
  const IndexPlace& place = choose(**index);
  const Address start(segments_->geometry().Start(segment));
  StandAt(start.Plus(std::uint64_t{place.offset64} * kFrameAlignBytes),
          Position((*index)->first_position().value() + place.position - 1));
  if (segment_ != nullptr || EnterSegment()) previous_length_ = At(address_)->previous_length;
}

// The first frame of a segment that is below the limit, sound; nullptr if there is none.
const FrameHeader* LogReader::FirstFrameOf(std::uint64_t segment, Address limit) noexcept {
  const Address address(segments_->geometry().FirstFrame(segment));
  if (address >= limit) return nullptr;
  StandAt(address, Position());
  if (segment_ == nullptr && !EnterSegment()) return nullptr;
  const FrameHeader& frame = *At(address);
  return is_verified_ || IsSound(frame) ? &frame : nullptr;
}

// From `segment` on, the last one whose first frame is not behind what is looked for.
template <class IsBehind>
std::uint64_t LogReader::LastSegmentWith(std::uint64_t segment, Address limit,
                                         IsBehind is_behind) noexcept {
  for (;; ++segment) {
    const FrameHeader* const next = FirstFrameOf(segment + 1, limit);
    if (next == nullptr || is_behind(*next)) return segment;
  }
}

// Forward until the next frame is the one.
//   returns   false: at the end, or status() is not Ok
template <class IsReached>
bool LogReader::WalkUntil(Address limit, IsReached is_reached) noexcept {
  for (;;) {
    const std::uint32_t previous_length = previous_length_;
    const Position position = position_;
    const FrameHeader* const frame = NextFrame(limit);
    if (frame == nullptr) return false;
    if (!is_reached(*frame)) continue;
    // Behind a seal the frame is the first of its segment.
    const bool is_first = frame->address == segments_->geometry().FirstFrame(
                                                segments_->geometry().IndexOf(frame->address));
    address_ = Address(frame->address);
    position_ = position;
    previous_length_ = is_first ? 0 : previous_length;
    return true;
  }
}

absl::Status LogReader::Seek(Position position, Address limit) {
  if (position.value() == 0) return absl::InvalidArgumentError("positions begin with 1");
  if (!status_.ok()) return status_;
  SegmentIndexes& indexes = segments_->indexes();
  const std::uint64_t indexed = indexes.SegmentOf(position);
  if (indexed < indexes.count()) {
    StandInIndexed(indexed, [&](const SegmentIndex& index) -> const IndexPlace& {
      return index.PlaceOf(position);
    });
  } else {
    StandAtStart(LastSegmentWith(indexed, limit, [&](const FrameHeader& frame) {
      return frame.first_position > position.value();
    }));
  }
  const bool is_found = WalkUntil(limit, [&](const FrameHeader& frame) {
    return frame.first_position + frame.records > position.value();
  });
  if (is_found || !status_.ok() || position_.Next() == position) return status_;
  return absl::OutOfRangeError("the log ends at position " + std::to_string(position_.value()) +
                               ", before " + std::to_string(position.value()));
}

absl::Status LogReader::SeekTime(std::uint64_t time_ns, Address limit) {
  if (!status_.ok()) return status_;
  SegmentIndexes& indexes = segments_->indexes();
  std::uint64_t segment = indexes.SegmentBefore(time_ns);
  const auto is_reached = [&](const FrameHeader& frame) { return frame.time_ns >= time_ns; };
  if (segment + 1 >= indexes.count()) segment = LastSegmentWith(segment, limit, is_reached);
  if (segment < indexes.count()) {
    StandInIndexed(segment, [&](const SegmentIndex& index) -> const IndexPlace& {
      return index.PlaceBefore(time_ns);
    });
  } else {
    StandAtStart(segment);
  }
  WalkUntil(limit, is_reached);
  return status_;
}

absl::Status LogReader::SeekEnd(Address limit) {
  if (!status_.ok()) return status_;
  const auto never = [](const FrameHeader&) { return false; };
  StandAtStart(LastSegmentWith(segments_->indexes().count(), limit, never));
  WalkUntil(limit, never);
  return status_;
}

// Length of the last frame of the segment that ends at `end`, or of the one before its seal. The
// reader stands behind that frame then.
std::uint32_t LogReader::LastLength(std::uint64_t segment, Address end) noexcept {
  const Position position = position_;
  StandAt(Address(segments_->geometry().FirstFrame(segment)), position);
  if (segment_ == nullptr && !EnterSegment()) return 0;
  std::uint32_t last = 0;
  while (address_ < end && At(address_)->kind != FrameKind::kSeal) {
    last = At(address_)->length;
    if (!IsFrameLength(last, segment_end_ - address_.value())) {
      Stop();
      return 0;
    }
    address_ = address_.Plus(last);
  }
  return last;
}

// Makes the length of the frame before known, in the segment before this one if need be.
//   returns   false: there is none
bool LogReader::FindPrevious() noexcept {
  const SegmentGeometry& geometry = segments_->geometry();
  std::uint64_t segment = geometry.IndexOf(address_.value());
  const bool is_at_start = address_.value() == geometry.FirstFrame(segment);
  if (is_at_start && segment == 0) return false;
  if (is_at_start) --segment;
  const std::optional<IndexedSegment> indexed = segments_->indexes().Find(segment);
  if (is_at_start && indexed.has_value()) {
    StandAt(indexed->seal, position_);
    if (segment_ == nullptr && !EnterSegment()) return false;
    previous_length_ = At(address_)->previous_length;
  } else {
    previous_length_ = LastLength(segment, address_);
  }
  return previous_length_ != 0;
}

const FrameHeader* LogReader::PreviousFrame() noexcept {
  while (status_.ok() && (previous_length_ != 0 || FindPrevious())) {
    const Address behind = address_;
    const SegmentGeometry& geometry = segments_->geometry();
    const std::uint64_t first = geometry.FirstFrame(geometry.IndexOf(behind.value() - 1));
    if (!IsFrameLength(previous_length_, behind.value() - first)) return Stop();
    address_ = Address(behind.value() - previous_length_);
    if (segment_ == nullptr || address_.value() < segment_start_ || behind.value() > segment_end_) {
      if (!EnterSegment()) return nullptr;
    }
    const FrameHeader& frame = *At(address_);
    if (segment_->is_damaged()) return StopDamaged();
    const bool is_before = frame.length == behind - address_ && frame.address == address_.value() &&
                           frame.first_position + frame.records == position_.value() + 1;
    if (!is_before || (!is_verified_ && !IsSound(frame))) return Stop();
    previous_length_ = frame.previous_length;
    position_ = Position(frame.first_position - 1);
    if (frame.kind == FrameKind::kData) return &frame;
  }
  return nullptr;
}

bool LogReader::IsSound(const FrameHeader& frame) const noexcept {
  const auto* const at = reinterpret_cast<const std::byte*>(&frame);
  const std::uint64_t offset = static_cast<std::uint64_t>(at - segment_->data());
  const SegmentView view{.bytes = {segment_->data(), segment_->size()},
                         .index = segments_->geometry().IndexOf(segment_start_),
                         .salt = salt_};
  return IsSoundFrame(view, segments_->geometry(), offset);
}

}  // namespace pawl::inline v0
