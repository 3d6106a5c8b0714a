#include "frame_walk.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace pawl::inline v0 {
namespace {

using View = std::span<const std::byte>;

// The little-endian integer of `count` bytes at `at`.
std::uint64_t Word(View bytes, std::size_t at, std::size_t count) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = count; i-- > 0;)
    word = word << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
  return word;
}
std::uint32_t U32(View bytes, std::size_t at) noexcept {
  return static_cast<std::uint32_t>(Word(bytes, at, 4));
}

// Table n: what a byte does to the checksum when n more bytes follow it.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables MakeCrcTables() noexcept {
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t n = 1; n < tables.size(); ++n) {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[n - 1][byte];
      tables[n][byte] = crc >> 8 ^ tables[0][crc & 0xFF];
    }
  }
  return tables;
}

std::uint32_t FrameCrc(View frame, std::uint32_t salt) noexcept {
  std::uint32_t crc = FrameWalk::Crc(salt, frame.subspan(8, 56));
  crc = FrameWalk::Crc(crc, frame.first(4));
  return FrameWalk::Crc(crc, frame.subspan(64));
}

// Where the records of a commit start, or 0 if its extensions leave it.
std::size_t RecordsStart(View commit) noexcept {
  std::size_t at = 16;
  bool more = (Word(commit, 7, 1) & 1) != 0;
  while (more) {
    if (at + 8 > commit.size()) return 0;
    const std::uint64_t bytes = Word(commit, at + 2, 2);
    const std::uint32_t flag = U32(commit, at + 4);
    if (bytes < 8 || bytes % 8 != 0 || at + bytes > commit.size() || flag > 1) return 0;
    at += bytes;
    more = flag == 1;
  }
  return at;
}

// The records fill the commit, and there are as many as it says, at least one.
bool IsCommit(View commit) noexcept {
  std::size_t at = RecordsStart(commit);
  if (at == 0) return false;
  std::uint64_t records = 0;
  for (; at < commit.size(); ++records) {
    if (at + 24 > commit.size()) return false;
    const std::uint64_t bytes = Word(commit, at, 2) * 8;
    const std::uint64_t padding = Word(commit, at + 3, 1) & 7;
    if (bytes < 24 + padding || at + bytes > commit.size()) return false;
    at += bytes;
  }
  return records > 0 && records == Word(commit, 4, 2);
}

// The commits fill the payload, zeros fill the rest, and the counts are right.
bool HoldsItsCommits(View frame) noexcept {
  const std::uint64_t payload_bytes = U32(frame, 60);
  if (payload_bytes > frame.size() - 64 || frame.size() - 64 - payload_bytes >= 64) return false;
  const View zeros = frame.subspan(64 + payload_bytes);
  if (std::any_of(zeros.begin(), zeros.end(), [](std::byte b) { return b != std::byte{0}; })) {
    return false;
  }
  std::uint64_t commits = 0;
  std::uint64_t records = 0;
  for (View left = frame.subspan(64, payload_bytes); !left.empty(); ++commits) {
    if (left.size() < 16) return false;
    const std::uint32_t bytes = U32(left, 0);
    if (bytes <= 16 || bytes % 8 != 0 || bytes > left.size()) return false;
    if (!IsCommit(left.first(bytes))) return false;
    records += Word(left, 4, 2);
    left = left.subspan(bytes);
  }
  return commits == Word(frame, 52, 2) && records == U32(frame, 48);
}

}  // namespace

std::uint32_t FrameWalk::Crc(std::uint32_t seed, View bytes) noexcept {
  static constexpr CrcTables kTables = MakeCrcTables();
  std::uint32_t crc = ~seed;
  for (; bytes.size() >= kTables.size(); bytes = bytes.subspan(kTables.size())) {
    std::uint64_t eight = 0;  // little-endian, as all of the format is
    std::memcpy(&eight, bytes.data(), sizeof eight);
    eight ^= crc;
    crc = 0;
    for (std::size_t i = 0; i < kTables.size(); ++i) {
      crc ^= kTables[kTables.size() - 1 - i][eight >> 8 * i & 0xFF];
    }
  }
  for (const std::byte byte : bytes) {
    crc = crc >> 8 ^ kTables[0][(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xFF];
  }
  return ~crc;
}

bool FrameWalk::IsBlock(View block) noexcept {
  return block.size() == 4096 && U32(block, 4092) == Crc(0, block.first(4092));
}

// What a frame with the right place, checksum and chain says of itself.
FrameWalk::Stop FrameWalk::Judge(View frame, std::uint64_t room_behind) const noexcept {
  const std::uint64_t kind = Word(frame, 54, 1);
  if (Word(frame, 55, 1) != 0 || (kind != 1 && kind != 2)) return Stop::kUnknown;
  const std::uint64_t commits = Word(frame, 52, 2);
  const bool is_seal = kind == 2;
  // Behind frames with commits comes another frame, a seal if nothing else.
  const bool is_sane = Word(frame, 32, 8) == position_ + 1 &&
                       Word(frame, 24, 8) <= Word(frame, 8, 8) &&
                       U32(frame, 56) == previous_length_ && is_seal == (commits == 0) &&
                       commits <= 256 && (is_seal || room_behind >= 64);
  if (!is_sane || !HoldsItsCommits(frame)) return Stop::kMalformed;
  return is_seal ? Stop::kSealed : Stop::kNoFrame;
}

FrameWalk::Stop FrameWalk::Follow(View segment, std::uint64_t index) {
  const std::uint64_t start = index * segment_bytes_;
  const std::uint32_t salt = segment.size() >= 16 ? U32(segment, 12) : 0;
  end_ = start + 4096;
  previous_length_ = 0;
  for (;;) {
    const std::uint64_t at = end_ - start;
    if (at + 64 > segment.size()) return Stop::kNoFrame;
    const std::uint32_t length = U32(segment, at);
    if (length < 64 || length % 64 != 0 || length > segment.size() - at) return Stop::kNoFrame;
    const View frame = segment.subspan(at, length);
    const std::uint32_t checksum = U32(frame, 4);
    const bool continues = Word(frame, 8, 8) == end_ && U32(frame, 16) >= epoch_ &&
                           U32(frame, 20) == previous_checksum_ &&
                           checksum == FrameCrc(frame, salt);
    if (!continues) return Stop::kNoFrame;
    const Stop stop = Judge(frame, segment_bytes_ - at - length);
    if (stop == Stop::kUnknown || stop == Stop::kMalformed) return stop;
    const std::uint32_t records = U32(frame, 48);
    frames_.push_back({end_, length, checksum, records, stop == Stop::kSealed});
    end_ += length;
    position_ += records;
    epoch_ = U32(frame, 16);
    evidence_ = std::max(evidence_, Word(frame, 24, 8));
    previous_checksum_ = checksum;
    previous_length_ = length;
    if (stop == Stop::kSealed) {
      end_ = start + segment_bytes_ + 4096;
      return stop;
    }
  }
}

}  // namespace pawl::inline v0
