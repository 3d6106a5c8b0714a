#include "posix_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "posix_status.h"

namespace pawl::inline v0 {
namespace {

// Populating holds the process's memory map for reading; in such pieces nobody waits long for it.
constexpr std::size_t kPopulateBytes = std::size_t{2} << 20;

class PosixMapping final : public Mapping {
 public:
  PosixMapping(std::byte* data, std::size_t size) noexcept : Mapping(data, size) {}
  ~PosixMapping() override { ::munmap(data(), size()); }
};

// Makes all pages present and writable, so that no later store faults or fails.
// MADV_POPULATE_WRITE says EFAULT where a store would be a SIGBUS.
int Populate(std::byte* data, std::size_t size) noexcept {
  for (std::size_t at = 0; at < size; at += kPopulateBytes) {
    const std::size_t piece = std::min(kPopulateBytes, size - at);
    int rc = 0;
    do {
      rc = ::madvise(data + at, piece, MADV_POPULATE_WRITE);
    } while (rc != 0 && errno == EINTR);
    if (rc == 0) continue;
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

absl::StatusOr<std::shared_ptr<Mapping>> MapOpenFile(const std::string& path, int fd,
                                                     int protection) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return ErrnoStatus("fstat", path, errno);
  const std::size_t size = static_cast<std::size_t>(facts.st_size);
  // Whoever made it died before it had a byte.
  if (size == 0) return absl::NotFoundError(path + " is empty");
  void* memory = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return ErrnoStatus("mmap", path, errno);
  try {
    return std::shared_ptr<Mapping>(
        std::make_shared<PosixMapping>(static_cast<std::byte*>(memory), size));
  } catch (const std::bad_alloc&) {
    ::munmap(memory, size);
    return ErrnoStatus("mmap", path, ENOMEM);
  }
}

absl::StatusOr<std::shared_ptr<Mapping>> MapNewImage(const std::string& path, int fd,
                                                     std::uint64_t bytes) {
  if (!GrantOwner(fd, 0600)) return ErrnoStatus("chmod", path, errno);
  const FileSizeSignalBlock no_signal;
  int rc = 0;
  do {
    rc = ::fallocate(fd, 0, 0, static_cast<off_t>(bytes));
  } while (rc != 0 && errno == EINTR);
  if (rc != 0 && errno == EOPNOTSUPP) rc = ::ftruncate(fd, static_cast<off_t>(bytes));
  if (rc != 0) return ErrnoStatus("allocate", path, errno);
  absl::StatusOr<std::shared_ptr<Mapping>> image = MapOpenFile(path, fd, PROT_READ | PROT_WRITE);
  if (!image.ok()) return image;
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
  absl::StatusOr<std::shared_ptr<Mapping>> image =
      is_new ? MapNewImage(path, fd->get(), bytes)
             : MapOpenFile(path, fd->get(), PROT_READ | PROT_WRITE);
  // A forked child shall not be able to write into the log.
  if (image.ok() && ::madvise((*image)->data(), (*image)->size(), MADV_DONTFORK) != 0) {
    image = ErrnoStatus("madvise", path, errno);
  }
  if (!image.ok()) {
    if (is_new) ::unlink(path.c_str());
    return image;
  }
  // Who maps an old image reads it: one call instead of a fault per page. A hint.
  if (!is_new) {
    static_cast<void>(::madvise((*image)->data(), (*image)->size(), MADV_POPULATE_READ));
  }
  return image;
}

absl::StatusOr<std::shared_ptr<Mapping>> MapPosixFile(const std::string& path) {
  const OwnedDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.is_open()) return ErrnoStatus("open", path, errno);
  absl::StatusOr<std::shared_ptr<Mapping>> file = MapOpenFile(path, fd.get(), PROT_READ);
  // The segment was written past the page cache, and readers go through it from end to end: the
  // disk may start. A hint: its failure costs time only.
  if (file.ok()) static_cast<void>(::madvise((*file)->data(), (*file)->size(), MADV_WILLNEED));
  return file;
}

}  // namespace pawl::inline v0
