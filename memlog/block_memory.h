#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pawl/format.h"

namespace pawl::inline v0 {

// The start of the block that holds byte `offset`.
constexpr std::uint64_t BlockStart(std::uint64_t offset) noexcept {
  return offset & ~(kBlockBytes - 1);
}

// The end of the block that holds the byte before `offset`.
constexpr std::uint64_t BlockEnd(std::uint64_t offset) noexcept {
  return BlockStart(offset + kBlockBytes - 1);
}

// `bytes` bytes that start on a block, as direct I/O wants them: a part of `memory`, which grows if
// need be and keeps them until it does.
inline std::span<std::byte> BlocksIn(std::vector<std::byte>& memory, std::size_t bytes) {
  if (memory.size() < bytes + kBlockBytes) memory.resize(bytes + kBlockBytes);
  const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::size_t skip = (kBlockBytes - at % kBlockBytes) % kBlockBytes;
  return std::span<std::byte>(memory).subspan(skip, bytes);
}

}  // namespace pawl::inline v0
