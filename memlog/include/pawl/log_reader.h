#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <absl/status/status.h>

#include "pawl/format.h"
#include "pawl/position.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {

class ReadableSegments;

// Walks the log frame by frame, forward and backward, in place. It stands between two frames. Zero
// copy: frames stay valid until the next call that moves the reader, or while a Mapping from Hold()
// is kept. Of a Log, or of an AttachedLog that another process writes.
//
// NextFrame() is wait-free within a segment. At a segment's end it takes a short lock shared with
// the preparer and the sync agent (never with the loop) and may map a file. Frames of a segment
// that nobody checked since the log was opened are checked before they are handed out.
//   threads   one at a time; any number of readers
//
// Memory ordering: the caller loads `limit` from Log::published() or Log::durable() (acquire);
// every frame below it is then whole and never changes.
class LogReader {
 public:
  // Starts behind `after` = the end of a frame, whose last record has position `position`.
  LogReader(std::shared_ptr<ReadableSegments> segments, Address after, Position position);

  LogReader(LogReader&&) noexcept = default;
  LogReader& operator=(LogReader&&) noexcept = default;

  // The next frame with commits that ends at or below `limit`, or nullptr if there is none yet, or
  // if status() is not Ok.
  const FrameHeader* NextFrame(Address limit) noexcept {
    if (address_ >= limit) return nullptr;
    if (segment_ == nullptr || address_.value() >= segment_end_) {
      if (!IsIntact() || !EnterSegment()) return nullptr;
    }
    const FrameHeader* frame = At(address_);
    if (frame->kind == FrameKind::kData && is_verified_ && !segment_->is_damaged()) [[likely]]
      return Step(*frame);
    return SkipToData(limit);
  }

  // False if the memory of the frame returned last was taken away while it was read (only with
  // InstallFaultGuard(), else the process is gone): what was read of it may be zeros. status()
  // tells. Ask after the last use of a frame, before acting on it.
  bool IsIntact() noexcept {
    if (segment_ == nullptr || !segment_->is_damaged()) [[likely]]
      return true;
    StopDamaged();
    return false;
  }

  // The frame with commits before this place, or nullptr at the start of the log or if status() is
  // not Ok. The reader then stands before it: NextFrame() would return it again.
  const FrameHeader* PreviousFrame() noexcept;

  // Moves so that NextFrame(limit) returns the frame that holds record `position`; right behind the
  // last record that is there, so that it will return what comes next.
  //   returns   OUT_OF_RANGE further on than that; DATA_LOSS as status(). The reader then stands
  //             where its search ended
  //   cost      an index of about 5 % of the log finds it in sealed segments; the newest segments
  //   are
  //             walked over, frame by frame
  absl::Status Seek(Position position, Address limit);
  // Moves before the first frame whose engine time is `time_ns` or later, or to the end.
  absl::Status SeekTime(std::uint64_t time_ns, Address limit);
  // Moves behind the last frame below `limit`, to read backward from there.
  absl::Status SeekEnd(Address limit);

  // Moves before a frame that a reader returned before; the caller keeps its address.
  void StandBefore(Address frame) noexcept;
  // Moves before the first frame of a segment whose first frame is published, or which comes next.
  void StandAtStart(std::uint64_t segment) noexcept;

  // Where the reader stands: the end of the frame before.
  Address address() const noexcept { return address_; }
  // Position of the last record before.
  Position position() const noexcept { return position_; }
  // DATA_LOSS no frame that follows stands at address(), or a segment is missing; ABORTED frames
  // that were read are not in the log any more (AttachedLog); UNKNOWN mapping a file failed. Final.
  const absl::Status& status() const noexcept { return status_; }
  // Keeps the current segment's memory alive beyond this reader's next move.
  std::shared_ptr<const Mapping> Hold() const noexcept { return segment_; }

