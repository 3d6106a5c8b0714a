#pragma once

#include <cstdint>

namespace pawl::inline v0 {

// What runs out.
enum class Shortage : std::uint8_t { kDisk, kMemory, kBoth, kFileSize };
inline constexpr std::uint64_t kShortages = 4;
const char* NameOf(Shortage shortage) noexcept;

// When it does.
enum class FullMoment : std::uint8_t { kNewLog, kReopen, kAppend, kRoll, kClose };
inline constexpr std::uint64_t kFullMoments = 5;
const char* NameOf(FullMoment moment) noexcept;

// One point of the campaign.
struct FullDiskPoint {
  Shortage shortage = Shortage::kDisk;
  FullMoment moment = FullMoment::kNewLog;
  std::uint64_t segment_bytes = 0;
  std::uint64_t blocks = 0;  // of 4 KiB that are left: free, or below the file size limit
  std::uint64_t seed = 0;    // of what else is drawn

  // Point `number`: every shortage at every moment, then again with one block more, up to as many
  // as make no difference any more, then again with other draws.
  static FullDiskPoint At(std::uint64_t number, std::uint64_t seed) noexcept;
};

}  // namespace pawl::inline v0
