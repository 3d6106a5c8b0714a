#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/format.h"

namespace pawl::inline v0 {

// A file of the log as the storage below sees it. Every offset and size is in bytes.
// One thread at a time.
class File {
 public:
  virtual ~File() = default;

  // Fills `into` from `offset` on.
  //   errors    OUT_OF_RANGE the file ends before; UNKNOWN read error, with file and errno
  virtual absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> into) = 0;

  // Writes `head` and right behind it `tail` (may be empty) at `offset`.
  // For a file opened `durable` all of it survives a power cut once this returned Ok; offset and
  // both sizes are then multiples of kBlockBytes and the memory is aligned alike. A write that
  // failed is never tried again: what the disk holds is unknown until it is read back.
  //   errors    UNKNOWN write or sync error; RESOURCE_EXHAUSTED no space; with file and errno
  virtual absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                               std::span<const std::byte> tail) = 0;

  // Gives the file `bytes` bytes of allocated blocks that read as zeros.
  //   errors    RESOURCE_EXHAUSTED no space (the caller unlinks the file); UNKNOWN otherwise
  virtual absl::Status Allocate(std::uint64_t bytes) = 0;

  // Makes everything written so far survive a power cut. Never called again after a failure.
  virtual absl::Status Sync() = 0;

  virtual absl::StatusOr<std::uint64_t> Size() = 0;

  // False for a durable file whose writes go through the page cache and are synced one by one.
  virtual bool is_direct() const noexcept { return true; }
};

// A range of memory that shows a file: a hot image (writable) or a sealed segment (read-only).
// Lives until the last shared_ptr to it is gone, also when the file is unlinked before.
class Mapping {
 public:
  Mapping(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  virtual ~Mapping() = default;

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

  // True once bytes of it were taken away while it was mapped (pawl/fault_guard.h): it may read as
  // zeros. Ask after the bytes were used, before acting on them.
  bool is_damaged() const noexcept {
    // Acquire: pairs with the release in SetDamaged(), which comes before the zeros.
    return is_damaged_.load(std::memory_order_acquire);
  }
  void SetDamaged() noexcept { is_damaged_.store(true, std::memory_order_release); }

 private:
  std::byte* const data_;
  const std::size_t size_;
  // Writer: the fault guard, in any thread. Readers: any. Only rises.
  std::atomic<bool> is_damaged_{false};
};

enum class FileMode {
  kRead,     // must exist; reads come from the disk, not from a cache of it, where possible
  kCreate,   // must not exist; buffered writes, durable after Sync()
  kDurable,  // must exist; aligned writes, each durable when it returns
};

// What a name stands for. A link is itself, not what it leads to.
struct FileIdentity {
  enum class Kind : std::uint8_t { kRegular, kDirectory, kLink, kOther };

  std::uint64_t device = 0;  // with the inode: the same file whatever it is called
  std::uint64_t inode = 0;
  Kind kind = Kind::kRegular;
  std::uint32_t owner = 0;  // number of a user
  bool is_ours = true;      // the owner is the user of this process
  bool is_writable_by_all = false;

  // True for the same file, whatever became of its owner and permissions.
  friend bool operator==(const FileIdentity& a, const FileIdentity& b) noexcept {
    return a.device == b.device && a.inode == b.inode;
  }
};

// The only way the log touches files and hot images, so that tests can cut the power at any write.
// Header-only, no key function: users may derive with -fno-rtti.
// Threads: any, except that one File is used by one thread at a time. Messages name path and errno.
class Storage {
 public:
  virtual ~Storage() = default;

  virtual absl::Status CreateDirectory(const std::string& path) = 0;  // Ok if it is there already
  //   errors    FAILED_PRECONDITION not empty, in use as a mount point, or no permission
  virtual absl::Status RemoveDirectory(const std::string& path) = 0;
  //   errors    NOT_FOUND no such directory
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  //   errors    NOT_FOUND no such file; ALREADY_EXISTS for kCreate; FAILED_PRECONDITION not a
  //             regular file, or no permission; RESOURCE_EXHAUSTED no space; UNKNOWN otherwise
  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) = 0;
  // Replaces `to` if it exists; atomic, durable after SyncDirectory().
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Unlink(const std::string& path) = 0;  // NOT_FOUND if it is not there
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  //   errors    NOT_FOUND nothing has that name; FAILED_PRECONDITION no permission to look
  virtual absl::StatusOr<FileIdentity> Identify(const std::string& path) = 0;

  // Takes the writer's lock of `directory`; it ends with the returned object or the process.
  //   errors    FAILED_PRECONDITION held by another engine (names its pid where known)
  virtual absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& directory) = 0;

  // Maps `path` writable and shared with other processes. `bytes` > 0 creates the file anew
  // (replacing what is there) as zeros, with all its memory present: no later store faults or
  // fails. `bytes` == 0 maps what exists.
  //   errors    NOT_FOUND, also of an empty file; RESOURCE_EXHAUSTED the memory file system is full
  //   (nothing is left
  //             behind); FAILED_PRECONDITION no such directory or no permission
  virtual absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                            std::uint64_t bytes) = 0;
  // Maps a whole file read-only.
  virtual absl::StatusOr<std::shared_ptr<Mapping>> MapFile(const std::string& path) = 0;

  // Maps a hot image or marks of another process read-only and keeps it: as long as the mapping
  // lives, in whichever process, RenameUnkept() refuses the file.
  //   errors    NOT_FOUND there is none, or it is being taken away
  virtual absl::StatusOr<std::shared_ptr<Mapping>> MapKept(const std::string& path) {
    return MapFile(path);
  }
  // Renames a file that no MapKept() keeps; from then on nobody finds it under its old name.
  //   errors    FAILED_PRECONDITION somebody keeps it
  virtual absl::Status RenameUnkept(const std::string& from, const std::string& to) {
    return Rename(from, to);
  }

  // Copies a finished frame into a hot image: everything behind the first 8 bytes first, then
  // those (length and checksum) as one release store, so that a frame whose length can be read is
  // whole. The caller publishes it afterwards. Hot: no system call, no allocation.
  //   frame     FrameHeader and payload, 8-byte aligned; `bytes` = its length
  virtual void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                          std::uint32_t bytes) noexcept = 0;
  // Stores zeros or a block that is no frame (headers); not for published bytes.
  virtual void StoreBytes(Mapping& image, std::uint64_t offset,
                          std::span<const std::byte> bytes) noexcept = 0;

  virtual absl::StatusOr<BootId> ReadBootId() = 0;
  virtual std::uint64_t Random() = 0;       // ids and salts
  virtual std::uint64_t WallClockNs() = 0;  // nanoseconds since 1970
};

// The operating system's files. One per process, lives for ever.
Storage& PosixStorage();

}  // namespace pawl::inline v0
