#include "posix_mapping.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "guarded_ranges.h"
#include "posix_status.h"

namespace pawl::inline v0 {
namespace {

// Populating holds the process's memory map for reading; in such pieces nobody waits long for it.
constexpr std::size_t kPopulateBytes = std::size_t{2} << 20;

// A huge page of x86-64, and of ARM with pages of 4 KiB.
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

constexpr int kCollapse = 25;  // MADV_COLLAPSE, which the C library of Debian 12 does not name

class PosixMapping final : public Mapping {
 public:
  PosixMapping(std::byte* data, std::size_t size) noexcept : Mapping(data, size) {
    GuardedRanges::Get().Add(*this);
  }
  ~PosixMapping() override {
    GuardedRanges::Get().Remove(*this);
    ::munmap(data(), size());
  }

  void Keep(OwnedDescriptor fd) noexcept { kept_ = std::move(fd); }

 private:
  OwnedDescriptor kept_;  // with the shared lock, if there is one
};

int Advise(std::byte* data, std::size_t size, int advice) noexcept {
  int rc = 0;
  do {
    rc = ::madvise(data, size, advice);
  } while (rc != 0 && errno == EINTR);
  return rc;
}

// Makes huge pages of the empty file that is mapped here, as many as memory and kernel (6.1) give;
// whatever the file system's mount options say (measured: README.md, decision 17). A hint.
void UseHugePages(std::byte* data, std::size_t size) noexcept {
  for (std::size_t at = 0; at + kHugePageBytes <= size; at += kHugePageBytes) {
    // Where nothing is there is nothing to collapse: its first page, then.
    if (Advise(data + at, kBlockBytes, MADV_POPULATE_WRITE) != 0 ||
        Advise(data + at, kHugePageBytes, kCollapse) != 0) {
      return;
    }
  }
}

// Makes all pages present and writable, so that no later store faults or fails.
// MADV_POPULATE_WRITE says EFAULT where a store would be a SIGBUS.
int Populate(std::byte* data, std::size_t size) noexcept {
  for (std::size_t at = 0; at < size; at += kPopulateBytes) {
    const std::size_t piece = std::min(kPopulateBytes, size - at);
    if (Advise(data + at, piece, MADV_POPULATE_WRITE) == 0) continue;
    if (errno != EINVAL) return errno == EFAULT ? ENOSPC : errno;
    // A kernel before 5.14. The blocks are allocated, so the stores find room.
    for (std::size_t page = at; page < at + piece; page += kBlockBytes) {
      *const_cast<volatile std::byte*>(data + page) = std::byte{0};
    }
  }
  return 0;
}

absl::StatusOr<OwnedDescriptor> OpenOwnFile(const std::string& path, int flags) {
  OwnedDescriptor fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd.is_open()) return ErrnoStatus("open", path, errno);
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return ErrnoStatus("fstat", path, errno);
  if (!S_ISREG(facts.st_mode) || facts.st_uid != ::geteuid()) {
    return absl::FailedPreconditionError(path + " is not a file of ours: move it away");
  }
  return fd;
}

// As mmap(2), at an address where huge pages of the file, if it has any, can be mapped as such.
void* MapAligned(std::size_t size, int protection, int fd) noexcept {
  if (size < kHugePageBytes) return ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  const std::size_t room = size + kHugePageBytes;
  void* const reserved = ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (reserved == MAP_FAILED) return MAP_FAILED;
  auto* const begin = static_cast<std::byte*>(reserved);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % kHugePageBytes;
  void* const memory = ::mmap(begin + before, size, protection, MAP_SHARED | MAP_FIXED, fd, 0);
  const int error = errno;
  if (memory == MAP_FAILED) {
    ::munmap(begin, room);
  } else {
    const std::size_t end = (before + size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    if (before != 0) ::munmap(begin, before);
    if (end < room) ::munmap(begin + end, room - end);
  }
  errno = error;
  return memory;
}

absl::StatusOr<std::shared_ptr<PosixMapping>> MapOpenFile(const std::string& path, int fd,
                                                          int protection) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return ErrnoStatus("fstat", path, errno);
  const std::size_t size = static_cast<std::size_t>(facts.st_size);
  // Whoever made it died before it had a byte.
  if (size == 0) return absl::NotFoundError(path + " is empty");
  void* memory = MapAligned(size, protection, fd);
  if (memory == MAP_FAILED) return ErrnoStatus("mmap", path, errno);
  try {
    return std::make_shared<PosixMapping>(static_cast<std::byte*>(memory), size);
  } catch (const std::bad_alloc&) {
    ::munmap(memory, size);
    return ErrnoStatus("mmap", path, ENOMEM);
  }
}

absl::StatusOr<std::shared_ptr<PosixMapping>> MapNewImage(const std::string& path, int fd,
                                                          std::uint64_t bytes) {
  if (!GrantOwner(fd, 0600)) return ErrnoStatus("chmod", path, errno);
  const FileSizeSignalBlock no_signal;
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return ErrnoStatus("allocate", path, errno);
  absl::StatusOr<std::shared_ptr<PosixMapping>> image =
      MapOpenFile(path, fd, PROT_READ | PROT_WRITE);
  if (!image.ok()) return image.status();
  UseHugePages((*image)->data(), (*image)->size());
  int rc = 0;
  do {
    rc = ::fallocate(fd, 0, 0, static_cast<off_t>(bytes));
  } while (rc != 0 && errno == EINTR);
  if (rc != 0 && errno != EOPNOTSUPP) return ErrnoStatus("allocate", path, errno);
  if (const int error = Populate((*image)->data(), (*image)->size()); error != 0) {
    return ErrnoStatus("populate", path, error);
  }
  return image;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Mapping>> MapPosixImage(const std::string& path,
                                                       std::uint64_t bytes) {
  const bool is_new = bytes > 0;
  if (is_new && ::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus("unlink", path, errno);
  }
  absl::StatusOr<OwnedDescriptor> fd =
      OpenOwnFile(path, is_new ? O_RDWR | O_CREAT | O_EXCL : O_RDWR);
  if (!fd.ok()) return fd.status();
  absl::StatusOr<std::shared_ptr<PosixMapping>> image =
      is_new ? MapNewImage(path, fd->get(), bytes)
             : MapOpenFile(path, fd->get(), PROT_READ | PROT_WRITE);
  // A forked child shall not be able to write into the log.
  if (image.ok() && ::madvise((*image)->data(), (*image)->size(), MADV_DONTFORK) != 0) {
    image = ErrnoStatus("madvise", path, errno);
  }
  if (!image.ok()) {
    if (is_new) ::unlink(path.c_str());
    return image.status();
  }
  // Who maps an old image reads it: one call instead of a fault per page. A hint.
  if (!is_new) {
    static_cast<void>(::madvise((*image)->data(), (*image)->size(), MADV_POPULATE_READ));
  }
  return *std::move(image);
}

absl::StatusOr<std::shared_ptr<Mapping>> MapPosixFile(const std::string& path) {
  const OwnedDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.is_open()) return ErrnoStatus("open", path, errno);
  absl::StatusOr<std::shared_ptr<PosixMapping>> file = MapOpenFile(path, fd.get(), PROT_READ);
  if (!file.ok()) return file.status();
  // The segment was written past the page cache, and readers go through it from end to end: the
  // disk may start. A hint: its failure costs time only.
  static_cast<void>(::madvise((*file)->data(), (*file)->size(), MADV_WILLNEED));
  return *std::move(file);
}

absl::StatusOr<std::shared_ptr<Mapping>> MapPosixKept(const std::string& path) {
  OwnedDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.is_open()) return ErrnoStatus("open", path, errno);
  struct stat opened {};
  if (::fstat(fd.get(), &opened) != 0) return ErrnoStatus("fstat", path, errno);
  // Anybody may make a directory in a memory file system before the engine does.
  if (!S_ISREG(opened.st_mode) || opened.st_uid != ::geteuid()) {
    return absl::FailedPreconditionError(path + " is not a file of ours: move it away");
  }
  // Locked alone it is on its way to another name.
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return absl::NotFoundError(path + " is being taken away");
    return ErrnoStatus("flock", path, errno);
  }
  // The lock came after the name was looked up: it must still be that file's.
  struct stat named {};
  if (::lstat(path.c_str(), &named) != 0) return ErrnoStatus("stat", path, errno);
  if (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) {
    return absl::NotFoundError(path + " was taken away");
  }
  absl::StatusOr<std::shared_ptr<PosixMapping>> mapped = MapOpenFile(path, fd.get(), PROT_READ);
  if (!mapped.ok()) return mapped.status();
  (*mapped)->Keep(std::move(fd));
  return *std::move(mapped);
}

absl::Status RenamePosixUnkept(const std::string& from, const std::string& to) {
  const OwnedDescriptor fd(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.is_open()) return ErrnoStatus("open", from, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return absl::FailedPreconditionError(from + " is kept by a reader in another process");
    }
    return ErrnoStatus("flock", from, errno);
  }
  // The lock ends behind the rename: who gets it then finds that the name is gone.
  if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoStatus("rename", from, errno);
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
