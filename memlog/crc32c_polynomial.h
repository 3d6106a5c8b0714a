#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

// The arithmetic behind the kernels: polynomials over GF(2) modulo CRC-32C's, at compile time.

namespace pawl::inline v0 {

static_assert(std::endian::native == std::endian::little, "words are read as stored");

// 0x1EDC6F41 with its bits reversed: bit 31 of a register is the coefficient of x^0.
inline constexpr std::uint32_t kCrc32cPolynomial = 0x82F63B78;

constexpr std::uint32_t TimesX(std::uint32_t crc) noexcept {
  return (crc >> 1) ^ ((crc & 1) != 0 ? kCrc32cPolynomial : 0);
}

// x^exponent modulo the polynomial.
constexpr std::uint32_t PowerOfX(unsigned exponent) noexcept {
  std::uint32_t power = 0x80000000;
  for (unsigned i = 0; i < exponent; ++i) power = TimesX(power);
  return power;
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

inline constexpr std::array<ByteTable, 8> kSlices = MakeSlices();

inline std::uint64_t LoadWord(const unsigned char* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

}  // namespace pawl::inline v0
