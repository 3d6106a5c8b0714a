#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "pawl/format.h"
#include "pawl/position.h"
#include "pawl/storage.h"
#include "segment_index.h"

namespace pawl::inline v0 {

// What is known of the segments that have an index: always the first ones, without a gap. Searches
// answer with a segment; what is behind them is found by walking.
//   threads   any; one short lock, held over the reading of one file by Load() only
class SegmentIndexes {
 public:
  SegmentIndexes(Storage* storage, std::string directory);
  SegmentIndexes(const SegmentIndexes&) = delete;
  SegmentIndexes& operator=(const SegmentIndexes&) = delete;

  // Open and the indexer: the next segment's.
  void Add(const SegmentHeader& segment, const IndexedSegment& indexed);

  // Segments 0…count − 1 have an index.
  std::uint64_t count() const;
  // What is known of segment `index`, if it has one.
  std::optional<IndexedSegment> Find(std::uint64_t index) const;
  // The segment that holds the position; count() if it is behind all of them.
  std::uint64_t SegmentOf(Position position) const;
  // The last segment whose first frame is older than that time; 0 if none is.
  std::uint64_t SegmentBefore(std::uint64_t time_ns) const;

  // The tables of segment `index` < count(). The newest few stay in memory.
  //   errors    DATA_LOSS damaged since; what reading says
  absl::StatusOr<std::shared_ptr<const SegmentIndex>> Load(std::uint64_t index);

 private:
  struct Row {
    SegmentHeader header;
    IndexedSegment indexed;
  };
  // Tables of 64 MiB of log take about 3 MB.
  static constexpr std::size_t kLoadedMax = 4;

  Storage* const storage_;
  const std::string directory_;

  mutable std::mutex mutex_;
  // Under mutex_.
  std::vector<Row> rows_;
  std::array<std::shared_ptr<const SegmentIndex>, kLoadedMax> loaded_;
  std::size_t next_loaded_ = 0;  // the oldest one, replaced next
};

}  // namespace pawl::inline v0
