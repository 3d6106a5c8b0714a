#include "zero_blocks.h"

#include <array>

#include "pawl/check.h"
#include "pawl/format.h"

namespace pawl::inline v0 {

std::span<const std::byte> ZeroBlocks(std::size_t bytes) noexcept {
  // Not const: the program's file would hold them. Nobody writes here, so they take no memory.
  alignas(kBlockBytes) static std::array<std::byte, kZeroBlocksBytesMax> zeros{};
  PAWL_CHECK(bytes <= zeros.size());
  return std::span<const std::byte>(zeros).first(bytes);
}

}  // namespace pawl::inline v0
