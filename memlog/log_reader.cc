#include "pawl/log_reader.h"

#include <cstring>
#include <string>

#include "readable_segments.h"

namespace pawl::inline v0 {

LogReader::LogReader(std::shared_ptr<ReadableSegments> segments, Address after, Position position)
    : segments_(std::move(segments)),
      address_(segments_->geometry().Normalised(after.value())),
      position_(position) {}

bool LogReader::EnterSegment() noexcept {
  if (!status_.ok()) return false;
  const SegmentGeometry& geometry = segments_->geometry();
  const std::uint64_t index = geometry.IndexOf(address_.value());
  absl::StatusOr<ReadableSegments::Entered> entered = segments_->Enter(index);
  if (!entered.ok()) {
    // Between two writers nothing is final.
    if (!absl::IsUnavailable(entered.status())) status_ = entered.status();
    segment_ = nullptr;
    return false;
  }
  segment_ = std::move(entered->memory);
  is_verified_ = entered->is_verified;
  if (!is_verified_) {
    SegmentHeader header;
    std::memcpy(&header, segment_->data(), sizeof header);
    salt_ = header.salt;
  }
  segment_start_ = geometry.Start(index);
  segment_end_ = geometry.End(index);
  return true;
}

const FrameHeader* LogReader::Stop() noexcept {
  const SegmentGeometry& geometry = segments_->geometry();
  const std::uint64_t index = geometry.IndexOf(address_.value());
  status_ = absl::DataLossError(
      "segment " + std::to_string(index) + ", offset " +
      std::to_string(address_.value() - segment_start_) + ": no frame with position " +
      std::to_string(position_.value() + 1) +
      " stands there, though it was published: the segment's file is damaged. Restore it from a "
      "backup, or run `pawl repair` into a new directory, which keeps what is before");
  // The next call looks for the segment again and finds the status.
  segment_ = nullptr;
  return nullptr;
}

const FrameHeader* LogReader::StopDamaged() noexcept {
  status_ = absl::DataLossError(
      "segment " + std::to_string(segments_->geometry().IndexOf(segment_start_)) +
      ": its file was cut short, or could not be read, while it was mapped; what was read behind "
      "address " +
      std::to_string(segment_start_) +
      " since may be wrong. Find out who changes the files of the log; restore the segment from a "
      "backup, or run `pawl repair` into a new directory, which keeps what is before");
  segment_ = nullptr;
  return nullptr;
}

// Another writer goes on in other memory: there, what was read last must stand where it stood. A
// frame's checksum covers that of the frame before, so then all before is the same.
//   returns   false: not now, or status() tells
bool LogReader::Rejoin() noexcept {
  const Address here = address_;
  const std::uint64_t generation = segments_->generation();
  if (last_frame_.value() != 0) address_ = last_frame_;
  if (!EnterSegment()) {
    address_ = here;
    return false;
  }
  const FrameHeader& last = *At(address_);
  const bool is_same = last_frame_.value() == 0 ||
                       (last.address == last_frame_.value() && last.checksum == last_checksum_ &&
                        last.length != 0 && IsSound(last));
  address_ = here;
  if (!is_same) {
    segment_ = nullptr;
    status_ = absl::AbortedError(
        "the log was cut before address " + std::to_string(here.value()) +
        ", up to which position " + std::to_string(position_.value()) +
        " was read: a power cut or an operator took records that were published. Read again from "
        "a checkpoint that is still in the log, or from the start");
    return false;
  }
  generation_ = generation;
  if (here.value() < segment_start_ || here.value() >= segment_end_) return EnterSegment();
  return true;
}

// From a frame without commits, or from behind a seal, to the next frame with commits. Where frames
// are checked, every frame comes this way.
const FrameHeader* LogReader::SkipToData(Address limit) noexcept {
  const SegmentGeometry& geometry = segments_->geometry();
  while (address_ < limit) {
    if (generation_ != segments_->generation() && !Rejoin()) return nullptr;
    if (address_.value() >= segment_end_ && !EnterSegment()) return nullptr;
    const FrameHeader& frame = *At(address_);
    const bool is_sound = is_verified_ || frame.length == 0 || IsSound(frame);
    // Behind the reading of what is judged.
    if (segment_->is_damaged()) return StopDamaged();
    if (!is_sound) return Stop();
    if (!is_verified_ && frame.length != 0) {
      last_frame_ = address_;
      last_checksum_ = frame.checksum;
    }
    if (frame.kind == FrameKind::kData) return Step(frame);
    // Below the limit every frame is whole, so zeros mean that the seal is behind us.
    const bool is_over = frame.length == 0 || frame.kind == FrameKind::kSeal;
    if (is_over) {
      address_ = Address(geometry.FirstFrame(geometry.IndexOf(address_.value()) + 1));
      previous_length_ = 0;
    } else {
      if (frame.address != address_.value() || frame.length < sizeof(FrameHeader)) return Stop();
      address_ = address_.Plus(frame.length);
      previous_length_ = frame.length;
    }
  }
  return nullptr;
}

}  // namespace pawl::inline v0
