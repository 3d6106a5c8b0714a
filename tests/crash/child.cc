#include "child.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
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

}  // namespace

Child::Child(const std::function<int()>& run) : pid_(::fork()) {
  PAWL_CHECK(pid_ >= 0);
  if (pid_ > 0) {
    fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    PAWL_CHECK(fd_ >= 0);
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(run());
}

Child::~Child() {
  ::close(fd_);
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  Reap(pid_);
}

bool Child::EndsWithin(std::chrono::nanoseconds time) const { return OneEnds({{this}}, time); }

bool Child::OneEnds(std::span<const Child* const> children, std::chrono::nanoseconds time) {
  std::array<pollfd, kTogetherMax> ends{};
  PAWL_CHECK(children.size() <= ends.size());
  for (std::size_t i = 0; i < children.size(); ++i) {
    ends[i] = {.fd = children[i]->fd_, .events = POLLIN, .revents = 0};
  }
  const timespec timeout{.tv_sec = static_cast<time_t>(time.count() / 1'000'000'000),
                         .tv_nsec = static_cast<long>(time.count() % 1'000'000'000)};
  int rc = 0;
  do {
    rc = ::ppoll(ends.data(), children.size(), &timeout, nullptr);
  } while (rc < 0 && errno == EINTR);
  return rc > 0;
}

ChildEnd Child::Wait(int deadline_ms) {
  ChildEnd end;
  end.was_hung = !EndsWithin(std::chrono::milliseconds(deadline_ms));
  if (end.was_hung) ::kill(pid_, SIGKILL);
  const int status = Reap(pid_);
  pid_ = -1;
  if (WIFEXITED(status)) end.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status) && !end.was_hung) end.signal = WTERMSIG(status);
  return end;
}

}  // namespace pawl::inline v0
