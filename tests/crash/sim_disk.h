#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cut_choices.h"
#include "sim_file.h"

namespace pawl::inline v0 {

// The files and directories of a simulated machine, with all that is not synced yet. Everything
// below the memory root lives in memory: a power cut takes it, the death of a process does not.
//
// The rules are those of POSIX, not of one file system: a name is durable only after its directory
// was synced, bytes and size only after their file was, and nothing orders what is not synced.
class SimDisk {
 public:
  SimDisk(std::string memory_root, std::uint64_t disk_bytes_max, std::uint64_t memory_bytes_max);

  // What a name stands for. Numbers are never used again.
  struct Entry {
    std::uint64_t inode = 0;
    bool is_directory = false;
  };

  absl::Status CreateDirectory(const std::string& path);
  absl::Status RemoveDirectory(const std::string& path);
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) const;
  absl::StatusOr<Entry> Find(const std::string& path) const;
  absl::Status CreateFile(const std::string& path);
  absl::Status Rename(const std::string& from, const std::string& to);
  absl::Status Unlink(const std::string& path);
  absl::Status SyncDirectory(const std::string& path);
  // Grows a file; takes what is free and fails if that is too little, as ext4 does.
  absl::Status Allocate(std::uint64_t inode, std::uint64_t bytes);
  absl::Status CreateImage(const std::string& path, std::uint64_t bytes);
  // A file that was there before the machine was switched on: durable, bytes and name. An image is
  // a file in memory that can be mapped. The directory exists, the name is free.
  enum class Stored : std::uint8_t { kFile, kImage };
  void PutFile(const std::string& path, std::shared_ptr<Pages> pages, Stored as);

  SimFile& file(std::uint64_t inode);
  const SimFile& file(std::uint64_t inode) const;
  void set_disk_bytes_max(std::uint64_t bytes) noexcept { disk_bytes_max_ = bytes; }
  void set_memory_bytes_max(std::uint64_t bytes) noexcept { memory_bytes_max_ = bytes; }
  // Memory of a hot image, or nullptr for other files.
  std::shared_ptr<Pages> image(std::uint64_t inode) const;
  bool IsInMemory(const std::string& path) const;
  std::uint64_t FreeBytes(bool in_memory) const;

  // A machine whose processes died: same bytes, images of its own.
  SimDisk Clone() const;
  // The machine after the power came back. Asks `choices` about all that was not synced.
  void PowerCut(CutChoices& choices);

 private:
  enum class NameChange : std::uint8_t { kLink, kRename, kUnlink };
  struct Unsynced {
    NameChange change;
    std::string name;
    std::string to;  // of a rename
    Entry entry;
  };
  using Names = std::map<std::string, Entry, std::less<>>;
  struct Directory {
    Names seen;
    Names platter;
    std::vector<Unsynced> unsynced;  // in order
  };
  struct Node {
    SimFile file;
    std::shared_ptr<Pages> image;
    bool is_in_memory = false;
  };

  static std::string_view Parent(std::string_view path);
  static std::string_view Name(std::string_view path);
  static absl::Status NotFound(std::string_view path);
  static void Apply(Names& names, const Unsynced& change);
  static void CutImage(Pages& image, CutChoices& choices);
  // True if what lies in the directory is lost with the power.
  bool IsMemory(std::string_view directory) const;
  void Change(std::string_view directory, Unsynced change);
  void DropDirectory(const std::string& path);
  void CutNames(CutChoices& choices);

  std::string memory_root_;
  std::uint64_t disk_bytes_max_;
  std::uint64_t memory_bytes_max_;
  std::uint64_t next_inode_ = 2;
  std::map<std::string, Directory, std::less<>> directories_;  // by path
  std::map<std::uint64_t, Node> nodes_;
};

}  // namespace pawl::inline v0
