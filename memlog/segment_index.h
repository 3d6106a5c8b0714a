#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "frame_scan.h"
#include "index_format.h"
#include "pawl/position.h"
#include "pawl/storage.h"
#include "segment_geometry.h"

namespace pawl::inline v0 {

// What an index says of its segment at first sight: enough to go on behind it, or to find it.
struct IndexedSegment {
  Position first_position;
  std::uint64_t records = 0;
  std::uint64_t first_time_ns = 0;
  Address seal;    // where the seal is
  ScanCursor end;  // behind it; `frames` are those of this segment
  ContentHash content_hash{};
  ContentHash chain_hash{};

  // True if its segment comes right behind the one that ends at `before`, whose chain hash is
  // `chain_before` (zeros before the first).
  bool Follows(const ScanCursor& before, const ContentHash& chain_before) const noexcept;
  // Where a scan goes on behind it. It was durable to its end before it was indexed.
  ScanCursor EndCursor() const noexcept;

  Position last_position() const noexcept { return Position(first_position.value() + records - 1); }
};

// The index of a segment, read and checked: all that its tables say is in range.
//   threads   any; constant
class SegmentIndex {
 public:
  // What its first block says.
  static IndexedSegment Summarise(const SegmentIndexHeader& header) noexcept;
  // Reads that block only.
  //   errors    NOT_FOUND there is no such file; DATA_LOSS it is damaged, or of another segment
  static absl::StatusOr<IndexedSegment> ReadHeader(Storage& storage, const std::string& directory,
                                                   const SegmentHeader& segment);
  //   errors    as above
  static absl::StatusOr<std::unique_ptr<const SegmentIndex>> Read(Storage& storage,
                                                                  const std::string& directory,
                                                                  const SegmentHeader& segment);
  // Of bytes that IndexBuilder made or a file holds.
  static absl::StatusOr<std::unique_ptr<const SegmentIndex>> Parse(std::vector<std::byte> bytes,
                                                                   const std::string& path,
                                                                   const SegmentHeader& segment);

  const SegmentIndexHeader& header() const noexcept { return header_; }
  Position first_position() const noexcept { return Position(header_.first_position); }

  // The last place whose frame begins at or before the position, or time: what is looked for is in
  // that frame or behind it.
  const IndexPlace& PlaceOf(Position position) const noexcept;
  // The last place before the first frame of that time or later, or the first place.
  const IndexPlace& PlaceBefore(std::uint64_t time_ns) const noexcept;

  std::span<const IndexType> types() const noexcept { return types_; }
  std::span<const IndexStream> streams() const noexcept { return streams_; }
  std::span<const IndexKey> keys() const noexcept { return keys_; }
  // Events of a stream; empty if it has none here.
  std::span<const IndexPosting> PostingsOf(std::uint32_t stream) const noexcept;

 private:
  SegmentIndex() = default;
  template <class Row>
  std::span<const Row> Take(std::size_t& offset, std::uint32_t count) const noexcept;
  bool IsSane() const noexcept;

  SegmentIndexHeader header_{};
  std::vector<std::byte> bytes_;
  std::span<const IndexPlace> places_;
  std::span<const IndexType> types_;
  std::span<const IndexStream> streams_;
  std::span<const IndexKey> keys_;
  std::span<const IndexPosting> postings_;
};

}  // namespace pawl::inline v0
