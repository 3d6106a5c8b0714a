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

#if defined(__x86_64__) || defined(__aarch64__)
// The processor's CRC-32C instruction: one stream, or three at once from 1 KiB.
[[nodiscard]] bool HasCrc32cInstruction() noexcept;
std::uint32_t AdvanceOneLane(std::uint32_t crc, const unsigned char* bytes,
                             std::size_t size) noexcept;
std::uint32_t AdvanceThreeLanes(std::uint32_t crc, const unsigned char* bytes,
                                std::size_t size) noexcept;
#endif

#if defined(__x86_64__)
// Carry-less multiplication of four blocks at once (VPCLMULQDQ with AVX-512) from 256 bytes.
[[nodiscard]] bool HasWideMultiplication() noexcept;
std::uint32_t AdvanceFolding(std::uint32_t crc, const unsigned char* bytes,
                             std::size_t size) noexcept;
#endif

}  // namespace pawl::inline v0
