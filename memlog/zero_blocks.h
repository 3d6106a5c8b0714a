#pragma once

#include <cstddef>
#include <span>

namespace pawl::inline v0 {

inline constexpr std::size_t kZeroBlocksBytesMax = std::size_t{1} << 20;

// `bytes` zeros, at most kZeroBlocksBytesMax, that start on a block, as direct I/O wants them.
std::span<const std::byte> ZeroBlocks(std::size_t bytes) noexcept;

}  // namespace pawl::inline v0
