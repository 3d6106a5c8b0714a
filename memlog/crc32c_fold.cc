// CRC-32C by folding: a block of the message, times a power of x, is added to a block that many
// bits further on, which leaves the remainder as it is. Four streams of four blocks hide the
// latency of the multiplication.
//
// source   V. Gopal et al.: Fast CRC computation using PCLMULQDQ (Intel, 2009); the bit-reversed
//          form, and multiplier and CRC instruction side by side, as in corsix/fast-crc32

#if defined(__x86_64__)

#include <immintrin.h>

#include "crc32c_kernels.h"
#include "crc32c_polynomial.h"

#define PAWL_FOLD_TARGET __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

namespace pawl::inline v0 {
namespace {

// What moves a 128-bit block `kBits` forward. In reversed bits the low half of a block is its upper
// part, 64 further; a product of two halves comes out one bit short, and a 32-bit factor stands 32
// bits up in its half: hence 31 and -33.
template <unsigned kBits>
struct Forward {
  static constexpr std::uint32_t kLow = PowerOfX(kBits + 31);
  static constexpr std::uint32_t kHigh = PowerOfX(kBits - 33);
};

PAWL_FOLD_TARGET inline __m512i Load64(const unsigned char* bytes) noexcept {
  return _mm512_loadu_si512(bytes);
}

PAWL_FOLD_TARGET inline __m128i Load16(const unsigned char* bytes) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

// `block` moved forward, plus `other`, on each of four blocks.
template <unsigned kBits>
PAWL_FOLD_TARGET inline __m512i Fold64(__m512i block, __m512i other) noexcept {
  constexpr std::int64_t kLow = Forward<kBits>::kLow;
  constexpr std::int64_t kHigh = Forward<kBits>::kHigh;
  const __m512i factor = _mm512_set_epi64(kHigh, kLow, kHigh, kLow, kHigh, kLow, kHigh, kLow);
  const __m512i low = _mm512_clmulepi64_epi128(block, factor, 0x00);
  const __m512i high = _mm512_clmulepi64_epi128(block, factor, 0x11);
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(low, high, other, kXorOfThree);
}

template <unsigned kBits>
PAWL_FOLD_TARGET inline __m128i Fold16(__m128i block, __m128i other) noexcept {
  const __m128i factor = _mm_set_epi64x(Forward<kBits>::kHigh, Forward<kBits>::kLow);
  const __m128i low = _mm_clmulepi64_si128(block, factor, 0x00);
  const __m128i high = _mm_clmulepi64_si128(block, factor, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), other);
}

// Four streams of 64 bytes, side by side.
class Streams {
 public:
  static constexpr std::size_t kBytes = 256;

  //   crc     the register before `bytes`, the first ones
  PAWL_FOLD_TARGET Streams(std::uint32_t crc, const unsigned char* bytes) noexcept
      : stream0_(_mm512_xor_si512(
            Load64(bytes), _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(crc))))),
        stream1_(Load64(bytes + 64)),
        stream2_(Load64(bytes + 128)),
        stream3_(Load64(bytes + 192)) {}
  // Goes on with the bytes that follow.
  PAWL_FOLD_TARGET void Fold(const unsigned char* bytes) noexcept {
    stream0_ = Fold64<kBytes * 8>(stream0_, Load64(bytes));
    stream1_ = Fold64<kBytes * 8>(stream1_, Load64(bytes + 64));
    stream2_ = Fold64<kBytes * 8>(stream2_, Load64(bytes + 128));
    stream3_ = Fold64<kBytes * 8>(stream3_, Load64(bytes + 192));
  }
  PAWL_FOLD_TARGET __m512i Joined() const noexcept {
    const __m512i first = Fold64<64 * 8>(stream0_, stream1_);
    const __m512i second = Fold64<64 * 8>(stream2_, stream3_);
    return Fold64<128 * 8>(first, second);
  }

 private:
  __m512i stream0_;
  __m512i stream1_;
  __m512i stream2_;
  __m512i stream3_;
};

// The masked form, with all set: g++ 12 calls the plain one's don't-care operand uninitialised.
template <int kIndex>
PAWL_FOLD_TARGET inline __m128i BlockOf(__m512i blocks) noexcept {
  return _mm512_maskz_extracti32x4_epi32(0xF, blocks, kIndex);
}

