#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "content_hash.h"
#include "frame_scan.h"
#include "index_format.h"
#include "pawl/format.h"
#include "pawl/log_reader.h"

namespace pawl::inline v0 {

// Makes the index of a segment from its frames, in order.
//   threads   one at a time
class IndexBuilder {
 public:
  // `start` stands where the segment's first frame begins; `chain_before` is the chain hash of the
  // segment before, zeros for the first.
  IndexBuilder(const SegmentHeader& segment, const ScanCursor& start,
               const ContentHash& chain_before);

  // A frame that was checked, the seal included.
  void Add(const FrameHeader& frame);

  // After the seal. `end` stands behind it.
  //   returns   the bytes of the index
  std::vector<std::byte> Finish(const ScanCursor& end);

 private:
  struct Posting {
    std::uint32_t stream;
    IndexPosting position;
  };

  void AddRecord(const RecordView& record);
  void AddPlace(const FrameHeader& frame);
  void AddStreams();

  SegmentIndexHeader header_{};
  ContentHash chain_before_;
  ContentHasher hasher_;
  std::uint64_t next_place_;  // address from which on the next frame becomes a place
  std::vector<IndexPlace> places_;
  std::map<std::pair<RecordKind, std::uint16_t>, std::uint32_t> types_;  // records of each
  std::vector<IndexKey> keys_;
  std::vector<Posting> events_;
  std::vector<IndexStream> streams_;
  std::vector<IndexPosting> postings_;
};

}  // namespace pawl::inline v0
