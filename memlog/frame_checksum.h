#pragma once

#include <cstddef>
#include <cstdint>

#include "pawl/crc32c.h"
#include "pawl/format.h"

namespace pawl::inline v0 {

// Checksum of a frame: everything but its first 8 bytes, with the length (which is stored last)
// between header and payload.
//   frame   `length` bytes
[[nodiscard]] inline std::uint32_t FrameChecksum(std::uint32_t salt, const std::byte* frame,
                                                 std::uint32_t length) noexcept {
  constexpr std::size_t kFirst = offsetof(FrameHeader, address);
  std::uint32_t crc = Crc32c(salt, frame + kFirst, sizeof(FrameHeader) - kFirst);
  crc = Crc32cExtend(crc, &length, sizeof length);
  return Crc32cExtend(crc, frame + sizeof(FrameHeader), length - sizeof(FrameHeader));
}

// Checksum of a one-block structure that keeps it in its last four bytes.
template <class Block>
[[nodiscard]] std::uint32_t BlockChecksum(const Block& block) noexcept {
  static_assert(sizeof(Block) == kBlockBytes && offsetof(Block, checksum) == kBlockBytes - 4);
  return Crc32c(0, &block, offsetof(Block, checksum));
}

}  // namespace pawl::inline v0