// Four blocks into one.
PAWL_FOLD_TARGET inline __m128i FoldBlocks(__m512i blocks) noexcept {
  const __m128i block1 = Fold16<16 * 8>(BlockOf<0>(blocks), BlockOf<1>(blocks));
  const __m128i block3 = Fold16<16 * 8>(BlockOf<2>(blocks), BlockOf<3>(blocks));
  return Fold16<32 * 8>(block1, block3);
}

// The register behind a block.
PAWL_FOLD_TARGET inline std::uint32_t RegisterOf(__m128i block) noexcept {
  const auto low = static_cast<std::uint64_t>(_mm_extract_epi64(block, 0));
  const auto high = static_cast<std::uint64_t>(_mm_extract_epi64(block, 1));
  return static_cast<std::uint32_t>(_mm_crc32_u64(_mm_crc32_u64(0, low), high));
}

// Large frames: what the multiplier has no time for, the CRC instruction does meanwhile. In each
// round 256 bytes are folded, and three lanes behind all of those advance by five words each
// (measured, Zen 5: 65 → 85 GB/s of a frame of 256 events of 64 bytes; 4 and 6 to 8 words
// are no faster).
constexpr std::size_t kRounds = 32;
constexpr std::size_t kRoundWords = 5;
constexpr std::size_t kLaneBytes = kRounds * kRoundWords * 8;
constexpr std::size_t kFoldedBytes = (1 + kRounds) * Streams::kBytes;
constexpr std::size_t kMixedBytes = kFoldedBytes + 3 * kLaneBytes;

// A register moved over `kBytes` zeros, up to a reduction by the CRC instruction, which multiplies
// by x^32; the product comes out one bit short.
template <std::size_t kBytes>
PAWL_FOLD_TARGET inline std::uint64_t Over(std::uint64_t crc) noexcept {
  constexpr std::int64_t kPower = PowerOfX(kBytes * 8 - 33);
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<std::int64_t>(crc)),
                                               _mm_cvtsi64_si128(kPower), 0x00);
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(product));
}

// Of kMixedBytes.
PAWL_FOLD_TARGET std::uint32_t AdvanceMixed(std::uint32_t crc,
                                            const unsigned char* bytes) noexcept {
  const unsigned char* lane = bytes + kFoldedBytes;
  Streams streams(crc, bytes);
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::uint64_t third = 0;
  for (std::size_t round = 0; round < kRounds; ++round) {
    bytes += Streams::kBytes;
    streams.Fold(bytes);
#pragma GCC unroll 5
    for (std::size_t word = 0; word < kRoundWords; ++word, lane += 8) {
      first = _mm_crc32_u64(first, LoadWord(lane));
      second = _mm_crc32_u64(second, LoadWord(lane + kLaneBytes));
      third = _mm_crc32_u64(third, LoadWord(lane + 2 * kLaneBytes));
    }
  }
  const std::uint64_t folded = RegisterOf(FoldBlocks(streams.Joined()));
  const std::uint64_t joined =
      Over<3 * kLaneBytes>(folded) ^ Over<2 * kLaneBytes>(first) ^ Over<kLaneBytes>(second);
  return static_cast<std::uint32_t>(_mm_crc32_u64(0, joined) ^ third);
}

}  // namespace

bool HasWideMultiplication() noexcept {
  // The compiler's run-time asks the operating system too whether it saves the wide registers.
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("vpclmulqdq") != 0 && __builtin_cpu_supports("pclmul") != 0 &&
         HasCrc32cInstruction();
}

PAWL_FOLD_TARGET std::uint32_t AdvanceFolding(std::uint32_t crc, const unsigned char* bytes,
                                              std::size_t size) noexcept {
  for (; size >= kMixedBytes; bytes += kMixedBytes, size -= kMixedBytes)
    crc = AdvanceMixed(crc, bytes);
  if (size < Streams::kBytes) return AdvanceOneLane(crc, bytes, size);
  Streams streams(crc, bytes);
  for (bytes += Streams::kBytes, size -= Streams::kBytes; size >= Streams::kBytes;
       bytes += Streams::kBytes, size -= Streams::kBytes)
    streams.Fold(bytes);
  __m512i blocks = streams.Joined();
  for (; size >= 64; bytes += 64, size -= 64) blocks = Fold64<64 * 8>(blocks, Load64(bytes));
  __m128i block = FoldBlocks(blocks);
  for (; size >= 16; bytes += 16, size -= 16) block = Fold16<16 * 8>(block, Load16(bytes));
  return AdvanceOneLane(RegisterOf(block), bytes, size);
}

}  // namespace pawl::inline v0

#endif
