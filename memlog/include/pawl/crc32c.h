#pragma once

#include <cstddef>
#include <cstdint>

namespace pawl::inline v0 {

// CRC-32C (Castagnoli, RFC 3720) of `size` bytes at `data`, which need no alignment.
//   seed      0 for the first bytes; the result so far to go on with the bytes that follow:
//             Crc32c(Crc32c(0, a), b) is the checksum of a and b joined
//   threads   any; wait-free; allocates nothing
//   source    crc32c_kernels.h: folding by wide multiplication where the processor has it, else its
//             CRC-32C instruction, else slicing-by-8 (Kounavis, Berry)
[[nodiscard]] std::uint32_t Crc32c(std::uint32_t seed, const void* data, std::size_t size) noexcept;

// The same under the name that says it at the place of use: `crc` belongs to the bytes before.
[[nodiscard]] inline std::uint32_t Crc32cExtend(std::uint32_t crc, const void* data,
                                                std::size_t size) noexcept {
  return Crc32c(crc, data, size);
}

}  // namespace pawl::inline v0
