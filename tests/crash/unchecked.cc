#include <cstddef>
#include <cstdint>

// Linked with --wrap into a campaign of its own: every checksum has one value, so that recovery
// takes whatever carries a length for a frame, and the chain from frame to frame says nothing.
std::uint32_t ConstantChecksum(std::uint32_t seed, const void* bytes, std::size_t size) noexcept
    asm("__wrap__ZN4pawl2v06Crc32cEjPKvm");

std::uint32_t ConstantChecksum(std::uint32_t /*seed*/, const void* /*bytes*/,
                               std::size_t /*size*/) noexcept {
  return 1;
}
