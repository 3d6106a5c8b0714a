#include "checksum_repair.h"

#include <algorithm>

#include "frame_checksum.h"
#include "pawl/hot_marks.h"

namespace pawl::inline v0 {
namespace {

// What the next frame has to continue.
struct Chain {
  std::uint64_t position = 0;
  std::uint32_t epoch = 0;
  std::uint32_t previous_checksum = 0;
  std::uint32_t previous_length = 0;
};

// Length of the frame at `offset`, or 0 if no frame can be there.
std::uint32_t LengthAt(std::span<const std::byte> segment, std::size_t offset) noexcept {
  if (segment.size() < offset + sizeof(FrameHeader)) return 0;
  const auto length = LoadAt<std::uint32_t>(segment, offset);
  const bool is_possible = length >= sizeof(FrameHeader) && length % kFrameAlignBytes == 0 &&
                           length <= segment.size() - offset;
  return is_possible ? length : 0;
}

template <class Block>
void RepairBlock(Bytes& bytes, std::size_t offset) {
  if (bytes.size() < offset + sizeof(Block)) return;
  Block block = LoadAt<Block>(bytes, offset);
  block.checksum = BlockChecksum(block);
  StoreAt(bytes, offset, block);
}

// Counts the records of a commit by their lengths.
std::uint16_t RecordsIn(std::span<const std::byte> commit) noexcept {
  std::uint16_t records = 0;
  std::size_t at = sizeof(CommitHeader);
  if ((LoadAt<CommitHeader>(commit, 0).flags & kCommitHasExtensions) != 0) {
    for (bool more = true; more && commit.size() - at >= sizeof(ExtensionHeader);) {
      const auto block = LoadAt<ExtensionHeader>(commit, at);
      if (block.bytes == 0 || block.bytes > commit.size() - at) return 0;
      at += block.bytes;
      more = block.more != 0;
    }
  }
  while (at < commit.size() && commit.size() - at >= sizeof(RecordHeader)) {
    const std::size_t bytes = LoadAt<RecordHeader>(commit, at).units * std::size_t{8};
    if (bytes == 0 || bytes > commit.size() - at) break;
    at += bytes;
    ++records;
  }
  return records;
}

void RepairCounts(std::span<std::byte> frame, FrameHeader& header) noexcept {
  const auto room = static_cast<std::uint32_t>(frame.size() - sizeof header);
  if (header.payload_bytes > room || room - header.payload_bytes >= kFrameAlignBytes) {
    header.payload_bytes = room;
  }
  header.commits = 0;
  header.records = 0;
  std::span<std::byte> left = frame.subspan(sizeof header, header.payload_bytes);
  while (left.size() >= sizeof(CommitHeader)) {
    auto commit = LoadAt<CommitHeader>(left, 0);
    if (commit.bytes < sizeof commit || commit.bytes > left.size()) break;
    commit.records = RecordsIn(left.first(commit.bytes));
    StoreAt(left, 0, commit);
    ++header.commits;
    header.records += commit.records;
    left = left.subspan(commit.bytes);
  }
}

void RepairFrame(std::span<std::byte> frame, std::uint64_t address, std::uint32_t salt,
                 std::uint8_t repairs, Chain& chain) {
  auto header = LoadAt<FrameHeader>(frame, 0);
  if ((repairs & kRepairCounts) != 0) RepairCounts(frame, header);
  if ((repairs & kRepairChain) != 0) {
    header.address = address;
    header.epoch = std::max(header.epoch, chain.epoch);
    header.previous_checksum = chain.previous_checksum;
    header.previous_length = chain.previous_length;
  }
  if ((repairs & kRepairNumbers) != 0) {
    header.first_position = chain.position + 1;
    header.durable_address = std::min(header.durable_address, header.address);
  }
  StoreAt(frame, 0, header);
  if ((repairs & kRepairFrames) != 0) {
    header.checksum = FrameChecksum(salt, frame.data(), header.length);
    StoreAt(frame, 0, header);
  }
  chain = {.position = header.first_position + header.records - 1,
           .epoch = header.epoch,
           .previous_checksum = header.checksum,
           .previous_length = header.length};
}

void RepairSegment(Bytes& segment, std::uint64_t index, std::uint8_t repairs, Chain& chain) {
  if ((repairs & kRepairBlocks) != 0) RepairBlock<SegmentHeader>(segment, 0);
  if (segment.size() < sizeof(SegmentHeader)) return;
  const auto salt = LoadAt<std::uint32_t>(segment, offsetof(SegmentHeader, salt));
  chain.previous_length = 0;
  std::size_t at = kSegmentHeaderBytes;
  while (const std::uint32_t length = LengthAt(segment, at)) {
    const std::span<std::byte> frame = std::span(segment).subspan(at, length);
    RepairFrame(frame, index * kSegmentBytes + at, salt, repairs, chain);
    at += length;
  }
}

void RepairMarks(Bytes& bytes, const std::optional<Bytes>& manifest) {
  if (bytes.size() < sizeof(HotMarks)) return;
  StoreAt(bytes, offsetof(HotMarks, magic), kMarksMagic);
  StoreAt(bytes, offsetof(HotMarks, format_version), kFormatVersion);
  if (manifest.has_value() && manifest->size() >= sizeof(Manifest)) {
    StoreAt(bytes, offsetof(HotMarks, log_id),
            LoadAt<LogId>(*manifest, offsetof(Manifest, log_id)));
  }
  BootId boot{};  // of a machine that was switched on once
  boot[0] = 1;
  boot[15] = 0x50;
  StoreAt(bytes, offsetof(HotMarks, boot_id), boot);
  StoreAt(bytes, offsetof(HotMarks, manifest_device), kManifestDevice);
  StoreAt(bytes, offsetof(HotMarks, manifest_inode), kManifestInode);
  StoreAt(bytes, offsetof(HotMarks, state), static_cast<std::uint32_t>(MarksState::kOpen));
}

// An image has the header of its file, and so its salt.
void AdoptHeader(Bytes& image, const std::optional<Bytes>& segment) {
  if (!segment.has_value()) return;
  const std::size_t bytes = std::min({image.size(), segment->size(), sizeof(SegmentHeader)});
  if (bytes > 0) std::memcpy(image.data(), segment->data(), bytes);
}

}  // namespace

std::size_t FrameByLengths(std::span<const std::byte> segment, std::size_t number) noexcept {
  std::size_t at = kSegmentHeaderBytes;
  for (std::uint32_t length = LengthAt(segment, at); length != 0 && number > 0; --number) {
    at += length;
    length = LengthAt(segment, at);
  }
  return at;
}

std::size_t EndByLengths(std::span<const std::byte> segment) noexcept {
  return FrameByLengths(segment, segment.size());
}

void RepairLog(LogFiles& files, std::uint8_t repairs) {
  if ((repairs & kRepairBlocks) != 0) {
    if (files[kManifestFile]) RepairBlock<Manifest>(*files[kManifestFile], 0);
    if (files[kEvidenceFile]) {
      RepairBlock<EvidenceSlot>(*files[kEvidenceFile], 0);
      RepairBlock<EvidenceSlot>(*files[kEvidenceFile], kBlockBytes);
    }
  }
  Chain chain;
  for (std::size_t i = 0; i < kSegmentsMax; ++i) {
    const Chain before = chain;
    std::optional<Bytes>& segment = files[kFirstSegment + i];
    if (segment) RepairSegment(*segment, i, repairs, chain);
    for (const std::size_t first : {kFirstLogImage, kFirstImage}) {
      std::optional<Bytes>& image = files[first + i];
      if (!image) continue;
      if ((repairs & kRepairMarks) != 0) AdoptHeader(*image, segment);
      Chain ahead = before;
      RepairSegment(*image, i, repairs, ahead);
      chain = ahead;
    }
  }
  if ((repairs & kRepairMarks) == 0) return;
  if (files[kMarksFile]) RepairMarks(*files[kMarksFile], files[kManifestFile]);
  if (files[kLogMarksFile]) RepairMarks(*files[kLogMarksFile], files[kManifestFile]);
}

}  // namespace pawl::inline v0
