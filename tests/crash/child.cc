#include "child.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

int Reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

bool EndsWithin(pid_t pid, int deadline_ms) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  PAWL_CHECK(fd >= 0);
  pollfd end{.fd = fd, .events = POLLIN, .revents = 0};
  int rc = 0;
  do {
    rc = ::poll(&end, 1, deadline_ms);
  } while (rc < 0 && errno == EINTR);
  ::close(fd);
  return rc == 1;
}

}  // namespace

Child::Child(const std::function<int()>& run) : pid_(::fork()) {
  PAWL_CHECK(pid_ >= 0);
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(run());
}

Child::~Child() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  Reap(pid_);
}

bool Child::HasEnded() const { return EndsWithin(pid_, 0); }

ChildEnd Child::Wait(int deadline_ms) {
  ChildEnd end;
  end.was_hung = !EndsWithin(pid_, deadline_ms);
  if (end.was_hung) ::kill(pid_, SIGKILL);
  const int status = Reap(pid_);
  pid_ = -1;
  if (WIFEXITED(status)) end.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status) && !end.was_hung) end.signal = WTERMSIG(status);
  return end;
}

}  // namespace pawl::inline v0
