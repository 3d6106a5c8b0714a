#include "pawl/crc32c.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

#include <arm_acle.h>
#endif

#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#include "crc32c_kernels.h"

namespace pawl::inline v0 {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as stored");

// 0x1EDC6F41 with its bits reversed: bit 31 of a register is the coefficient of x^0.
constexpr std::uint32_t kPolynomial = 0x82F63B78;

constexpr std::uint32_t TimesX(std::uint32_t crc) noexcept {
  return (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
}

using ByteTable = std::array<std::uint32_t, 256>;

// Table k advances a register whose low byte is the index over that byte and k zero bytes.
constexpr std::array<ByteTable, 8> MakeSlices() noexcept {
  std::array<ByteTable, 8> slices{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = TimesX(crc);
    slices[0][byte] = crc;
  }
  for (std::size_t k = 1; k < slices.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = slices[k - 1][byte];
      slices[k][byte] = (before >> 8) ^ slices[0][before & 0xFF];
    }
  }
  return slices;
}

constexpr std::array<ByteTable, 8> kSlices = MakeSlices();

std::uint64_t LoadWord(const unsigned char* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

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

#if defined(__x86_64__) || defined(__aarch64__)

// Two lengths of lane: long ones for large frames, short ones so that a frame of 1 KiB already runs
// three lanes. From a measurement of 1 to 64 KiB (bench/micro).
constexpr std::size_t kLongLaneBytes = 2048;
constexpr std::size_t kShortLaneBytes = 256;

// Below this a single lane is as fast: it needs no joining.
constexpr std::size_t kThreeLanesBytesMin = 1024;

// Advances a register over a number of zero bytes: table k for byte k of the register.
using ZeroesTable = std::array<ByteTable, 4>;

constexpr std::uint32_t AdvanceOverZeroes(std::uint32_t crc, std::size_t bytes) noexcept {
  for (std::size_t i = 0; i < bytes; ++i) crc = (crc >> 8) ^ kSlices[0][crc & 0xFF];
  return crc;
}

constexpr ZeroesTable MakeZeroesTable(std::size_t bytes) noexcept {
  ZeroesTable table{};
  for (std::size_t k = 0; k < 4; ++k) {
    for (std::uint32_t bit = 0; bit < 8; ++bit) {
      const std::uint32_t power = std::uint32_t{1} << bit;
      const std::uint32_t single = AdvanceOverZeroes(power << (8 * k), bytes);
      // The map is linear: the entries below `power` are known already.
      for (std::uint32_t low = 0; low < power; ++low)
        table[k][power + low] = table[k][low] ^ single;
    }
  }
  return table;
}

template <std::size_t kBytes>
constexpr ZeroesTable kZeroes = MakeZeroesTable(kBytes);

template <std::size_t kBytes>
std::uint32_t SkipZeroes(std::uint32_t crc) noexcept {
  constexpr const ZeroesTable& kTable = kZeroes<kBytes>;
  return kTable[0][crc & 0xFF] ^ kTable[1][(crc >> 8) & 0xFF] ^ kTable[2][(crc >> 16) & 0xFF] ^
         kTable[3][crc >> 24];
}

#if defined(__x86_64__)
#define PAWL_CRC_TARGET __attribute__((target("sse4.2")))
#else
#define PAWL_CRC_TARGET __attribute__((target("+crc")))
#endif

PAWL_CRC_TARGET inline std::uint32_t AdvanceWord(std::uint32_t crc, std::uint64_t word) noexcept {
#if defined(__x86_64__)
  return static_cast<std::uint32_t>(_mm_crc32_u64(crc, word));
#else
  return __crc32cd(crc, word);
#endif
}

PAWL_CRC_TARGET inline std::uint32_t AdvanceByte(std::uint32_t crc, unsigned char byte) noexcept {
#if defined(__x86_64__)
  return _mm_crc32_u8(crc, byte);
#else
  return __crc32cb(crc, byte);
#endif
}

PAWL_CRC_TARGET std::uint32_t AdvanceOneLane(std::uint32_t crc, const unsigned char* bytes,
                                             std::size_t size) noexcept {
  for (; size >= 8; size -= 8, bytes += 8) crc = AdvanceWord(crc, LoadWord(bytes));
  for (; size != 0; --size, ++bytes) crc = AdvanceByte(crc, *bytes);
  return crc;
}

// The instruction takes three cycles and one can start in each: three independent lanes fill it.
template <std::size_t kLaneBytes>
PAWL_CRC_TARGET std::uint32_t AdvanceLanes(std::uint32_t crc, const unsigned char*& bytes,
                                           std::size_t& size) noexcept {
  for (; size >= 3 * kLaneBytes; size -= 3 * kLaneBytes, bytes += 3 * kLaneBytes) {
    std::uint32_t second = 0;
    std::uint32_t third = 0;
    for (std::size_t i = 0; i < kLaneBytes; i += 8) {
      crc = AdvanceWord(crc, LoadWord(bytes + i));
      second = AdvanceWord(second, LoadWord(bytes + kLaneBytes + i));
      third = AdvanceWord(third, LoadWord(bytes + 2 * kLaneBytes + i));
    }
    crc = SkipZeroes<kLaneBytes>(SkipZeroes<kLaneBytes>(crc) ^ second) ^ third;
  }
  return crc;
}

PAWL_CRC_TARGET std::uint32_t AdvanceThreeLanes(std::uint32_t crc, const unsigned char* bytes,
                                                std::size_t size) noexcept {
  if (size >= kThreeLanesBytesMin) {
    crc = AdvanceLanes<kLongLaneBytes>(crc, bytes, size);
    crc = AdvanceLanes<kShortLaneBytes>(crc, bytes, size);
  }
  return AdvanceOneLane(crc, bytes, size);
}

bool HasCrcInstruction() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2") != 0;
#else
  return (::getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
}

constexpr Crc32cKernel kKernels[] = {{"three lanes", AdvanceThreeLanes},
                                     {"one lane", AdvanceOneLane},
                                     {"slicing by 8", AdvancePortable}};
constexpr std::size_t kInstructionKernels = 2;

#else

bool HasCrcInstruction() noexcept { return false; }

constexpr Crc32cKernel kKernels[] = {{"slicing by 8", AdvancePortable}};
constexpr std::size_t kInstructionKernels = 0;

#endif

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
  const std::span<const Crc32cKernel> all = kKernels;
  return HasCrcInstruction() ? all : all.subspan(kInstructionKernels);
}

std::uint32_t Crc32c(std::uint32_t seed, const void* data, std::size_t size) noexcept {
  // Relaxed: see `chosen`.
  const Crc32cKernel::Advance advance = chosen.load(std::memory_order_relaxed);
  return ~advance(~seed, static_cast<const unsigned char*>(data), size);
}

}  // namespace pawl::inline v0
