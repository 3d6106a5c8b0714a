#include "pawl/filtered_reader.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "readable_segments.h"
#include "segment_index.h"

namespace pawl::inline v0 {
namespace {

bool Names(const std::vector<std::uint16_t>& list, std::uint16_t number) noexcept {
  return list.empty() || std::find(list.begin(), list.end(), number) != list.end();
}

}  // namespace

FilteredReader::FilteredReader(std::shared_ptr<ReadableSegments> segments, RecordFilter filter)
    : segments_(std::move(segments)),
      filter_(std::move(filter)),
      reader_(segments_, Address(segments_->geometry().FirstFrame(0)), Position()),
      streams_(1) {}

void FilteredReader::StartAt(Position first) {
  before_first_ = first == Position() ? first : Position(first.value() - 1);
  wanted_.clear();
  next_ = 0;
  if (!status().ok()) return;
  reader_.StandAtStart(0);
  look_at_ = reader_.address();
}

bool FilteredReader::IsWantedType(std::uint16_t type) const noexcept {
  return Names(filter_.types, type);
}

bool FilteredReader::IsWantedStream(std::uint32_t stream) const noexcept {
  return Names(filter_.categories, StreamOf(stream).category);
}

// Whether the segment may have a wanted event. A type and a category that are both there need not
// meet in one event.
bool FilteredReader::MayHold(const SegmentIndex& index) const noexcept {
  const auto is_wanted_type = [this](const IndexType& row) {
    return row.kind == RecordKind::kEvent && IsWantedType(row.type);
  };
  const auto is_wanted_stream = [this](const IndexStream& row) {
    return IsWantedStream(row.stream);
  };
  const auto types = index.types();
  const auto streams = index.streams();
  return std::any_of(types.begin(), types.end(), is_wanted_type) &&
         (filter_.categories.empty() ||
          std::any_of(streams.begin(), streams.end(), is_wanted_stream));
}

// The streams bound in a segment.
//   returns   false: their numbers do not follow those known; nothing was learnt
bool FilteredReader::Learn(const SegmentIndex& index) {
  std::size_t count = streams_.size();
  const std::size_t count_max = count + index.keys().size();
  for (const IndexKey& key : index.keys()) {
    if (key.stream == 0 || key.stream >= count_max) return false;
    count = std::max<std::size_t>(count, key.stream + 1ULL);
  }
  streams_.resize(count);
  for (const IndexKey& key : index.keys()) {
    streams_[key.stream] = {key.key_high, key.key_low, key.category};
  }
  return true;
}

void FilteredReader::Learn(const RecordView& bound) {
  const std::uint32_t number = bound.header.stream;
  StreamBound key;
  if (number == 0 || number > streams_.size() || bound.header.payload_bytes() != sizeof key) {
    status_ = absl::DataLossError("position " + std::to_string(bound.position.value()) +
                                  ": stream record out of order, or of a wrong size");
    return;
  }
  std::memcpy(&key, bound.payload(), sizeof key);
  if (number == streams_.size()) streams_.emplace_back();
  streams_[number] = {key.key_high, key.key_low, bound.header.type};
}

// Whether nothing in an indexed segment, which ends with record `last`, is wanted. Its streams are
// learnt then. A damaged index says nothing: the segment is read.
bool FilteredReader::CanPass(std::uint64_t segment, Position last) {
  const auto index = segments_->indexes().Load(segment);
  return index.ok() && Learn(**index) && (last <= before_first_ || !MayHold(**index));
}

// Before a segment that is sealed below the limit: past it, without a look at its bytes, if it has
// nothing that is wanted. Behind the last frame of one: to the next.
void FilteredReader::PassSegments(Address limit) {
  const SegmentGeometry& geometry = segments_->geometry();
  while (reader_.address() >= look_at_ && reader_.address() < limit) {
    const std::uint64_t address = reader_.address().value();
    const std::uint64_t segment = geometry.IndexOf(address);
    const std::optional<IndexedSegment> indexed = segments_->indexes().Find(segment);
    look_at_ = indexed.has_value() ? indexed->seal : Address(geometry.End(segment));
    if (!indexed.has_value()) return;
    const bool is_whole = address == geometry.FirstFrame(segment) && indexed->seal <= limit;
    const bool is_over = address >= indexed->seal.value();
    if (!is_over && !(is_whole && CanPass(segment, indexed->last_position()))) return;
    reader_.StandAtStart(segment + 1);
    look_at_ = reader_.address();
  }
}

void FilteredReader::Collect(const FrameHeader& frame) {
  wanted_.clear();
  next_ = 0;
  ForEachRecord(frame, [this](const RecordView& record) {
    if (record.header.kind == RecordKind::kStreamBound) return Learn(record);
    const bool is_wanted = record.header.kind == RecordKind::kEvent &&
                           record.position > before_first_ && IsWantedType(record.header.type) &&
                           IsWantedStream(record.header.stream);
    if (is_wanted) wanted_.push_back(record);
  });
  if (!status_.ok() || !reader_.IsIntact()) wanted_.clear();
}

const RecordView* FilteredReader::NextEvent(Address limit) {
  while (next_ == wanted_.size()) {
    if (!status().ok()) return nullptr;
    PassSegments(limit);
    const FrameHeader* const frame = reader_.NextFrame(limit);
    if (frame == nullptr) return nullptr;
    Collect(*frame);
  }
  return &wanted_[next_++];
}

}  // namespace pawl::inline v0
