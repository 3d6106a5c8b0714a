#pragma once

#include <cstdint>
#include <string>

#include "full_disk_point.h"
#include "hog.h"

namespace pawl::inline v0 {

struct FullDiskPlaces {
  std::string disk;    // file system that may be full: ext4
  std::string memory;  // file system that may be full: tmpfs

  std::string log() const { return disk + "/log"; }
  std::string hot() const { return memory + "/hot"; }
};

// The room that a log has: takes it away, gives it back, and sees what of it is gone.
class FullDiskRoom {
 public:
  FullDiskRoom(const FullDiskPoint& point, FullDiskPlaces places);

  // Leaves what the point says. The file size limit is the process's.
  void Squeeze();
  void Relieve();
  bool is_squeezed() const noexcept { return is_squeezed_; }

  // Looks for what is half made in the log's directory: with a name, and without one, as blocks
  // that are gone and in no file. Returns what it found, or nothing.
  std::string FindLeftovers() const;

  // Gives back everything and removes the log.
  static void CleanUp(const FullDiskPlaces& places);

 private:
  std::uint64_t DiskBlocks() const;

  const FullDiskPoint point_;
  const FullDiskPlaces places_;
  const Hog disk_hog_;
  const Hog memory_hog_;
  bool is_squeezed_ = false;
  std::uint64_t blocks_at_squeeze_ = 0;
};

}  // namespace pawl::inline v0
