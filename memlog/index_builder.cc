#include "index_builder.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <tuple>
#include <utility>

#include "frame_checksum.h"

namespace pawl::inline v0 {
namespace {

// A search walks at most this far, or over one frame.
constexpr std::uint64_t kPlaceBytes = 4096;

// Fills the bytes of an index from front to back.
class RowWriter {
 public:
  explicit RowWriter(std::size_t bytes) : bytes_(bytes) {}

  template <class Row>
  void Put(const Row& row) noexcept {
    std::memcpy(bytes_.data() + size_, &row, sizeof row);
    size_ += sizeof row;
  }
  template <class Row>
  void PutAll(const std::vector<Row>& rows) noexcept {
    if (rows.empty()) return;
    std::memcpy(bytes_.data() + size_, rows.data(), rows.size() * sizeof(Row));
    size_ += rows.size() * sizeof(Row);
  }
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
  std::size_t size_ = 0;
};

}  // namespace

IndexBuilder::IndexBuilder(const SegmentHeader& segment, const ScanCursor& start,
                           const ContentHash& chain_before)
    : chain_before_(chain_before), next_place_(start.next.value()) {
  header_.magic = kIndexMagic;
  header_.format_version = kFormatVersion;
  header_.salt = segment.salt;
  header_.log_id = segment.log_id;
  header_.index = segment.index;
  header_.segment_bytes = segment.segment_bytes;
  header_.first_position = start.position.value() + 1;
}

void IndexBuilder::Add(const FrameHeader& frame) {
  if (header_.frames == 0) header_.first_time_ns = frame.time_ns;
  ++header_.frames;
  header_.commits += frame.commits;
  header_.records += frame.records;
  hasher_.Add({reinterpret_cast<const std::byte*>(&frame), frame.length});
  AddPlace(frame);
  ForEachRecord(frame, [this](const RecordView& record) { AddRecord(record); });
  header_.end_address = frame.address + frame.length;
}

void IndexBuilder::AddPlace(const FrameHeader& frame) {
  if (frame.address < next_place_) return;
  const std::uint64_t offset = frame.address % header_.segment_bytes;
  places_.push_back(
      {.time_ns = frame.time_ns,
       .position = static_cast<std::uint32_t>(frame.first_position - header_.first_position),
       .offset64 = static_cast<std::uint32_t>(offset / kFrameAlignBytes)});
  next_place_ = frame.address - frame.address % kPlaceBytes + kPlaceBytes;
}

void IndexBuilder::AddRecord(const RecordView& record) {
  const RecordHeader& header = record.header;
  ++types_[{header.kind, header.type}];
  if (header.kind == RecordKind::kEvent && header.stream != 0) {
    const std::uint64_t position = record.position.value() - header_.first_position;
    events_.push_back({header.stream, static_cast<IndexPosting>(position)});
  }
  if (header.kind == RecordKind::kStreamBound && header.payload_bytes() == sizeof(StreamBound)) {
    StreamBound bound;
    std::memcpy(&bound, record.payload(), sizeof bound);
    keys_.push_back({.key_high = bound.key_high,
                     .key_low = bound.key_low,
                     .stream = header.stream,
                     .category = header.type,
                     .reserved = 0});
  }
}

// Positions ascend already; the order of streams is all that is missing.
void IndexBuilder::AddStreams() {
  std::stable_sort(events_.begin(), events_.end(),
                   [](const Posting& a, const Posting& b) { return a.stream < b.stream; });
  postings_.reserve(events_.size());
  for (const Posting& event : events_) {
    if (streams_.empty() || streams_.back().stream != event.stream) {
      streams_.push_back(
          {.stream = event.stream, .first_posting = static_cast<std::uint32_t>(postings_.size())});
    }
    postings_.push_back(event.position);
  }
}

std::vector<std::byte> IndexBuilder::Finish(const ScanCursor& end) {
  AddStreams();
  std::sort(keys_.begin(), keys_.end(), [](const IndexKey& a, const IndexKey& b) {
    return std::tuple(a.category, a.key_high, a.key_low, a.stream) <
           std::tuple(b.category, b.key_high, b.key_low, b.stream);
  });
  header_.last_time_ns = end.time_ns;
  header_.durable_address = end.evidence.value();
  header_.epoch = end.epoch.value();
  header_.seal_checksum = end.previous_checksum;
  header_.content_hash = hasher_.Finish();
  header_.chain_hash = ChainHash(chain_before_, header_.content_hash);
  header_.places = static_cast<std::uint32_t>(places_.size());
  header_.types = static_cast<std::uint32_t>(types_.size());
  header_.streams = static_cast<std::uint32_t>(streams_.size());
  header_.keys = static_cast<std::uint32_t>(keys_.size());
  header_.postings = static_cast<std::uint32_t>(postings_.size());

  RowWriter writer(IndexBytes(header_));
  writer.Put(header_);
  writer.PutAll(places_);
  for (const auto& [type, records] : types_) {
    writer.Put(
        IndexType{.type = type.second, .kind = type.first, .reserved = 0, .records = records});
  }
  writer.PutAll(streams_);
  writer.PutAll(keys_);
  writer.PutAll(postings_);
  std::vector<std::byte> bytes = writer.Take();
  const auto body = std::span<const std::byte>(bytes).subspan(sizeof header_);
  header_.body_checksum = Crc32c(0, body.data(), body.size());
  header_.checksum = BlockChecksum(header_);
  std::memcpy(bytes.data(), &header_, sizeof header_);
  return bytes;
}

}  // namespace pawl::inline v0
