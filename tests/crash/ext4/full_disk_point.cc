#include "full_disk_point.h"

#include "pawl/format.h"
#include "sim_random.h"

namespace pawl::inline v0 {
namespace {

struct Kind {
  Shortage shortage;
  std::uint64_t segment_bytes;
};

constexpr Kind kKinds[] = {
    {Shortage::kDisk, kSegmentBytesMin},         {Shortage::kDisk, 2 * kSegmentBytesMin},
    {Shortage::kDisk, 4 * kSegmentBytesMin},     {Shortage::kMemory, kSegmentBytesMin},
    {Shortage::kMemory, 2 * kSegmentBytesMin},   {Shortage::kBoth, kSegmentBytesMin},
    {Shortage::kFileSize, 2 * kSegmentBytesMin},
};
constexpr std::uint64_t kKindCount = sizeof kKinds / sizeof kKinds[0];

// Blocks that make a difference: three segments, or one file, and the log's small files.
std::uint64_t BlocksEnd(const Kind& kind) noexcept {
  const std::uint64_t segment_blocks = kind.segment_bytes / kBlockBytes;
  return kind.shortage == Shortage::kFileSize ? segment_blocks + 4 : 3 * segment_blocks + 24;
}

}  // namespace

const char* NameOf(Shortage shortage) noexcept {
  switch (shortage) {
    case Shortage::kDisk: return "disk";
    case Shortage::kMemory: return "memory";
    case Shortage::kBoth: return "disk_and_memory";
    case Shortage::kFileSize: return "file_size";
  }
  return "unknown";
}

const char* NameOf(FullMoment moment) noexcept {
  switch (moment) {
    case FullMoment::kNewLog: return "before_open";
    case FullMoment::kReopen: return "before_reopen";
    case FullMoment::kAppend: return "before_append";
    case FullMoment::kRoll: return "before_roll";
    case FullMoment::kClose: return "before_close";
  }
  return "unknown";
}

FullDiskPoint FullDiskPoint::At(std::uint64_t number, std::uint64_t seed) noexcept {
  const Kind& kind = kKinds[number / kFullMoments % kKindCount];
  return {.shortage = kind.shortage,
          .moment = static_cast<FullMoment>(number % kFullMoments),
          .segment_bytes = kind.segment_bytes,
          .blocks = number / (kFullMoments * kKindCount) % BlocksEnd(kind),
          .seed = SimRandom::For(seed, number, 1).Next()};
}

}  // namespace pawl::inline v0
