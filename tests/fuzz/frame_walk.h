#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pawl::inline v0 {

// A second opinion: follows the frames of a log by FORMAT.md alone. It shares no line with the
// engine, its checksum and its structures included, and is written to be read, not to be fast.
class FrameWalk {
 public:
  struct Frame {
    std::uint64_t address = 0;
    std::uint32_t length = 0;
    std::uint32_t checksum = 0;
    std::uint32_t records = 0;
    bool is_seal = false;
    friend bool operator==(const Frame&, const Frame&) = default;
  };
  enum class Stop : std::uint8_t {
    kNoFrame,    // nothing that continues the log
    kUnknown,    // a whole frame in place, of an unknown kind or with unknown flags
    kMalformed,  // a whole frame in place that contradicts itself
    kSealed,     // goes on in the next segment
  };

  explicit FrameWalk(std::uint64_t segment_bytes) : segment_bytes_(segment_bytes) {}

  // Follows the frames of segment `index`, which is the first one or follows a seal.
  //   segment   its segment_bytes bytes; the caller puts zeros for what a short file lacks
  Stop Follow(std::span<const std::byte> segment, std::uint64_t index);

  const std::vector<Frame>& frames() const noexcept { return frames_; }
  std::uint64_t end() const noexcept { return end_; }  // address of the next frame
  std::uint64_t position() const noexcept { return position_; }
  std::uint32_t epoch() const noexcept { return epoch_; }
  std::uint64_t evidence() const noexcept { return evidence_; }  // highest that a frame tells of

  // CRC-32C, by tables made bit by bit from the polynomial.
  static std::uint32_t Crc(std::uint32_t seed, std::span<const std::byte> bytes) noexcept;
  // The checksum of a block of 4096 bytes is right.
  static bool IsBlock(std::span<const std::byte> block) noexcept;

 private:
  Stop Judge(std::span<const std::byte> frame, std::uint64_t room_behind) const noexcept;

  const std::uint64_t segment_bytes_;
  std::vector<Frame> frames_;
  std::uint64_t end_ = 4096;
  std::uint64_t position_ = 0;
  std::uint32_t epoch_ = 0;
  std::uint32_t previous_checksum_ = 0;
  std::uint32_t previous_length_ = 0;
  std::uint64_t evidence_ = 0;
};

}  // namespace pawl::inline v0