 private:
  const FrameHeader* At(Address address) const noexcept {
    return reinterpret_cast<const FrameHeader*>(segment_->data() +
                                                (address.value() - segment_start_));
  }
  const FrameHeader* Step(const FrameHeader& frame) noexcept {
    // Readers move by +1: a frame begins where the one before ended.
    if (frame.address != address_.value() || frame.first_position != position_.value() + 1 ||
        frame.length < sizeof(FrameHeader) || frame.length > segment_end_ - address_.value())
        [[unlikely]] {
      return Stop();
    }
    position_ = Position(position_.value() + frame.records);
    address_ = address_.Plus(frame.length);
    previous_length_ = frame.length;
    return &frame;
  }
  // The bytes at address() are no frame that follows: nothing more is read.
  const FrameHeader* Stop() noexcept;
  // The segment's memory was taken away.
  const FrameHeader* StopDamaged() noexcept;
  bool EnterSegment() noexcept;
  bool Rejoin() noexcept;
  const FrameHeader* SkipToData(Address limit) noexcept;
  bool IsSound(const FrameHeader& frame) const noexcept;
  void StandAt(Address address, Position position) noexcept;
  template <class Choose>
  void StandInIndexed(std::uint64_t segment, Choose choose);
  const FrameHeader* FirstFrameOf(std::uint64_t segment, Address limit) noexcept;
  template <class IsBehind>
  std::uint64_t LastSegmentWith(std::uint64_t segment, Address limit, IsBehind is_behind) noexcept;
  bool FindPrevious() noexcept;
  std::uint32_t LastLength(std::uint64_t segment, Address end) noexcept;
  template <class IsReached>
  bool WalkUntil(Address limit, IsReached is_reached) noexcept;

  std::shared_ptr<ReadableSegments> segments_;
  std::shared_ptr<const Mapping> segment_;
  std::uint64_t segment_start_ = 0;  // address of the segment's first byte
  std::uint64_t segment_end_ = 0;    // address behind its last byte
  std::uint32_t salt_ = 0;           // of the segment
  bool is_verified_ = true;          // the segment's frames need not be checked
  std::uint64_t generation_ = 0;     // of the segments when segment_ was entered
  // Of the frame handed out last, where frames are checked: what another writer must go on behind.
  std::uint32_t last_checksum_ = 0;
  Address last_frame_;                 // 0 = none
  std::uint32_t previous_length_ = 0;  // of the frame before address() in this segment, or 0
  Address address_;
  Position position_;
  absl::Status status_;
};

inline const std::byte* PayloadOf(const RecordHeader& record) noexcept {
  return reinterpret_cast<const std::byte*>(&record + 1);
}

// A record in place.
struct RecordView {
  const FrameHeader& frame;
  const CommitHeader& commit;
  const RecordHeader& header;
  Position position;

  const std::byte* payload() const noexcept { return PayloadOf(header); }
};

// How far ForEachRecord() looks ahead: about 25 commits of a 64-byte event, the time that some
// lines take from a far core.
inline constexpr std::size_t kPrefetchBytes = 2560;

// Calls on_record(RecordView) for every record of a frame that was validated before (published, or
// checked by recovery), in order.
template <class OnRecord>
void ForEachRecord(const FrameHeader& frame, OnRecord&& on_record) noexcept {
  const std::byte* at = reinterpret_cast<const std::byte*>(&frame + 1);
  std::uint64_t position = frame.first_position;
  for (std::uint32_t left = frame.commits; left != 0; --left) {
    // The lines ahead may still be in the writer's cache, further away than hardware prefetches.
    __builtin_prefetch(at + kPrefetchBytes);
    __builtin_prefetch(at + kPrefetchBytes + 64);
    const CommitHeader& commit = *reinterpret_cast<const CommitHeader*>(at);
    // Zeros, here and below: the frame's memory was taken away meanwhile (LogReader::IsIntact()).
    if (commit.bytes == 0) [[unlikely]]
      return;
    const std::byte* const end = at + commit.bytes;
    at += sizeof(CommitHeader);
    for (bool more = (commit.flags & kCommitHasExtensions) != 0; more;) {
      const ExtensionHeader& block = *reinterpret_cast<const ExtensionHeader*>(at);
      more = block.more != 0;
      if (block.bytes == 0) [[unlikely]]
        return;
      at += block.bytes;
    }
    for (; at < end; ++position) {
      const RecordHeader& header = *reinterpret_cast<const RecordHeader*>(at);
      const std::size_t bytes = header.units * std::size_t{kRecordAlignBytes};
      if (bytes == 0) [[unlikely]]
        return;
      on_record(RecordView{frame, commit, header, Position(position)});
      at += bytes;
    }
    // There already, but by a way that waits for each record's header: the next commit need not
    // (measured: a fourteenth of the time of reading).
    at = end;
  }
}

}  // namespace pawl::inline v0
