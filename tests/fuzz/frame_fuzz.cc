// Scans segments with arbitrary bytes where frames are expected: the scan and FrameWalk agree on
// every frame, and a scan reads nothing outside its segment.
#include <algorithm>
#include <memory>

#include "frame_scan.h"
#include "frame_walk.h"
#include "fuzz_target.h"
#include "pawl/log_reader.h"

namespace pawl::inline v0 {

const std::uint32_t kTargetFiles = kSegmentFiles;

namespace {

SegmentVerdict VerdictOf(FrameWalk::Stop stop) {
  switch (stop) {
    case FrameWalk::Stop::kNoFrame: return SegmentVerdict::kEnds;
    case FrameWalk::Stop::kUnknown: return SegmentVerdict::kNewer;
    case FrameWalk::Stop::kMalformed: return SegmentVerdict::kMalformed;
    case FrameWalk::Stop::kSealed: return SegmentVerdict::kSealed;
  }
  return SegmentVerdict::kEnds;
}

// Records of a frame lie inside it, one behind the other, and are as many as it says.
void CheckRecords(std::span<const std::byte> segment, std::size_t offset) {
  const auto& frame = *reinterpret_cast<const FrameHeader*>(segment.data() + offset);
  const std::byte* const end = segment.data() + offset + frame.length;
  const std::byte* last = segment.data() + offset;
  std::uint64_t position = frame.first_position;
  std::uint32_t sum = 0;
  ForEachRecord(frame, [&](const RecordView& record) {
    PAWL_CHECK(record.position.value() == position++);
    PAWL_CHECK(record.payload() > last && record.payload() + record.header.payload_bytes() <= end);
    last = record.payload();
    for (std::uint32_t i = 0; i < record.header.payload_bytes(); ++i) {
      sum += std::to_integer<std::uint32_t>(record.payload()[i]);
    }
  });
  PAWL_CHECK(position - frame.first_position == frame.records);
  [[maybe_unused]] volatile std::uint32_t kept = sum;  // every byte is really read
}

void CheckWitnesses(const SegmentView& view, const SegmentGeometry& geometry,
                    const ScanCursor& cursor) {
  Witnesses witnesses;
  const Address log_end(geometry.Start(kSegmentsMax));
  const std::uint64_t start = geometry.Start(view.index);
  const std::uint64_t offset = cursor.next.value() > start ? cursor.next.value() - start : 0;
  FindWitnesses(view, geometry, offset, cursor.epoch, log_end, witnesses);
  PAWL_CHECK(witnesses.evidence <= log_end);
  PAWL_CHECK(witnesses.last.value() == 0 ||
             (witnesses.last >= Address(start + offset) && witnesses.epoch >= cursor.epoch));
}

void Run(const LogFiles& files) {
  const SegmentGeometry geometry{kSegmentBytes};
  ScanCursor cursor;
  cursor.next = Address(geometry.FirstFrame(0));
  FrameWalk walk(kSegmentBytes);
  // On the heap and no larger than the segment, so that a byte too far is found.
  const std::unique_ptr<Pages> memory = std::make_unique<Pages>(kSegmentBytes);
  const std::span<std::byte> bytes(memory->data(), kSegmentBytes);
  for (std::uint64_t index = 0; index < kSegmentsMax; ++index) {
    const auto& file = files[kFirstSegment + index];
    if (!file) return;
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    std::copy_n(file->begin(), std::min<std::size_t>(file->size(), kSegmentBytes), bytes.begin());
    const SegmentView view{
        .bytes = bytes, .index = index, .salt = LoadAt<SegmentHeader>(bytes, 0).salt};
    const std::size_t known = walk.frames().size();
    const SegmentVerdict verdict = ScanSegment(view, geometry, cursor);
    PAWL_CHECK(verdict == VerdictOf(walk.Follow(bytes, index)));
    PAWL_CHECK(cursor.next.value() == walk.end() && cursor.position.value() == walk.position());
    PAWL_CHECK(cursor.epoch.value() == walk.epoch());
    PAWL_CHECK(cursor.evidence.value() == walk.evidence());
    PAWL_CHECK(cursor.frames == walk.frames().size());
    for (std::size_t i = known; i < walk.frames().size(); ++i) {
      CheckRecords(bytes, walk.frames()[i].address - geometry.Start(index));
    }
    CheckWitnesses(view, geometry, cursor);
    if (verdict != SegmentVerdict::kSealed) return;
  }
}

}  // namespace
}  // namespace pawl::inline v0

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pawl::Run(pawl::EditScript::Parse({data, size}).Files(pawl::kTargetFiles));
  return 0;
}
