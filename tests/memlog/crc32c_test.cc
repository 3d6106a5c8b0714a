#include "pawl/crc32c.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "crc32c_kernels.h"

#ifdef PAWL_HAVE_ISAL
#include <isa-l/crc.h>
#endif

namespace pawl {
namespace {

constexpr std::size_t kLengthMax = 5000;
constexpr std::size_t kAlignments = 8;

// One bit at a time, straight from the definition: shares no table with the code under test.
std::uint32_t AdvanceBitwise(std::uint32_t crc, unsigned char byte) {
  crc ^= byte;
  for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
  return crc;
}

std::vector<unsigned char> RandomBytes(std::size_t size) {
  std::mt19937_64 random(20240607);
  std::vector<unsigned char> bytes(size);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random());
  return bytes;
}

TEST(Crc32cTest, MatchesTheCheckValueOfTheStandard) {
  constexpr std::string_view kDigits = "123456789";
  EXPECT_EQ(Crc32c(0, kDigits.data(), kDigits.size()), 0xE3069283U);
}

TEST(Crc32cTest, MatchesTheVectorsOfRfc3720) {
  std::array<unsigned char, 32> bytes{};
  EXPECT_EQ(Crc32c(0, bytes.data(), bytes.size()), 0x8A9136AAU);
  bytes.fill(0xFF);
  EXPECT_EQ(Crc32c(0, bytes.data(), bytes.size()), 0x62A8AB43U);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i);
  EXPECT_EQ(Crc32c(0, bytes.data(), bytes.size()), 0x46DD794EU);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(31 - i);
  EXPECT_EQ(Crc32c(0, bytes.data(), bytes.size()), 0x113FDB5CU);
}

TEST(Crc32cTest, OfNothingIsTheSeed) {
  EXPECT_EQ(Crc32c(0, nullptr, 0), 0U);
  EXPECT_EQ(Crc32c(0xDEADBEEF, nullptr, 0), 0xDEADBEEFU);
}

TEST(Crc32cTest, EveryKernelMatchesBitwiseForAllLengthsAndAlignments) {
  const std::vector<unsigned char> bytes = RandomBytes(kLengthMax + kAlignments);
  ASSERT_STREQ(UsableCrc32cKernels().back().name, "slicing by 8");
  for (const Crc32cKernel& kernel : UsableCrc32cKernels()) {
    SCOPED_TRACE(kernel.name);
    for (std::size_t start = 0; start < kAlignments; ++start) {
      std::uint32_t expected = 0x12345678;
      for (std::size_t size = 0; size <= kLengthMax; ++size) {
        ASSERT_EQ(kernel.advance(0x12345678, bytes.data() + start, size), expected)
            << "start " << start << " size " << size;
        expected = AdvanceBitwise(expected, bytes[start + size]);
      }
    }
  }
}

// Frames are up to 64 KiB, one larger commit alone: several long lanes, short lanes and a rest;
// lengths on both sides of where another way of working begins.
TEST(Crc32cTest, EveryKernelMatchesBitwiseForLargeFrames) {
  constexpr std::size_t kGrain = 2048;  // of the blocks that are too large for the test above
  const std::vector<unsigned char> bytes = RandomBytes(200'003);
  std::uint32_t expected = ~0U;
  for (std::size_t size = 0; size < bytes.size();) {
    expected = AdvanceBitwise(expected, bytes[size++]);
    if ((size + 1) % kGrain > 2 && size != bytes.size()) continue;
    for (const Crc32cKernel& kernel : UsableCrc32cKernels()) {
      ASSERT_EQ(kernel.advance(~0U, bytes.data(), size), expected) << kernel.name << ' ' << size;
    }
  }
}

TEST(Crc32cTest, ExtendsOverAnyCut) {
  const std::vector<unsigned char> bytes = RandomBytes(3000);
  const std::uint32_t whole = Crc32c(0, bytes.data(), bytes.size());
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    const std::uint32_t first = Crc32c(0, bytes.data(), cut);
    ASSERT_EQ(Crc32cExtend(first, bytes.data() + cut, bytes.size() - cut), whole) << "cut " << cut;
  }
}

TEST(Crc32cTest, SeesEveryFlippedBit) {
  std::vector<unsigned char> bytes = RandomBytes(1536);
  const std::uint32_t intact = Crc32c(0, bytes.data(), bytes.size());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1U << (bit % 8)));
    ASSERT_NE(Crc32c(0, bytes.data(), bytes.size()), intact) << "bit " << bit;
    bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1U << (bit % 8)));
  }
}

TEST(Crc32cTest, MatchesIsal) {
#ifdef PAWL_HAVE_ISAL
  std::vector<unsigned char> bytes = RandomBytes(70'000);
  for (std::size_t size = 0; size <= bytes.size(); size = size * 3 / 2 + 1) {
    const std::uint32_t oracle = ~crc32_iscsi(bytes.data(), static_cast<int>(size), ~0U);
    EXPECT_EQ(Crc32c(0, bytes.data(), size), oracle) << "size " << size;
  }
#else
  GTEST_SKIP() << "ISA-L not found";
#endif
}

}  // namespace
}  // namespace pawl
