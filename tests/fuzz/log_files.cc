#include "log_files.h"

#include <memory>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

constexpr std::array<const char*, kFiles> kNames = {
    "manifest",       "evidence",           "0000000000.seg", "0000000001.seg", "0000000002.seg",
    "0000000003.seg", "0000000000.img",     "0000000001.img", "0000000002.img", "0000000003.img",
    "marks",          "0000000000.img",     "0000000001.img", "0000000002.img", "0000000003.img",
    "marks",          "0000000001.seg.tmp", "4096.cut",
};

}  // namespace

bool IsImage(std::size_t file) noexcept { return file >= kFirstImage && file <= kLogMarksFile; }

std::string PathOf(std::size_t file) {
  const bool is_hot = file >= kFirstImage && file <= kMarksFile;
  return std::string(is_hot ? kHotDirectory : kLogDirectory) + "/" + kNames.at(file);
}

SimOptions MachineOptions(bool is_buffered) {
  SimOptions options;
  options.disk_bytes_max = std::uint64_t{4} << 20;
  options.memory_bytes_max = std::uint64_t{4} << 20;
  options.is_buffered = is_buffered;
  return options;
}

void PutFiles(const LogFiles& files, SimStorage& machine) {
  PAWL_CHECK(machine.CreateDirectory("/disk").ok());
  PAWL_CHECK(machine.CreateDirectory(kLogDirectory).ok());
  for (std::size_t file = 0; file < kFiles; ++file) {
    if (!files[file].has_value()) continue;
    if (file >= kFirstImage && file <= kMarksFile) {
      PAWL_CHECK(machine.CreateDirectory(kHotDirectory).ok());
    }
    // No memory of no bytes.
    if (!IsImage(file)) machine.PutFile(PathOf(file), *files[file], SimDisk::Stored::kFile);
    if (IsImage(file) && !files[file]->empty()) {
      machine.PutFile(PathOf(file), *files[file], SimDisk::Stored::kImage);
    }
    if (file != kManifestFile) continue;
    const absl::StatusOr<FileIdentity> identity = machine.Identify(PathOf(file));
    PAWL_CHECK(identity.ok() && identity->device == kManifestDevice &&
               identity->inode == kManifestInode);
  }
  PAWL_CHECK(machine.SyncDirectory(kLogDirectory).ok());
  PAWL_CHECK(machine.SyncDirectory("/disk").ok());
  PAWL_CHECK(machine.SyncDirectory("").ok());
}

bool HoldsFiles(const LogFiles& files, SimStorage& machine) {
  std::size_t expected = 0;
  for (std::size_t file = 0; file < kFiles; ++file) {
    if (!files[file].has_value() || (IsImage(file) && files[file]->empty())) continue;
    ++expected;
    if (!machine.Holds(PathOf(file), *files[file])) return false;
  }
  std::size_t found = 0;
  for (const char* const directory : {kLogDirectory, kHotDirectory}) {
    const absl::StatusOr<std::vector<std::string>> names = machine.List(directory);
    if (names.ok()) found += names->size();
  }
  return found == expected;
}

}  // namespace pawl::inline v0
