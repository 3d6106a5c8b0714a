#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "pawl/format.h"
#include "pawl/position.h"
#include "segment_geometry.h"

namespace pawl::inline v0 {

// Where a scan stands: behind a valid frame, with what the next one must continue.
struct ScanCursor {
  Address next;                         // where the next frame starts
  Position position;                    // of the last record
  Epoch epoch;                          // of the last frame
  std::uint32_t previous_checksum = 0;  // of the last frame
  std::uint32_t previous_length = 0;    // of the last frame in this segment, or 0
  std::uint64_t time_ns = 0;            // highest of all frames
  Address evidence;                     // highest durable address that a valid frame tells of
  std::uint64_t frames = 0;
};

enum class FrameVerdict {
  kValid,
  kInvalid,    // torn, not written, or of another life: the log ends here
  kNewer,      // whole and in place, but with flags or of a kind that this library does not know
  kMalformed,  // whole and in place, but its commits contradict it: no power cut does that
};

// Bytes of one segment, header included; or a piece of it.
struct SegmentView {
  std::span<const std::byte> bytes;
  std::uint64_t index = 0;
  std::uint32_t salt = 0;
  std::uint64_t first = 0;  // offset of the piece in the segment
};

// Judges the bytes at the cursor. Reads nothing outside the segment, whatever the bytes say.
FrameVerdict CheckFrame(const SegmentView& segment, const SegmentGeometry& geometry,
                        const ScanCursor& cursor) noexcept;

// True if the frame at `offset` is whole, in its place, of a kind that this library knows, and its
// commits fill it: what can be said of a frame without the one before it.
bool IsSoundFrame(const SegmentView& segment, const SegmentGeometry& geometry,
                  std::uint64_t offset) noexcept;

// Moves the cursor over a frame that was judged valid; behind a seal it stands where the next
// segment's first frame starts.
void AdvanceOver(const FrameHeader& frame, std::uint64_t index, const SegmentGeometry& geometry,
                 ScanCursor& cursor) noexcept;

enum class SegmentVerdict { kSealed, kEnds, kNewer, kMalformed };

// Advances the cursor over the valid frames of its segment.
SegmentVerdict ScanSegment(const SegmentView& segment, const SegmentGeometry& geometry,
                           ScanCursor& cursor) noexcept;

// What frames behind an invalid one tell. They are no part of the log; they are witnesses.
struct Witnesses {
  Address evidence;  // highest durable address told
  Address last;      // start of the last one found, 0 = none
  Epoch epoch;       // highest
};

// Bytes up to the last one that is not zero.
std::size_t SizeWithoutZeroEnd(std::span<const std::byte> bytes) noexcept;

// Looks at every place of `segment` from `offset` on where a frame could start: its own address,
// its checksum, an epoch not below `epoch_min`, evidence not behind `log_end`.
void FindWitnesses(const SegmentView& segment, const SegmentGeometry& geometry,
                   std::uint64_t offset, Epoch epoch_min, Address log_end,
                   Witnesses& witnesses) noexcept;

}  // namespace pawl::inline v0
