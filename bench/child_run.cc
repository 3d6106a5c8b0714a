#include "child_run.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <type_traits>

namespace pawl::inline v0::bench {
namespace {

static_assert(std::is_trivially_copyable_v<BankResult>, "sent through a pipe");

[[noreturn]] void RunAndSend(const BankSubject& subject, const BankOptions& options, int pipe_end) {
  const BankResult result = subject.run(options);
  const bool is_sent = write(pipe_end, &result, sizeof result) == sizeof result;
  _exit(is_sent ? 0 : 1);
}

bool EndedWell(pid_t child) {
  int status = 0;
  pid_t ended = -1;
  do {
    ended = waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::optional<BankResult> RunInChild(const BankSubject& subject, const BankOptions& options) {
  int ends[2];
  if (pipe(ends) != 0) {
    std::perror("bench: pipe");
    return std::nullopt;
  }
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) RunAndSend(subject, options, ends[1]);
  close(ends[1]);
  BankResult result;
  const bool is_whole = child > 0 && read(ends[0], &result, sizeof result) == sizeof result;
  close(ends[0]);
  if (child < 0 || !EndedWell(child) || !is_whole) {
    std::fprintf(stderr, "bench: a run of '%s' failed\n", subject.name);
    return std::nullopt;
  }
  return result;
}

}  // namespace pawl::inline v0::bench
