#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace pawl::inline v0 {

// Status of a failed system call: names call, path and errno, and says what it means.
//   returns   NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED (no space, no memory, file too large),
//             FAILED_PRECONDITION (permission, read-only, not the kind of file we make), UNKNOWN;
//             with what to do, where the call alone tells it
absl::Status ErrnoStatus(std::string_view call, const std::string& path, int error);

// A file descriptor that is closed with its owner.
class OwnedDescriptor {
 public:
  OwnedDescriptor() noexcept = default;
  explicit OwnedDescriptor(int fd) noexcept : fd_(fd) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : fd_(other.Release()) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept;
  ~OwnedDescriptor();

  int get() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  int Release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

// Gives the owner of a file or directory that was just made what the umask took away.
//   returns   false: errno says why
bool GrantOwner(int fd, mode_t mode) noexcept;

// Keeps SIGXFSZ (file size limit) away from the calling thread while it lives, so that the limit
// is an EFBIG of the call and not the end of the host. Takes back what it caused itself.
class FileSizeSignalBlock {
 public:
  FileSizeSignalBlock() noexcept;
  FileSizeSignalBlock(const FileSizeSignalBlock&) = delete;
  FileSizeSignalBlock& operator=(const FileSizeSignalBlock&) = delete;
  ~FileSizeSignalBlock();

 private:
  bool was_blocked_ = false;
};

}  // namespace pawl::inline v0
