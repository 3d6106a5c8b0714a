// Reads whatever the index of a segment holds: what is believed keeps every search within the
// segment, and an index that was not touched finds what a walk over the segment finds.
#include <algorithm>
#include <memory>
#include <vector>

#include "content_hash.h"
#include "frame_checksum.h"
#include "fuzz_target.h"
#include "index_builder.h"
#include "made_log.h"
#include "manifest.h"
#include "segment_index.h"
#include "segment_walk.h"

namespace pawl::inline v0 {

// The edits of any file are taken for edits of the index; one number is as good as another.
const std::uint32_t kTargetFiles = 1U << kFirstSegment;

namespace {

struct Made {
  SegmentHeader segment{};
  Bytes index;
};

// The index of the first segment of a log that has two.
Made MakeIndex() {
  const LogFiles& files = FilesOf(MadeLog::kCut);
  SimStorage machine(MachineOptions(false));
  PutFiles(files, machine);
  const absl::StatusOr<Manifest> manifest = ReadManifest(machine, kLogDirectory);
  PAWL_CHECK(manifest.ok());
  ScanCursor start;
  start.next = Address(kSegmentHeaderBytes);
  absl::StatusOr<std::unique_ptr<SegmentWalk>> walk =
      SegmentWalk::Open(machine, kLogDirectory, *manifest, 0, start);
  PAWL_CHECK(walk.ok());
  IndexBuilder builder((*walk)->header(), start, ContentHash{});
  for (;;) {
    const absl::StatusOr<const FrameHeader*> frame = (*walk)->Next();
    PAWL_CHECK(frame.ok());
    if (*frame == nullptr) break;
    builder.Add(**frame);
  }
  return {(*walk)->header(), builder.Finish((*walk)->cursor())};
}

void Apply(const Edit& edit, Bytes& bytes) {
  if (edit.kind == EditKind::kResize) bytes.resize(2 * std::size_t{edit.at});
  const bool is_overwrite =
      edit.kind == EditKind::kOverwrite || edit.kind == EditKind::kOverwriteFrame;
  if (!is_overwrite || bytes.empty()) return;
  // Half of the places are in the tables.
  std::size_t at = edit.kind == EditKind::kOverwrite ? edit.at : kBlockBytes + edit.at;
  for (const std::uint8_t byte : edit.payload) bytes[at++ % bytes.size()] = std::byte{byte};
}

void RepairChecksums(Bytes& bytes) {
  if (bytes.size() < sizeof(SegmentIndexHeader)) return;
  auto header = LoadAt<SegmentIndexHeader>(bytes, 0);
  header.body_checksum = Crc32c(0, bytes.data() + sizeof header, bytes.size() - sizeof header);
  header.checksum = BlockChecksum(header);
  StoreAt(bytes, 0, header);
}

// Every answer is within the segment, whatever the tables say.
void Search(const SegmentIndex& index, const SegmentHeader& segment) {
  const auto is_within = [&](const IndexPlace& place) {
    const std::uint64_t offset = std::uint64_t{place.offset64} * kFrameAlignBytes;
    return offset >= kSegmentHeaderBytes && offset < segment.segment_bytes;
  };
  const std::uint64_t first = index.first_position().value();
  for (const std::uint64_t step : {0U, 1U, 2U, 5U, 1000U}) {
    PAWL_CHECK(is_within(index.PlaceOf(Position(first + step))));
    PAWL_CHECK(is_within(index.PlaceBefore(index.header().first_time_ns + step)));
  }
  PAWL_CHECK(is_within(index.PlaceOf(Position(~std::uint64_t{0}))));
  PAWL_CHECK(is_within(index.PlaceBefore(~std::uint64_t{0})));
  std::size_t postings = 0;
  for (const IndexStream& row : index.streams()) {
    for (const IndexPosting posting : index.PostingsOf(row.stream)) {
      PAWL_CHECK(posting < index.header().records);
      ++postings;
    }
  }
  PAWL_CHECK(postings <= index.header().postings);
  PAWL_CHECK(index.keys().size() == index.header().keys);
}

void Run(const EditScript& script) {
  static const Made made = MakeIndex();
  Bytes bytes = made.index;
  for (const Edit& edit : script.edits) Apply(edit, bytes);
  if (script.choices % 4 != 0) RepairChecksums(bytes);
  const bool is_as_made = bytes == made.index;
  const absl::StatusOr<std::unique_ptr<const SegmentIndex>> index =
      SegmentIndex::Parse(bytes, "index", made.segment);
  PAWL_CHECK(index.ok() || (absl::IsDataLoss(index.status()) && !is_as_made));
  if (index.ok()) Search(**index, made.segment);
}

}  // namespace
}  // namespace pawl::inline v0

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pawl::Run(pawl::EditScript::Parse({data, size}));
  return 0;
}
