#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>

#include "gate_storage.h"
#include "test_directory.h"

namespace pawl {

// What the machine does not have, and the engine goes on without.
enum class Fallback : std::uint8_t {
  kNone,            // it has everything
  kNoDirectWrites,  // a file system without O_DIRECT: buffered writes and fdatasync
  kNoRoom,          // a hot directory without room: images in the log directory
  kRoomForSome,     // one that is full at the second image
  kNoPermission,    // none may be made
  kNoBootId,        // nothing tells one boot from another
};

inline std::string_view NameOf(Fallback fallback) {
  switch (fallback) {
    case Fallback::kNone: return "Whole";
    case Fallback::kNoDirectWrites: return "NoDirectWrites";
    case Fallback::kNoRoom: return "NoRoomInMemory";
    case Fallback::kRoomForSome: return "MemoryFullLater";
    case Fallback::kNoPermission: return "NoHotDirectory";
    case Fallback::kNoBootId: return "NoBootId";
  }
  return "";
}

// How gtest prints it.
inline void PrintTo(Fallback fallback, std::ostream* out) { *out << NameOf(fallback); }

// A machine with one of these for as long as it lives, of real file systems where it takes one.
class FallbackGround {
 public:
  explicit FallbackGround(Fallback fallback)
      : fallback_(fallback), mount_point_(root_.root() + "/fs") {
    std::filesystem::create_directory(mount_point_);
    const std::uint64_t page = 4096;
    switch (fallback) {
      case Fallback::kNoDirectWrites: Mount("ramfs", 0, ""); break;
      // Lock, marks, and the image of one segment.
      case Fallback::kRoomForSome:
        Mount("tmpfs", 0, "size=" + std::to_string(kSegmentBytes + 8 * page));
        break;
      case Fallback::kNoRoom: Mount("tmpfs", 0, "size=" + std::to_string(8 * page)); break;
      case Fallback::kNoPermission: Mount("tmpfs", MS_RDONLY, ""); break;
      default: break;
    }
  }
  FallbackGround(const FallbackGround&) = delete;
  FallbackGround& operator=(const FallbackGround&) = delete;
  ~FallbackGround() {
    if (is_mounted_) ::umount2(mount_point_.c_str(), MNT_DETACH);
  }

  // False: the machine does not let us mount what it takes.
  bool is_there() const { return !wants_mount_ || is_mounted_; }

  EngineOptions Options() const {
    EngineOptions options = root_.Options();
    if (fallback_ == Fallback::kNoDirectWrites) options.directory = mount_point_ + "/log";
    if (HasImagesWithLog()) options.hot_directory = mount_point_ + "/hot";
    return options;
  }
  // Changes `storage` to one that lacks what no file system lacks.
  void Apply(GateStorage& storage) const {
    if (fallback_ == Fallback::kNoBootId) storage.ForgetBootId();
  }
  // Sooner or later.
  bool HasImagesWithLog() const {
    return fallback_ == Fallback::kNoRoom || fallback_ == Fallback::kRoomForSome ||
           fallback_ == Fallback::kNoPermission;
  }

 private:
  static constexpr std::uint64_t kSegmentBytes = std::uint64_t{1} << 20;

  // From now on mounts are this process's own, so that none stays behind a test that crashes.
  static bool HasOwnMounts() {
    static const bool has =
        ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, "") == 0;
    return has;
  }

  void Mount(const char* kind, unsigned long flags, const std::string& how) {
    wants_mount_ = true;
    is_mounted_ =
        HasOwnMounts() && ::mount(kind, mount_point_.c_str(), kind, flags, how.c_str()) == 0;
  }

  const Fallback fallback_;
  const TestDirectory root_;
  const std::string mount_point_;
  bool wants_mount_ = false;
  bool is_mounted_ = false;
};

}  // namespace pawl
