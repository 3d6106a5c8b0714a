#include "pawl/stream_reader.h"

#include <string>
#include <utility>

#include "readable_segments.h"

namespace pawl::inline v0 {
namespace {

LogReader ReaderOfAll(const std::shared_ptr<ReadableSegments>& segments) {
  return LogReader(segments, Address(segments->geometry().FirstFrame(0)), Position());
}

absl::Status ContradictedIndex(std::uint64_t segment) {
  return absl::DataLossError("the index of segment " + std::to_string(segment) +
                             " tells of an event that is not there: remove the index");
}

}  // namespace

StreamReader::StreamReader(std::shared_ptr<ReadableSegments> segments, std::uint32_t stream)
    : segments_(std::move(segments)),
      stream_(stream),
      scout_(ReaderOfAll(segments_)),
      reader_(ReaderOfAll(segments_)) {
  EnterSegment(0);
}

// Before the segment's first event.
void StreamReader::EnterSegment(std::uint64_t segment) {
  segment_ = segment;
  places_.clear();
  next_ = 0;
  is_complete_ = ReadIndex();
  if (!is_complete_) scout_.StandAtStart(segment);
}

// False: the segment has no index, or none that can be read; it is walked over.
bool StreamReader::ReadIndex() {
  SegmentIndexes& indexes = segments_->indexes();
  if (segment_ >= indexes.count()) return false;
  const auto index = indexes.Load(segment_);
  if (!index.ok()) return false;
  for (const IndexPosting posting : (*index)->PostingsOf(stream_)) {
    places_.push_back({(*index)->first_position().Plus(posting), Address()});
  }
  return true;
}

// Walks on to the end of the segment or of what is published.
void StreamReader::Gather(Address limit) {
  const SegmentGeometry& geometry = segments_->geometry();
  while (const FrameHeader* const frame = scout_.NextFrame(limit)) {
    if (frame->address >= geometry.End(segment_)) {
      is_complete_ = true;
      return;
    }
    ForEachRecord(*frame, [&](const RecordView& record) {
      if (record.header.stream != stream_ || record.header.kind != RecordKind::kEvent) return;
      places_.push_back({record.position, Address(frame->address)});
    });
  }
  if (!scout_.status().ok()) status_ = scout_.status();
  // Behind the seal, though nothing is in the next segment yet.
  is_complete_ = scout_.address().value() >= geometry.End(segment_);
}

const RecordView* StreamReader::Fetch(const Place& place) {
  const auto holds = [&](const FrameHeader& frame) {
    return frame.first_position <= place.position.value() &&
           place.position.value() < frame.first_position + frame.records;
  };
  if (frame_ == nullptr || !holds(*frame_)) {
    // Everything looked for was published when it was found.
    const Address end(segments_->geometry().End(segment_));
    if (place.frame.value() != 0)
      reader_.StandBefore(place.frame);
    else
      status_ = reader_.Seek(place.position, end);
    frame_ = status_.ok() ? reader_.NextFrame(end) : nullptr;
    if (frame_ == nullptr || !holds(*frame_)) {
      if (status_.ok()) status_ = reader_.status();
      if (status_.ok()) status_ = ContradictedIndex(segment_);
      return nullptr;
    }
  }
  event_.reset();
  ForEachRecord(*frame_, [&](const RecordView& record) {
    const bool is_ours =
        record.header.stream == stream_ && record.header.kind == RecordKind::kEvent;
    if (record.position == place.position && is_ours) event_.emplace(record);
  });
  if (reader_.IsIntact() && event_.has_value()) return &*event_;
  status_ = reader_.status().ok() ? ContradictedIndex(segment_) : reader_.status();
  return nullptr;
}

const RecordView* StreamReader::NextEvent(Address limit) {
  while (status_.ok()) {
    if (next_ < places_.size()) {
      const RecordView* const event = Fetch(places_[next_]);
      // An index knows more than an old mark.
      if (event == nullptr || frame_->address + frame_->length > limit.value()) return nullptr;
      ++next_;
      return event;
    }
    if (is_complete_) {
      // The next segment may have nothing that is published, or not be there at all.
      if (segments_->geometry().FirstFrame(segment_ + 1) >= limit.value()) return nullptr;
      EnterSegment(segment_ + 1);
      continue;
    }
    Gather(limit);
    if (next_ == places_.size() && !is_complete_) return nullptr;
  }
  return nullptr;
}

// Of the event before the first one here; segment_ if there is none.
std::uint64_t StreamReader::SegmentOfPrevious() {
  if (segment_ == 0) return segment_;
  if (places_.empty()) return segment_ - 1;
  const RecordView* const first = Fetch(places_.front());
  if (first == nullptr || first->header.back_link == 0) return segment_;
  const SegmentIndexes& indexes = segments_->indexes();
  const std::uint64_t segment = indexes.SegmentOf(Position(first->header.back_link));
  return segment < indexes.count() && segment < segment_ ? segment : segment_ - 1;
}

// Behind the last event of the segment that may hold the one before those here.
//   returns   false: there is none, or status() is not Ok
bool StreamReader::EnterPrevious() {
  const std::uint64_t segment = SegmentOfPrevious();
  if (segment == segment_ || !status_.ok()) return false;
  EnterSegment(segment);
  if (!is_complete_) Gather(Address(segments_->geometry().End(segment)));
  next_ = places_.size();
  return status_.ok();
}

const RecordView* StreamReader::PreviousEvent() {
  while (status_.ok()) {
    if (next_ > 0) return Fetch(places_[--next_]);
    if (!EnterPrevious()) return nullptr;
  }
  return nullptr;
}

absl::Status StreamReader::Seek(Version version, Address limit) {
  if (version == Version()) return absl::InvalidArgumentError("versions begin with 1");
  if (absl::Status sought = SeekEnd(limit); !sought.ok()) return sought;
  // Versions are dense: the first one of a segment tells all of them.
  std::uint64_t first = 1;
  while (next_ > 0 || EnterPrevious()) {
    if (next_ == 0) continue;
    const RecordView* const event = Fetch(places_.front());
    if (event == nullptr) return status_;
    first = event->header.version();
    if (first <= version.value()) break;
    next_ = 0;
  }
  if (!status_.ok()) return status_;
  const std::uint64_t wanted = version.value() - first;
  if (version.value() >= first && wanted <= next_) {
    next_ = wanted;
    return absl::OkStatus();
  }
  return absl::OutOfRangeError("stream " + std::to_string(stream_) + " ends at version " +
                               std::to_string(first + next_ - 1) + ", before " +
                               std::to_string(version.value()));
}

absl::Status StreamReader::SeekEnd(Address limit) {
  if (!status_.ok()) return status_;
  const SegmentGeometry& geometry = segments_->geometry();
  std::uint64_t segment = geometry.IndexOf(limit.value() - 1);
  // Nothing is in a segment that has its header only.
  if (segment > 0 && geometry.FirstFrame(segment) >= limit.value()) --segment;
  EnterSegment(segment);
  if (!is_complete_) Gather(limit);
  next_ = places_.size();
  // An index knows more than an old mark.
  while (next_ > 0 && Fetch(places_[next_ - 1]) != nullptr &&
         frame_->address + frame_->length > limit.value()) {
    --next_;
  }
  return status_;
}

}  // namespace pawl::inline v0
