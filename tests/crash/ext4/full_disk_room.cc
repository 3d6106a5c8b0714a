#include "full_disk_room.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

// Blocks that a file system may keep for its own books (extents, directories).
constexpr std::uint64_t kBookBlocks = 16;

void LimitFileSize(rlim_t bytes) {
  // The signal's default action is what a host has that knows nothing of us.
  std::signal(SIGXFSZ, SIG_DFL);
  const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
  PAWL_CHECK(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

}  // namespace

FullDiskRoom::FullDiskRoom(const FullDiskPoint& point, FullDiskPlaces places)
    : point_(point),
      places_(std::move(places)),
      disk_hog_(places_.disk),
      memory_hog_(places_.memory) {}

void FullDiskRoom::CleanUp(const FullDiskPlaces& places) {
  Hog(places.disk).Leave();
  Hog(places.memory).Leave();
  std::filesystem::remove_all(places.log());
  std::filesystem::remove_all(places.hot());
}

void FullDiskRoom::Squeeze() {
  const Shortage shortage = point_.shortage;
  if (shortage == Shortage::kDisk || shortage == Shortage::kBoth) disk_hog_.Squeeze(point_.blocks);
  if (shortage == Shortage::kMemory || shortage == Shortage::kBoth) {
    // Memory is full before the disk is.
    memory_hog_.Squeeze(shortage == Shortage::kBoth ? point_.blocks / 4 : point_.blocks);
  }
  blocks_at_squeeze_ = DiskBlocks();
  if (shortage == Shortage::kFileSize) LimitFileSize(point_.blocks * Hog::kBlockBytes);
  is_squeezed_ = true;
}

void FullDiskRoom::Relieve() {
  if (point_.shortage == Shortage::kFileSize) LimitFileSize(RLIM_INFINITY);
  disk_hog_.Leave();
  memory_hog_.Leave();
  is_squeezed_ = false;
}

std::string FullDiskRoom::FindLeftovers() const {
  if (!std::filesystem::exists(places_.log())) return "";
  for (const auto& entry : std::filesystem::directory_iterator(places_.log())) {
    const std::string name = entry.path().filename();
    const bool is_draft = name.find(".tmp") != std::string::npos;
    const bool is_short = name.ends_with(".seg") && entry.file_size() != point_.segment_bytes;
    if (is_draft || is_short) {
      return absl::StrCat(name, " stays, with ", entry.file_size(), " bytes");
    }
  }
  const std::uint64_t blocks = DiskBlocks();
  if (blocks + kBookBlocks >= blocks_at_squeeze_) return "";
  return absl::StrCat(blocks_at_squeeze_ - blocks, " blocks are gone and in no file");
}

// Blocks that are free or in a file of the log that has a name.
std::uint64_t FullDiskRoom::DiskBlocks() const {
  std::uint64_t blocks = disk_hog_.FreeBlocks();
  if (!std::filesystem::exists(places_.log())) return blocks;
  for (const auto& entry : std::filesystem::directory_iterator(places_.log())) {
    struct stat facts {};
    PAWL_CHECK(::stat(entry.path().c_str(), &facts) == 0);
    blocks += static_cast<std::uint64_t>(facts.st_blocks) * 512 / Hog::kBlockBytes;
  }
  return blocks;
}

}  // namespace pawl::inline v0
