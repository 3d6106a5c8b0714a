#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "pawl/format.h"

// The bytes of a segment's index (FORMAT.md, "Index"): what is known of a segment that is sealed
// and durable, in a file of its own. Derived: it can be removed and made again from the segment.
namespace pawl::inline v0 {

inline constexpr std::uint64_t kIndexMagic = 0x315844494C574150;  // "PAWLIDX1"

// XXH3 of 128 bits, low half first.
using ContentHash = std::array<std::uint64_t, 2>;

// First block of `<index>.idx`. The body follows: places, types, streams, keys, postings.
struct SegmentIndexHeader {
  std::uint64_t magic;
  std::uint32_t format_version;
  std::uint32_t salt;  // of the segment: an index never speaks of another file of that name
  LogId log_id;
  std::uint64_t index;
  std::uint64_t segment_bytes;
  std::uint64_t end_address;     // behind the seal
  std::uint64_t first_position;  // of the first record; the next one if there is none
  std::uint64_t records;
  std::uint64_t first_time_ns;    // of the first frame
  std::uint64_t last_time_ns;     // highest of all frames up to here
  std::uint64_t durable_address;  // highest that a frame up to here tells of
  std::uint64_t frames;           // with the seal
  std::uint64_t commits;
  std::uint32_t epoch;          // of the seal
  std::uint32_t seal_checksum;  // what the next segment's first frame continues
  ContentHash content_hash;     // of the frames, from offset 4096 to end_address
  ContentHash chain_hash;       // of the chain hash before (zeros for the first) and content_hash
  std::uint32_t places;
  std::uint32_t types;
  std::uint32_t streams;
  std::uint32_t keys;
  std::uint32_t postings;
  std::uint32_t body_checksum;  // CRC32C(0, all behind this block)
  std::uint8_t zeros[kBlockBytes - 180];
  std::uint32_t checksum;  // CRC32C(0, all before)
};
static_assert(sizeof(SegmentIndexHeader) == kBlockBytes);
static_assert(offsetof(SegmentIndexHeader, index) == 32);
static_assert(offsetof(SegmentIndexHeader, end_address) == 48);
static_assert(offsetof(SegmentIndexHeader, first_time_ns) == 72);
static_assert(offsetof(SegmentIndexHeader, durable_address) == 88);
static_assert(offsetof(SegmentIndexHeader, epoch) == 112);
static_assert(offsetof(SegmentIndexHeader, content_hash) == 120);
static_assert(offsetof(SegmentIndexHeader, chain_hash) == 136);
static_assert(offsetof(SegmentIndexHeader, places) == 152);
static_assert(offsetof(SegmentIndexHeader, body_checksum) == 172);
static_assert(offsetof(SegmentIndexHeader, checksum) == 4092);

// A frame that a search can start from: the first one of every 4096 bytes of the segment.
struct IndexPlace {
  std::uint64_t time_ns;   // of the frame
  std::uint32_t position;  // of its first record, less the segment's first position
  std::uint32_t offset64;  // of the frame in the segment, divided by 64
};
static_assert(sizeof(IndexPlace) == 16);

// How many records of a kind and type the segment has; sorted.
struct IndexType {
  std::uint16_t type;
  RecordKind kind;
  std::uint8_t reserved;
  std::uint32_t records;
};
static_assert(sizeof(IndexType) == 8);

// A stream with events in the segment; sorted by number. Its postings end where the next stream's
// begin.
struct IndexStream {
  std::uint32_t stream;
  std::uint32_t first_posting;
};
static_assert(sizeof(IndexStream) == 8);

// A stream that was bound in the segment; sorted by category, then key, then stream: a key that was
// closed may be bound again.
struct IndexKey {
  std::uint64_t key_high;
  std::uint64_t key_low;
  std::uint32_t stream;
  std::uint16_t category;
  std::uint16_t reserved;
};
static_assert(sizeof(IndexKey) == 24);

// An event of a stream: its position less the segment's first position; ascending per stream.
using IndexPosting = std::uint32_t;

// Of the whole file.
constexpr std::uint64_t IndexBytes(const SegmentIndexHeader& header) noexcept {
  return sizeof header + header.places * std::uint64_t{sizeof(IndexPlace)} +
         header.types * std::uint64_t{sizeof(IndexType)} +
         header.streams * std::uint64_t{sizeof(IndexStream)} +
         header.keys * std::uint64_t{sizeof(IndexKey)} +
         header.postings * std::uint64_t{sizeof(IndexPosting)};
}

}  // namespace pawl::inline v0
