#include "frame_scan.h"

#include <algorithm>
#include <cstring>

#include "frame_checksum.h"

namespace pawl::inline v0 {
namespace {

constexpr std::size_t kHeaderBytes = sizeof(FrameHeader);

template <class T>
T Load(std::span<const std::byte> bytes, std::size_t offset) noexcept {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// Where in the view an address of its segment is.
std::size_t OffsetIn(const SegmentView& segment, const SegmentGeometry& geometry,
                     Address address) noexcept {
  return address.value() - geometry.Start(segment.index) - segment.first;
}

// The frame at `offset`, if its length, place and checksum are right.
bool IsWhole(const SegmentView& segment, std::uint64_t address, std::size_t offset,
             FrameHeader& header) noexcept {
  const std::size_t left = segment.bytes.size() - offset;
  if (left < kHeaderBytes) return false;
  header = Load<FrameHeader>(segment.bytes, offset);
  return header.address == address && header.length >= kHeaderBytes && header.length <= left &&
         header.length % kFrameAlignBytes == 0 &&
         header.checksum ==
             FrameChecksum(segment.salt, segment.bytes.data() + offset, header.length);
}

// Extension blocks of a commit. Returns where the records start, or 0 if the blocks leave it.
std::size_t SkipExtensions(std::span<const std::byte> commit) noexcept {
  std::size_t at = sizeof(CommitHeader);
  for (bool more = true; more;) {
    if (commit.size() - at < sizeof(ExtensionHeader)) return 0;
    const auto block = Load<ExtensionHeader>(commit, at);
    const bool is_sane = block.bytes >= sizeof(ExtensionHeader) && block.bytes % 8 == 0 &&
                         block.bytes <= commit.size() - at && block.more <= 1;
    if (!is_sane) return 0;
    at += block.bytes;
    more = block.more != 0;
  }
  return at;
}

// The records fill the commit exactly.
bool RecordsTile(std::span<const std::byte> commit, const CommitHeader& header) noexcept {
  std::size_t at = sizeof(CommitHeader);
  if ((header.flags & kCommitHasExtensions) != 0) at = SkipExtensions(commit);
  if (at == 0) return false;
  std::uint32_t records = 0;
  while (at < commit.size()) {
    if (commit.size() - at < sizeof(RecordHeader)) return false;
    const auto record = Load<RecordHeader>(commit, at);
    const std::size_t bytes = record.units * std::size_t{kRecordAlignBytes};
    const std::size_t padding = record.flags & kRecordPaddingMask;
    if (bytes < sizeof(RecordHeader) + padding || bytes > commit.size() - at) return false;
    at += bytes;
    ++records;
  }
  return records == header.records && records > 0;
}

// The commits fill the payload exactly, and the padding behind it is zeros.
bool CommitsTile(std::span<const std::byte> frame, const FrameHeader& header) noexcept {
  if (header.payload_bytes > frame.size() - kHeaderBytes) return false;
  if (frame.size() - kHeaderBytes - header.payload_bytes >= kFrameAlignBytes) return false;
  const std::span<const std::byte> payload = frame.subspan(kHeaderBytes, header.payload_bytes);
  std::size_t at = 0;
  std::uint64_t records = 0;
  std::uint32_t commits = 0;
  while (at < payload.size()) {
    if (payload.size() - at < sizeof(CommitHeader)) return false;
    const auto commit = Load<CommitHeader>(payload, at);
    const bool is_sane = commit.bytes % 8 == 0 && commit.bytes > sizeof(CommitHeader) &&
                         commit.bytes <= payload.size() - at;
    if (!is_sane || !RecordsTile(payload.subspan(at, commit.bytes), commit)) return false;
    at += commit.bytes;
    records += commit.records;
    ++commits;
  }
  const auto padding = frame.subspan(kHeaderBytes + header.payload_bytes);
  return commits == header.commits && records == header.records &&
         std::all_of(padding.begin(), padding.end(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

bool IsKnown(const FrameHeader& header) noexcept {
  return header.flags == 0 && (header.kind == FrameKind::kData || header.kind == FrameKind::kSeal);
}

// What the frame says about itself agrees with what it holds.
bool AgreesWithItself(std::span<const std::byte> frame, const FrameHeader& header,
                      const SegmentGeometry& geometry) noexcept {
  const bool is_data = header.kind == FrameKind::kData;
  // Without room for a seal the log could not go on: no writer leaves such a frame.
  const std::uint64_t end = header.address + header.length + (is_data ? kHeaderBytes : 0);
  return header.durable_address <= header.address && is_data == (header.commits > 0) &&
         header.commits <= kFrameCommitsMax &&
         end <= geometry.End(geometry.IndexOf(header.address)) && CommitsTile(frame, header);
}

FrameVerdict CheckContent(std::span<const std::byte> frame, const FrameHeader& header,
                          const SegmentGeometry& geometry, const ScanCursor& cursor) noexcept {
  if (!IsKnown(header)) return FrameVerdict::kNewer;
  const bool follows = header.first_position == cursor.position.value() + 1 &&
                       header.previous_length == cursor.previous_length;
  return follows && AgreesWithItself(frame, header, geometry) ? FrameVerdict::kValid
                                                              : FrameVerdict::kMalformed;
}

}  // namespace

FrameVerdict CheckFrame(const SegmentView& segment, const SegmentGeometry& geometry,
                        const ScanCursor& cursor) noexcept {
  const std::size_t offset = OffsetIn(segment, geometry, cursor.next);
  if (offset >= segment.bytes.size()) return FrameVerdict::kInvalid;
  FrameHeader header;
  if (!IsWhole(segment, cursor.next.value(), offset, header)) return FrameVerdict::kInvalid;
  // A whole frame of an earlier life, or one behind a hole: not the continuation.
  if (header.epoch < cursor.epoch.value() || header.previous_checksum != cursor.previous_checksum) {
    return FrameVerdict::kInvalid;
  }
  return CheckContent(segment.bytes.subspan(offset, header.length), header, geometry, cursor);
}

bool IsSoundFrame(const SegmentView& segment, const SegmentGeometry& geometry,
                  std::uint64_t offset) noexcept {
  FrameHeader header;
  return IsWhole(segment, geometry.Start(segment.index) + offset, offset - segment.first, header) &&
         IsKnown(header) &&
         AgreesWithItself(segment.bytes.subspan(offset - segment.first, header.length), header,
                          geometry);
}

void AdvanceOver(const FrameHeader& frame, std::uint64_t index, const SegmentGeometry& geometry,
                 ScanCursor& cursor) noexcept {
  const bool is_seal = frame.kind == FrameKind::kSeal;
  cursor.next = is_seal ? Address(geometry.FirstFrame(index + 1)) : cursor.next.Plus(frame.length);
  cursor.position = cursor.position.Plus(frame.records);
  cursor.epoch = Epoch(frame.epoch);
  cursor.previous_checksum = frame.checksum;
  cursor.previous_length = is_seal ? 0 : frame.length;
  cursor.time_ns = std::max(cursor.time_ns, frame.time_ns);
  cursor.evidence = std::max(cursor.evidence, Address(frame.durable_address));
  ++cursor.frames;
}

SegmentVerdict ScanSegment(const SegmentView& segment, const SegmentGeometry& geometry,
                           ScanCursor& cursor) noexcept {
  for (;;) {
    switch (CheckFrame(segment, geometry, cursor)) {
      case FrameVerdict::kInvalid: return SegmentVerdict::kEnds;
      case FrameVerdict::kNewer: return SegmentVerdict::kNewer;
      case FrameVerdict::kMalformed: return SegmentVerdict::kMalformed;
      case FrameVerdict::kValid: break;
    }
    const auto header = Load<FrameHeader>(segment.bytes, OffsetIn(segment, geometry, cursor.next));
    AdvanceOver(header, segment.index, geometry, cursor);
    if (header.kind == FrameKind::kSeal) return SegmentVerdict::kSealed;
  }
}

std::size_t SizeWithoutZeroEnd(std::span<const std::byte> bytes) noexcept {
  std::size_t size = bytes.size();
  // Whole words first: most of what is looked at is an unused segment.
  constexpr std::size_t kWords = 8 * sizeof(std::uint64_t);
  while (size >= kWords) {
    std::uint64_t words[8];
    std::memcpy(words, bytes.data() + size - kWords, kWords);
    std::uint64_t any = 0;
    for (const std::uint64_t word : words) any |= word;
    if (any != 0) break;
    size -= kWords;
  }
  while (size > 0 && bytes[size - 1] == std::byte{0}) --size;
  return size;
}

void FindWitnesses(const SegmentView& segment, const SegmentGeometry& geometry,
                   std::uint64_t offset, Epoch epoch_min, Address log_end,
                   Witnesses& witnesses) noexcept {
  constexpr std::size_t kAddress = offsetof(FrameHeader, address);
  const std::uint64_t start = geometry.Start(segment.index);
  for (std::size_t at = std::max(offset, kSegmentHeaderBytes);
       at + kHeaderBytes <= segment.bytes.size(); at += kFrameAlignBytes) {
    if (Load<std::uint64_t>(segment.bytes, at + kAddress) != start + at) continue;
    FrameHeader header;
    if (!IsWhole(segment, start + at, at, header)) continue;
    if (header.epoch < epoch_min.value() || header.durable_address > log_end.value()) continue;
    witnesses.evidence = std::max(witnesses.evidence, Address(header.durable_address));
    witnesses.last = std::max(witnesses.last, Address(header.address));
    witnesses.epoch = std::max(witnesses.epoch, Epoch(header.epoch));
  }
}

}  // namespace pawl::inline v0
