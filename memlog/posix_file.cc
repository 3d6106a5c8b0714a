#include "posix_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

// Bounce buffer of direct reads: large enough to keep a disk busy, small enough for any machine.
constexpr std::size_t kBounceBytes = std::size_t{1} << 20;

struct Freed {
  void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<std::byte[], Freed>;

// Empty if there is no memory.
AlignedBytes NewAligned(std::size_t bytes) noexcept {
  return AlignedBytes(static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, bytes)));
}

bool IsAligned(std::uint64_t value) noexcept { return value % kBlockBytes == 0; }

bool IsAligned(const std::byte* memory) noexcept {
  return IsAligned(reinterpret_cast<std::uintptr_t>(memory));
}

int FlagsOf(FileMode mode) noexcept {
  // O_NONBLOCK: a FIFO in place of our file must not hang the opener; regular files ignore it.
  const int always = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  switch (mode) {
    case FileMode::kRead: return always | O_RDONLY | O_DIRECT;
    case FileMode::kCreate: return always | O_RDWR | O_CREAT | O_EXCL;
    case FileMode::kDurable: return always | O_RDWR | O_DIRECT;
  }
  return always;
}

int OpenRetried(const std::string& path, int flags) noexcept {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags, 0600);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

}  // namespace

PosixFile::PosixFile(std::string path, OwnedDescriptor fd, FileMode mode, bool is_direct) noexcept
    : path_(std::move(path)), fd_(std::move(fd)), mode_(mode), is_direct_(is_direct) {}

absl::StatusOr<std::unique_ptr<File>> PosixFile::Open(const std::string& path, FileMode mode) {
  const int flags = FlagsOf(mode);
  bool is_direct = (flags & O_DIRECT) != 0;
  OwnedDescriptor fd(OpenRetried(path, flags));
  if (!fd.is_open() && is_direct && errno == EINVAL) {
    // The file system has no direct I/O: buffered, and each write is followed by fdatasync.
    is_direct = false;
    fd = OwnedDescriptor(OpenRetried(path, flags & ~O_DIRECT));
  }
  if (!fd.is_open()) return ErrnoStatus("open", path, errno);
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return ErrnoStatus("fstat", path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return absl::FailedPreconditionError(path + " is not a regular file: move it away");
  }
  // Whatever the umask took away.
  if (mode == FileMode::kCreate && !GrantOwner(fd.get(), 0600)) {
    return ErrnoStatus("chmod", path, errno);
  }
  return std::unique_ptr<File>(new PosixFile(path, std::move(fd), mode, is_direct));
}

