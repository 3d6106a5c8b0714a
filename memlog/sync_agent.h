#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <absl/status/status.h>

#include "evidence.h"
#include "health_board.h"
#include "pawl/doorbell.h"
#include "pawl/hot_marks.h"
#include "pawl/position.h"
#include "pawl/storage.h"
#include "reader_slots.h"
#include "segment_set.h"

namespace pawl::inline v0 {

// Writes behind what is published and moves the durable mark: group commit behind the images.
//
// A round writes whole blocks from the durable mark up to a frame's end, at most kRoundBytes of
// one segment. The block that holds the end is written with zeros behind it and written again by
// the next round. With nothing to write behind, zeros go into blocks ahead that nobody wrote yet: a
// block's first write costs half as much again. After the first failed write, its own or the
// preparer's, nothing more is written.
//   threads   one at a time
//
// Memory ordering: `published` is loaded with acquire, so the frames below are whole; the durable
// mark is stored with release after the write returned. `is_warm_`: relaxed, both ends, a hint that
// orders nothing.
class SyncAgent {
 public:
  struct Start {
    Storage* storage = nullptr;
    HotMarks* marks = nullptr;
    const Mapping* marks_memory = nullptr;
    SegmentSet* segments = nullptr;
    Evidence* evidence = nullptr;
    HealthBoard* health = nullptr;
    ReaderBoard* readers = nullptr;
    Doorbell* prepare_bell = nullptr;  // rung when an image was retired
    Epoch epoch;
    Address durable;
  };

  explicit SyncAgent(const Start& start);
  SyncAgent(const SyncAgent&) = delete;
  SyncAgent& operator=(const SyncAgent&) = delete;

  // Returns the work done, 0 if there is none.
  int DoWork() noexcept;
  bool HasWork() const noexcept;
  // Time until the evidence wants to be written; −1: never.
  std::int64_t delay_ns() const noexcept;
  // Evidence of all that is durable: as the last act of Open(), and of a clean stop.
  absl::Status WriteEvidenceNow(bool is_closed);
  // True if the segment's blocks were all written once.
  //   threads   any
  bool is_warm() const noexcept {
    // Relaxed: a hint.
    return is_warm_.load(std::memory_order_relaxed);
  }

 private:
  // One round: large enough that its flush does not count beside its bytes (the bank scenario is 5
  // % faster than with 1 MB), small enough that under full load an acknowledgement waits for 3 ms
  // of others' bytes.
  static constexpr std::uint64_t kRoundBytes = 1000 * kBlockBytes;
  // The log counts as idle after this time without a sync; then evidence costs nobody anything.
  static constexpr std::uint64_t kIdleNs = 10'000'000;
  // Zeros of one step: who comes meanwhile waits for some 0.3 ms.
  static constexpr std::uint64_t kZeroBytes = std::uint64_t{256} << 10;

  std::uint64_t RoundEnd(std::uint64_t published) const noexcept;
  const FrameHeader* FrameAt(std::uint64_t address) const noexcept;
  bool WriteUpTo(std::uint64_t end) noexcept;
  bool WantsZeros() const noexcept { return written_ < geometry_.segment_bytes; }
  bool WriteZeros() noexcept;
  void SetWritten(std::uint64_t bytes) noexcept;
  bool LeaveSegment() noexcept;
  void EnterSegment(std::uint64_t index) noexcept;
  bool Accept(const absl::Status& status) noexcept;
  absl::Status MemoryIsThere() const;
  std::uint64_t Published() const noexcept;
  bool HasFailed() const noexcept { return health_->health() == LogHealth::kFailed; }

  Storage* const storage_;
  HotMarks* const marks_;
  const Mapping* const marks_memory_;
  SegmentSet* const segments_;
  Evidence* const evidence_;
  HealthBoard* const health_;
  ReaderBoard* const readers_;
  Doorbell* const prepare_bell_;
  const Epoch epoch_;
  const SegmentGeometry geometry_;

  std::uint64_t index_ = 0;  // segment being written
  std::uint64_t from_;       // where the next round starts
  SegmentSet::SyncTarget target_;
  std::uint64_t written_ = 0;  // bytes of the segment's file that were written once
  std::atomic<bool> is_warm_{false};
  std::uint64_t idle_since_ns_;
  alignas(kBlockBytes) std::byte bounce_[kBlockBytes];  // the block that holds a round's end
};

}  // namespace pawl::inline v0
