// Reads whatever the manifest and the headers of segments hold: what is believed keeps every rule
// of FORMAT.md, what is refused is left as it was.
#include <array>
#include <cstring>

#include "frame_walk.h"
#include "fuzz_target.h"
#include "manifest.h"

namespace pawl::inline v0 {

const std::uint32_t kTargetFiles = 1U << kManifestFile | kSegmentFiles;

namespace {

bool HasOnlyZeros(std::span<const std::byte> bytes) {
  constexpr std::array<std::byte, sizeof(Manifest)> kZeros{};
  return bytes.size() <= kZeros.size() &&
         std::memcmp(bytes.data(), kZeros.data(), bytes.size()) == 0;
}

bool IsSound(const std::optional<Bytes>& file) {
  if (!file || file->size() != sizeof(Manifest) || !FrameWalk::IsBlock(*file)) return false;
  const auto manifest = LoadAt<Manifest>(*file, 0);
  return manifest.magic == kManifestMagic && manifest.format_version == 1 &&
         manifest.reserved == 0 && manifest.segment_bytes >= 0x10000 &&
         manifest.segment_bytes <= 0x1'0000'0000 && manifest.segment_bytes % 0x10000 == 0 &&
         HasOnlyZeros(std::span(*file).subspan(48, 4092 - 48));
}

absl::StatusCode Expected(const std::optional<Bytes>& file) {
  if (!file) return absl::StatusCode::kNotFound;
  if (IsSound(file)) return absl::StatusCode::kOk;
  // Whole, but from another program or from a newer version of this one.
  const bool is_whole = file->size() == sizeof(Manifest) && FrameWalk::IsBlock(*file);
  if (!is_whole) return absl::StatusCode::kDataLoss;
  const auto manifest = LoadAt<Manifest>(*file, 0);
  const bool is_foreign = manifest.magic != kManifestMagic || manifest.format_version > 1;
  return is_foreign ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kDataLoss;
}

bool IsHeaderSound(const Bytes& block, const Manifest& manifest, std::uint64_t index) {
  const auto header = LoadAt<SegmentHeader>(block, 0);
  return FrameWalk::IsBlock(block) && header.magic == kSegmentMagic && header.format_version <= 1 &&
         header.log_id == manifest.log_id && header.index == index &&
         header.segment_bytes == manifest.segment_bytes;
}

void Run(LogFiles files) {
  // Of the segments only the headers are read.
  for (std::size_t i = kFirstSegment; i < kFirstSegment + kSegmentsMax; ++i) {
    if (files[i] && files[i]->size() > sizeof(SegmentHeader)) {
      files[i] = Bytes(files[i]->begin(), files[i]->begin() + sizeof(SegmentHeader));
    }
  }
  SimStorage machine(MachineOptions(false));
  PutFiles(files, machine);
  const absl::StatusOr<Manifest> manifest = ReadManifest(machine, kLogDirectory);
  PAWL_CHECK(manifest.status().code() == Expected(files[kManifestFile]));
  PAWL_CHECK(HoldsFiles(files, machine));
  if (!manifest.ok()) return PAWL_CHECK(!manifest.status().message().empty());
  PAWL_CHECK(std::memcmp(&*manifest, files[kManifestFile]->data(), sizeof *manifest) == 0);
  for (std::size_t i = 0; i < kSegmentsMax; ++i) {
    if (!files[kFirstSegment + i]) continue;
    Bytes block = *files[kFirstSegment + i];
    block.resize(sizeof(SegmentHeader));
    const absl::Status status =
        CheckSegmentHeader(LoadAt<SegmentHeader>(block, 0), *manifest, i, PathOf(i));
    PAWL_CHECK(status.ok() == IsHeaderSound(block, *manifest, i));
  }
}

}  // namespace
}  // namespace pawl::inline v0

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pawl::Run(pawl::EditScript::Parse({data, size}).Files(pawl::kTargetFiles));
  return 0;
}
