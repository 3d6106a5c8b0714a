#pragma once

#include <cstdint>
#include <string>

namespace pawl::inline v0 {

// A file that eats a file system.
class Hog {
 public:
  static constexpr std::uint64_t kBlockBytes = 4096;

  explicit Hog(const std::string& folder) : path_(folder + "/hog") {}

  // Leaves `blocks` blocks free, or what is free if that is less.
  void Squeeze(std::uint64_t blocks) const;
  // Gives back everything. Nothing happens if there is no hog.
  void Leave() const;
  // Blocks that are free in the file system, once what was freed is free on the disk too.
  std::uint64_t FreeBlocks() const;

 private:
  void SyncFileSystem() const;

  const std::string path_;
};

}  // namespace pawl::inline v0
