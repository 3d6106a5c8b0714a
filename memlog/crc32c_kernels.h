#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pawl::inline v0 {

// One way to compute a CRC-32C. `advance` works on the register, before the final inversion.
struct Crc32cKernel {
  using Advance = std::uint32_t (*)(std::uint32_t crc, const unsigned char* bytes,
                                    std::size_t size) noexcept;
  const char* name;
  Advance advance;
};

// Those that this processor can run, the one that Crc32c() uses first; the portable one last.
[[nodiscard]] std::span<const Crc32cKernel> UsableCrc32cKernels() noexcept;

}  // namespace pawl::inline v0