absl::Status PosixFile::ReadAt(std::uint64_t offset, std::span<std::byte> into) {
  if (is_direct_) return ReadDirect(offset, into);
  while (!into.empty()) {
    const ssize_t n = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("read", path_, errno);
    if (n == 0) return absl::OutOfRangeError(path_ + " ends at " + std::to_string(offset));
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return absl::OkStatus();
}

// Reads whole blocks into an aligned buffer and hands on what was asked for.
absl::Status PosixFile::ReadDirect(std::uint64_t offset, std::span<std::byte> into) {
  // Memory that is aligned like the disk needs no copy.
  while (IsAligned(offset) && IsAligned(into.data()) && into.size() >= kBlockBytes) {
    const std::size_t ask = std::min(kBounceBytes, into.size() / kBlockBytes * kBlockBytes);
    const ssize_t n = ::pread(fd_.get(), into.data(), ask, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("read", path_, errno);
    if (n == 0) return absl::OutOfRangeError(path_ + " ends at " + std::to_string(offset));
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  if (into.empty()) return absl::OkStatus();
  const std::uint64_t wanted = offset % kBlockBytes + into.size();
  const std::size_t room =
      std::min<std::size_t>(kBounceBytes, (wanted + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
  const AlignedBytes bounce = NewAligned(room);
  if (bounce == nullptr) return ErrnoStatus("read", path_, ENOMEM);
  while (!into.empty()) {
    const std::uint64_t skip = offset % kBlockBytes;
    const std::size_t ask = std::min<std::size_t>(
        room, (skip + into.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
    const ssize_t n = ::pread(fd_.get(), bounce.get(), ask, static_cast<off_t>(offset - skip));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("read", path_, errno);
    if (static_cast<std::uint64_t>(n) <= skip) {
      return absl::OutOfRangeError(path_ + " ends before " + std::to_string(offset));
    }
    const std::size_t got = std::min(static_cast<std::size_t>(n) - skip, into.size());
    std::memcpy(into.data(), bounce.get() + skip, got);
    into = into.subspan(got);
    offset += got;
  }
  return absl::OkStatus();
}

absl::Status PosixFile::WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                                std::span<const std::byte> tail) {
  PAWL_CHECK(mode_ != FileMode::kRead);
#ifdef PAWL_TSAN_STORAGE
  // ThreadSanitizer does not see what the kernel reads; it sees this copy, made through the
  // mapping that in-process readers use.
  const AlignedBytes seen = NewAligned((head.size() / kBlockBytes + 1) * kBlockBytes);
  PAWL_CHECK(seen != nullptr);
  std::memcpy(seen.get(), head.data(), head.size());
  head = {seen.get(), head.size()};
#endif
  if (mode_ == FileMode::kCreate) return Write(offset, head, tail, 0);
  PAWL_CHECK(IsAligned(offset) && IsAligned(head.size()) && IsAligned(tail.size()));
  PAWL_CHECK(IsAligned(head.data()) && IsAligned(tail.data()));
  if (is_direct_ && head.size() <= kBurstBytes) return Write(offset, head, tail, RWF_DSYNC);
  for (; head.size() > kBurstBytes; offset += kBurstBytes) {
    const absl::Status written = Write(offset, head.first(kBurstBytes), {}, 0);
    if (!written.ok()) return written;
    head = head.subspan(kBurstBytes);
  }
  if (const absl::Status written = Write(offset, head, tail, 0); !written.ok()) return written;
  if (::fdatasync(fd_.get()) != 0) return ErrnoStatus("fdatasync", path_, errno);
  return absl::OkStatus();
}

absl::Status PosixFile::Write(std::uint64_t offset, std::span<const std::byte> head,
                              std::span<const std::byte> tail, int flags) {
  const FileSizeSignalBlock no_signal;
  while (!head.empty() || !tail.empty()) {
    iovec parts[2] = {{const_cast<std::byte*>(head.data()), head.size()},
                      {const_cast<std::byte*>(tail.data()), tail.size()}};
    const bool has_head = !head.empty();
    const ssize_t n =
        ::pwritev2(fd_.get(), has_head ? parts : parts + 1, has_head && !tail.empty() ? 2 : 1,
                   static_cast<off_t>(offset), flags);
    // A durable write is its own sync, or a part of one, and an interrupted sync is a failed one.
    if (n < 0 && errno == EINTR && mode_ == FileMode::kCreate) continue;
    if (n < 0) {
      return ErrnoStatus("write at " + std::to_string(offset) + " of", path_, errno);
    }
    if (n == 0) return ErrnoStatus("write at " + std::to_string(offset) + " of", path_, ENOSPC);
    const std::size_t done = static_cast<std::size_t>(n);
    const std::size_t of_head = std::min(done, head.size());
    head = head.subspan(of_head);
    tail = tail.subspan(done - of_head);
    offset += done;
  }
  return absl::OkStatus();
}

absl::Status PosixFile::Allocate(std::uint64_t bytes) {
  const FileSizeSignalBlock no_signal;
  int rc = 0;
  do {
    rc = ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(bytes));
  } while (rc != 0 && errno == EINTR);
  if (rc == 0) return absl::OkStatus();
  if (errno != EOPNOTSUPP) return ErrnoStatus("allocate", path_, errno);
  return WriteZeros(bytes);
}

absl::Status PosixFile::WriteZeros(std::uint64_t bytes) {
  const std::vector<std::byte> zeros(kBounceBytes);
  for (std::uint64_t at = 0; at < bytes; at += kBounceBytes) {
    const std::size_t size = std::min<std::uint64_t>(kBounceBytes, bytes - at);
    const absl::Status written = Write(at, {zeros.data(), size}, {}, 0);
    if (!written.ok()) return written;
  }
  return absl::OkStatus();
}

absl::Status PosixFile::Sync() {
  if (::fsync(fd_.get()) != 0) return ErrnoStatus("fsync", path_, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> PosixFile::Size() {
  struct stat facts {};
  if (::fstat(fd_.get(), &facts) != 0) return ErrnoStatus("fstat", path_, errno);
  return static_cast<std::uint64_t>(facts.st_size);
}

namespace {

// Both locks; nothing is read or written through it.
class DirectoryLock final : public File {
 public:
  DirectoryLock(OwnedDescriptor directory, OwnedDescriptor file) noexcept
      : directory_(std::move(directory)), file_(std::move(file)) {}

  absl::Status ReadAt(std::uint64_t, std::span<std::byte>) override { return Refused(); }
  absl::Status WriteAt(std::uint64_t, std::span<const std::byte>,
                       std::span<const std::byte>) override {
    return Refused();
  }
  absl::Status Allocate(std::uint64_t) override { return Refused(); }
  absl::Status Sync() override { return Refused(); }
  absl::StatusOr<std::uint64_t> Size() override { return Refused(); }

 private:
  static absl::Status Refused() { return absl::FailedPreconditionError("a lock holds no bytes"); }

  const OwnedDescriptor directory_;
  const OwnedDescriptor file_;
};

// The holder left its number in the lock file.
std::string HolderOf(int fd) {
  char text[32] = {};
  const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
  const std::string pid(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  const bool is_number = !pid.empty() && pid.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? " (process " + pid + ")" : std::string();
}

// What another program wrote is not overwritten. (A power cut may have left zeros of ours.)
bool HoldsNumber(int fd) noexcept {
  char text[32] = {};
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  return n >= 0 && n < static_cast<ssize_t>(sizeof text) &&
         std::all_of(text, text + n, [](char c) { return c == 0 || (c >= '0' && c <= '9'); });
}

// A hint for the message below; nothing depends on it, so its failure (full disk) is no error.
void NoteHolder(int fd) {
  const FileSizeSignalBlock no_signal;
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd, 0) == 0) {
    const ssize_t n = ::pwrite(fd, pid.data(), pid.size(), 0);
    static_cast<void>(n);
  }
}

absl::Status HeldByAnother(const std::string& directory, const std::string& holder) {
  return absl::FailedPreconditionError(directory + " is open for writing in another engine" +
                                       holder + ": stop it first");
}

}  // namespace

absl::StatusOr<std::unique_ptr<File>> LockDirectory(const std::string& directory) {
  OwnedDescriptor folder(OpenRetried(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder.is_open()) return ErrnoStatus("open", directory, errno);
  const std::string path = directory + "/lock";
  OwnedDescriptor file(OpenRetried(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.is_open()) return ErrnoStatus("open", path, errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return ErrnoStatus("fstat", path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return absl::FailedPreconditionError(path + " is not a regular file: move it away");
  }
  if (!GrantOwner(file.get(), 0600)) return ErrnoStatus("chmod", path, errno);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(file.get(), F_OFD_SETLK, &whole) != 0) {
    if (errno != EAGAIN && errno != EACCES) return ErrnoStatus("lock", path, errno);
    return HeldByAnother(directory, HolderOf(file.get()));
  }
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus("lock", directory, errno);
    return HeldByAnother(directory, std::string());
  }
  if (!HoldsNumber(file.get())) {
    return absl::FailedPreconditionError(path + " is not the lock of a log: move it away");
  }
  NoteHolder(file.get());
  return std::unique_ptr<File>(new DirectoryLock(std::move(folder), std::move(file)));
}

}  // namespace pawl::inline v0
