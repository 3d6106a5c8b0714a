// CRC-32C by folding: a block of the message, times a power of x, is added to a block that many
// bits further on, which leaves the remainder as it is. Four streams of four blocks hide the
// latency of the multiplication.
//
// source   V. Gopal et al.: Fast CRC computation using PCLMULQDQ (Intel, 2009); the bit-reversed
// form
//          as in corsix/fast-crc32

#if defined(__x86_64__)

#include <immintrin.h>

#include "crc32c_kernels.h"
#include "crc32c_polynomial.h"

#define PAWL_FOLD_TARGET __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

namespace pawl::inline v0 {
namespace {

// Below this the single lane is about as fast.
constexpr std::size_t kFoldBytesMin = 256;

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

// Four streams of 64 bytes into one.
PAWL_FOLD_TARGET inline __m512i FoldStreams(const unsigned char*& bytes, std::size_t& size,
                                            std::uint32_t crc) noexcept {
  const __m512i register_first = _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(crc)));
  __m512i stream0 = _mm512_xor_si512(Load64(bytes), register_first);
  __m512i stream1 = Load64(bytes + 64);
  __m512i stream2 = Load64(bytes + 128);
  __m512i stream3 = Load64(bytes + 192);
  for (bytes += 256, size -= 256; size >= 256; bytes += 256, size -= 256) {
    stream0 = Fold64<256 * 8>(stream0, Load64(bytes));
    stream1 = Fold64<256 * 8>(stream1, Load64(bytes + 64));
    stream2 = Fold64<256 * 8>(stream2, Load64(bytes + 128));
    stream3 = Fold64<256 * 8>(stream3, Load64(bytes + 192));
  }
  stream1 = Fold64<64 * 8>(stream0, stream1);
  stream3 = Fold64<64 * 8>(stream2, stream3);
  return Fold64<128 * 8>(stream1, stream3);
}

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

}  // namespace

bool HasWideMultiplication() noexcept {
  // The compiler's run-time asks the operating system too whether it saves the wide registers.
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("vpclmulqdq") != 0 && __builtin_cpu_supports("pclmul") != 0 &&
         HasCrc32cInstruction();
}

PAWL_FOLD_TARGET std::uint32_t AdvanceFolding(std::uint32_t crc, const unsigned char* bytes,
                                              std::size_t size) noexcept {
  if (size < kFoldBytesMin) return AdvanceOneLane(crc, bytes, size);
  __m512i blocks = FoldStreams(bytes, size, crc);
  for (; size >= 64; bytes += 64, size -= 64) blocks = Fold64<64 * 8>(blocks, Load64(bytes));
  __m128i block = FoldBlocks(blocks);
  for (; size >= 16; bytes += 16, size -= 16) block = Fold16<16 * 8>(block, Load16(bytes));
  const auto low = static_cast<std::uint64_t>(_mm_extract_epi64(block, 0));
  const auto high = static_cast<std::uint64_t>(_mm_extract_epi64(block, 1));
  const std::uint64_t remainder = _mm_crc32_u64(_mm_crc32_u64(0, low), high);
  return AdvanceOneLane(static_cast<std::uint32_t>(remainder), bytes, size);
}

}  // namespace pawl::inline v0

#endif
