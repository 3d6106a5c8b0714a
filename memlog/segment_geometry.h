#pragma once

#include <cstdint>
#include <string>

#include "pawl/format.h"

namespace pawl::inline v0 {

// Arithmetic of addresses: segment index × segment bytes + offset in the segment.
struct SegmentGeometry {
  std::uint64_t segment_bytes = 0;

  std::uint64_t Start(std::uint64_t index) const noexcept { return index * segment_bytes; }
  std::uint64_t FirstFrame(std::uint64_t index) const noexcept {
    return Start(index) + kSegmentHeaderBytes;
  }
  std::uint64_t End(std::uint64_t index) const noexcept { return Start(index + 1); }
  // Segment of the frame that starts at `address`, or that a cursor there reads next.
  std::uint64_t IndexOf(std::uint64_t address) const noexcept { return address / segment_bytes; }
  // Where the next frame can start at or behind `address`.
  std::uint64_t Normalised(std::uint64_t address) const noexcept {
    const std::uint64_t first = FirstFrame(IndexOf(address));
    return address < first ? first : address;
  }
};

std::string SegmentName(std::uint64_t index);  // 0000000007.seg
std::string ImageName(std::uint64_t index);    // 0000000007.img
std::string IndexName(std::uint64_t index);    // 0000000007.idx

}  // namespace pawl::inline v0
