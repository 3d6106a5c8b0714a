// Which streams with events a key was bound to.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <vector>

#include <absl/status/statusor.h>

#include "log_parts.h"
#include "pawl/log.h"

namespace pawl::inline v0 {
namespace {

struct WantedKey {
  std::uint16_t category;
  std::uint64_t key_high;
  std::uint64_t key_low;

  auto Order() const noexcept { return std::tuple(category, key_high, key_low); }
};

// A stream that the key was bound to.
struct BoundStream {
  std::uint32_t number;  // ascending
  bool has_events = false;
};

void TakeFrom(const SegmentIndex& index, const WantedKey& wanted,
              std::vector<BoundStream>& streams) {
  const auto order = [](const IndexKey& row) {
    return std::tuple(row.category, row.key_high, row.key_low);
  };
  const auto keys = index.keys();
  auto row = std::lower_bound(
      keys.begin(), keys.end(), wanted.Order(),
      [&order](const IndexKey& each, const auto& than) { return order(each) < than; });
  for (; row != keys.end() && order(*row) == wanted.Order(); ++row) {
    streams.push_back({row->stream});
  }
  for (BoundStream& stream : streams) {
    if (!stream.has_events) stream.has_events = !index.PostingsOf(stream.number).empty();
  }
}

void TakeFrom(const FrameHeader& frame, const WantedKey& wanted,
              std::vector<BoundStream>& streams) {
  ForEachRecord(frame, [&](const RecordView& record) {
    const RecordHeader& header = record.header;
    if (header.kind == RecordKind::kEvent) {
      const auto found = std::lower_bound(
          streams.begin(), streams.end(), header.stream,
          [](const BoundStream& each, std::uint32_t than) { return each.number < than; });
      if (found != streams.end() && found->number == header.stream) found->has_events = true;
    }
    StreamBound bound;
    if (header.kind != RecordKind::kStreamBound || header.payload_bytes() != sizeof bound) return;
    std::memcpy(&bound, record.payload(), sizeof bound);
    const WantedKey key{header.type, bound.key_high, bound.key_low};
    if (key.Order() == wanted.Order()) streams.push_back({header.stream});
  });
}

}  // namespace

absl::StatusOr<std::vector<std::uint32_t>> Log::FindStreams(std::uint16_t category,
                                                            std::uint64_t key_high,
                                                            std::uint64_t key_low) const {
  const WantedKey wanted{category, key_high, key_low};
  std::vector<BoundStream> streams;
  SegmentIndexes& indexes = parts_->segments->indexes();
  std::uint64_t segment = 0;
  for (; segment < indexes.count(); ++segment) {
    const auto index = indexes.Load(segment);
    if (!index.ok()) break;  // from there on as if there were none
    TakeFrom(**index, wanted, streams);
  }
  LogReader reader = NewReader();
  reader.StandAtStart(segment);
  const Address limit = published();
  while (const FrameHeader* const frame = reader.NextFrame(limit)) {
    TakeFrom(*frame, wanted, streams);
  }
  if (!reader.status().ok()) return reader.status();
  std::vector<std::uint32_t> numbers;
  for (const BoundStream& stream : streams) {
    if (stream.has_events) numbers.push_back(stream.number);
  }
  return numbers;
}

}  // namespace pawl::inline v0
