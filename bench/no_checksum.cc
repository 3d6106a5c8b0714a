#include <cstddef>
#include <cstdint>

// Linked with --wrap into a program of its own: no checksum is computed, so that what is left is
// what a command costs without.
std::uint32_t NoChecksum(std::uint32_t seed, const void* bytes, std::size_t size) noexcept
    asm("__wrap__ZN4pawl2v06Crc32cEjPKvm");

std::uint32_t NoChecksum(std::uint32_t /*seed*/, const void* /*bytes*/,
                         std::size_t /*size*/) noexcept {
  return 1;
}
