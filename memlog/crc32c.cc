#include "pawl/crc32c.h"

#include <atomic>

#include "crc32c_kernels.h"
#include "crc32c_polynomial.h"

namespace pawl::inline v0 {
namespace {

std::uint32_t AdvancePortable(std::uint32_t crc, const unsigned char* bytes,
                              std::size_t size) noexcept {
  for (; size >= 8; size -= 8, bytes += 8) {
    const std::uint64_t word = LoadWord(bytes) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kSlices[7 - k][(word >> (8 * k)) & 0xFF];
  }
  for (; size != 0; --size, ++bytes) crc = (crc >> 8) ^ kSlices[0][(crc ^ *bytes) & 0xFF];
  return crc;
}

// Best first; each can run on a processor that can run the one before.
constexpr Crc32cKernel kKernels[] = {
#if defined(__x86_64__)
    {"folding", AdvanceFolding},
#endif
#if defined(__x86_64__) || defined(__aarch64__)
    {"three lanes", AdvanceThreeLanes},
    {"one lane", AdvanceOneLane},
#endif
    {"slicing by 8", AdvancePortable}};

std::size_t BestKernel() noexcept {
#if defined(__x86_64__)
  if (HasWideMultiplication()) return 0;
  return HasCrc32cInstruction() ? 1 : 3;
#elif defined(__aarch64__)
  return HasCrc32cInstruction() ? 0 : 2;
#else
  return 0;
#endif
}

std::uint32_t ChooseAndAdvance(std::uint32_t crc, const unsigned char* bytes,
                               std::size_t size) noexcept;

// Written by any thread at its first checksum, always with the same value; read by all. Guards
// nothing. It starts at the choosing function, so that checksums work before main() too.
constinit std::atomic<Crc32cKernel::Advance> chosen{&ChooseAndAdvance};

std::uint32_t ChooseAndAdvance(std::uint32_t crc, const unsigned char* bytes,
                               std::size_t size) noexcept {
  const Crc32cKernel::Advance best = UsableCrc32cKernels().front().advance;
  // Relaxed: the pointer is all there is; the code behind it is constant.
  chosen.store(best, std::memory_order_relaxed);
  return best(crc, bytes, size);
}

}  // namespace

std::span<const Crc32cKernel> UsableCrc32cKernels() noexcept {
  return std::span<const Crc32cKernel>(kKernels).subspan(BestKernel());
}

std::uint32_t Crc32c(std::uint32_t seed, const void* data, std::size_t size) noexcept {
  // Relaxed: see `chosen`.
  const Crc32cKernel::Advance advance = chosen.load(std::memory_order_relaxed);
  return ~advance(~seed, static_cast<const unsigned char*>(data), size);
}

}  // namespace pawl::inline v0
