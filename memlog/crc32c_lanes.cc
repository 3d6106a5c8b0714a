// CRC-32C by the processor's own instruction, which SSE4.2 and the ARM CRC extension have alike.

#if defined(__x86_64__)
#include <immintrin.h>
#define PAWL_CRC_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

#include <arm_acle.h>
#define PAWL_CRC_TARGET __attribute__((target("+crc")))
#endif

#if defined(__x86_64__) || defined(__aarch64__)

#include <array>

#include "crc32c_kernels.h"
#include "crc32c_polynomial.h"

namespace pawl::inline v0 {
namespace {

// Two lengths of lane: long ones for large frames, short ones so that a frame of 1 KiB already runs
// three lanes. From a measurement of 1 to 64 KiB (bench/micro).
constexpr std::size_t kLongLaneBytes = 2048;
constexpr std::size_t kShortLaneBytes = 256;

// Of each lane, in one round of the loop.
constexpr std::size_t kUnrolledBytes = 64;
static_assert(kLongLaneBytes % kUnrolledBytes == 0 && kShortLaneBytes % kUnrolledBytes == 0);

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

// A register in the form that the instruction takes and gives: 64 bits on x86-64, of which the
// upper half is 0. Cut to 32 bits it would cost a move per word (measured: 12 instructions for
// three words instead of 4).
#if defined(__x86_64__)
using Register = std::uint64_t;
#else
using Register = std::uint32_t;
#endif

PAWL_CRC_TARGET inline Register AdvanceWord(Register crc, std::uint64_t word) noexcept {
#if defined(__x86_64__)
  return _mm_crc32_u64(crc, word);
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

// The instruction takes three cycles and one can start in each: three independent lanes fill it.
template <std::size_t kLaneBytes>
PAWL_CRC_TARGET std::uint32_t AdvanceLanes(std::uint32_t crc, const unsigned char*& bytes,
                                           std::size_t& size) noexcept {
  for (; size >= 3 * kLaneBytes; size -= 3 * kLaneBytes, bytes += 3 * kLaneBytes) {
    Register first = crc;
    Register second = 0;
    Register third = 0;
    for (const unsigned char* at = bytes; at != bytes + kLaneBytes; at += kUnrolledBytes) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kUnrolledBytes; i += 8) {
        first = AdvanceWord(first, LoadWord(at + i));
        second = AdvanceWord(second, LoadWord(at + kLaneBytes + i));
        third = AdvanceWord(third, LoadWord(at + 2 * kLaneBytes + i));
      }
    }
    const auto first_two = SkipZeroes<kLaneBytes>(static_cast<std::uint32_t>(first)) ^
                           static_cast<std::uint32_t>(second);
    crc = SkipZeroes<kLaneBytes>(first_two) ^ static_cast<std::uint32_t>(third);
  }
  return crc;
}

}  // namespace

bool HasCrc32cInstruction() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2") != 0;
#else
  return (::getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
}

PAWL_CRC_TARGET std::uint32_t AdvanceOneLane(std::uint32_t crc, const unsigned char* bytes,
                                             std::size_t size) noexcept {
  Register words = crc;
  for (; size >= 8; size -= 8, bytes += 8) words = AdvanceWord(words, LoadWord(bytes));
  crc = static_cast<std::uint32_t>(words);
  for (; size != 0; --size, ++bytes) crc = AdvanceByte(crc, *bytes);
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

}  // namespace pawl::inline v0

#endif
