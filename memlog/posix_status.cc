#include "posix_status.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace pawl::inline v0 {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT: return absl::StatusCode::kNotFound;
    case EEXIST: return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE: return absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ENXIO: return absl::StatusCode::kFailedPrecondition;
    default: return absl::StatusCode::kUnknown;
  }
}

const char* WayOut(int error) noexcept {
  switch (error) {
    case EACCES:
    case EPERM: return ": give this user the permission";
    case EROFS: return ": mount it for writing";
    case EFBIG: return ": raise the limit of file sizes (ulimit -f)";
    case EMFILE:
    case ENFILE: return ": raise the limit of open files (ulimit -n)";
    case ENOMEM: return ": give it more memory (ulimit -v, vm.max_map_count)";
    case ENAMETOOLONG: return ": choose a shorter one";
    case ELOOP:
    case EISDIR:
    case ENXIO: return ": move it away";
    default: return "";
  }
}

sigset_t OnlyFileSize() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGXFSZ);
  return set;
}

}  // namespace

absl::Status ErrnoStatus(std::string_view call, const std::string& path, int error) {
  std::string text(call);
  text += " ";
  text += path;
  text += ": ";
  text += std::generic_category().message(error);
  text += " (errno ";
  text += std::to_string(error);
  text += ")";
  text += WayOut(error);
  return absl::Status(CodeOf(error), text);
}

OwnedDescriptor& OwnedDescriptor::operator=(OwnedDescriptor&& other) noexcept {
  if (this != &other) {
    if (is_open()) ::close(fd_);
    fd_ = other.Release();
  }
  return *this;
}

OwnedDescriptor::~OwnedDescriptor() {
  // The result says nothing that a sync before did not say.
  if (is_open()) ::close(fd_);
}

bool GrantOwner(int fd, mode_t mode) noexcept {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return false;
  return (facts.st_mode & mode) == mode || ::fchmod(fd, mode) == 0;
}

FileSizeSignalBlock::FileSizeSignalBlock() noexcept {
  const sigset_t size_signal = OnlyFileSize();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &size_signal, &before);
  was_blocked_ = sigismember(&before, SIGXFSZ) == 1;
}

FileSizeSignalBlock::~FileSizeSignalBlock() {
  if (was_blocked_) return;
  const int error = errno;
  const sigset_t size_signal = OnlyFileSize();
  if (error == EFBIG) {
    const timespec at_once{};
    while (::sigtimedwait(&size_signal, nullptr, &at_once) == -1 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_UNBLOCK, &size_signal, nullptr);
  errno = error;
}

}  // namespace pawl::inline v0
