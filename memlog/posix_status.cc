#include "posix_status.h"

#include <pthread.h>
#include <signal.h>
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
    case ENOTDIR:
    case EISDIR:
    case ENXIO: return absl::StatusCode::kFailedPrecondition;
    default: return absl::StatusCode::kUnknown;
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
