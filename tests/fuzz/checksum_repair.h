#pragma once

#include <cstdint>

#include "log_files.h"

namespace pawl::inline v0 {

// What RepairLog() makes right; the rest stays as it was mutated.
enum Repair : std::uint8_t {
  kRepairBlocks = 0x01,   // checksums of manifest, evidence slots, segment headers
  kRepairFrames = 0x02,   // checksums of frames, with the salt in the segment's header
  kRepairChain = 0x04,    // addresses, previous checksums and lengths, epochs not decreasing
  kRepairNumbers = 0x08,  // positions and evidence that is not ahead of its frame
  kRepairCounts = 0x10,   // commits, records and payload bytes as the commits themselves tell
  kRepairMarks = 0x20,    // marks belong to this boot, this log and its directory
  kRepairAll = 0x3F,
};

// Makes the checksums of mutated files right again, so that a mutation is judged for what it says
// and not for its checksum. Frames are found by their lengths, from the first one of each segment
// on; the chain goes on from segment to segment, and an image continues the file before it.
//   repairs   bits of Repair
void RepairLog(LogFiles& files, std::uint8_t repairs);

// End of the last frame of a segment or image, found by lengths alone.
std::size_t EndByLengths(std::span<const std::byte> segment) noexcept;

// Offset of frame `number` (0, 1, 2…), or of the end if there are not so many.
std::size_t FrameByLengths(std::span<const std::byte> segment, std::size_t number) noexcept;

}  // namespace pawl::inline v0
