#include "tracee.h"

#include <signal.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kToldProcessNumber = 31415;

long Ptrace(__ptrace_request request, pid_t pid, std::uintptr_t data = 0) noexcept {
  return ::ptrace(request, pid, nullptr, reinterpret_cast<void*>(data));
}

// In the child, between fork and exec.
[[noreturn]] void BecomeVictim(char* const* arguments, int progress_fd) noexcept {
  char* const no_environment[] = {nullptr};
  const bool is_ready = ::personality(ADDR_NO_RANDOMIZE) >= 0 &&
                        ::dup2(progress_fd, kProgressDescriptor) >= 0 &&
                        Ptrace(PTRACE_TRACEME, 0) == 0;
  if (is_ready) ::execve("/proc/self/exe", arguments, no_environment);
  ::_exit(127);
}

}  // namespace

std::string WhyNoTracing() {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool may = ::personality(ADDR_NO_RANDOMIZE) >= 0 && Ptrace(PTRACE_TRACEME, 0) == 0;
    if (!may) ::_exit(errno & 0x7F);
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  if (child < 0) return absl::StrCat("fork: ", std::strerror(errno));
  int status = 0;
  PAWL_CHECK(::waitpid(child, &status, 0) == child);
  if (!WIFSTOPPED(status)) {
    return absl::StrCat("ptrace: ", std::strerror(WIFEXITED(status) ? WEXITSTATUS(status) : EPERM));
  }
  std::string why;
  if (Ptrace(PTRACE_SINGLESTEP, child) != 0) why = absl::StrCat("step: ", std::strerror(errno));
  ::kill(child, SIGKILL);
  while (::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
  }
  return why;
}

Tracee::Tracee(const std::vector<std::string>& arguments, int progress_fd) {
  std::vector<char*> words;
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_ = ::fork();
  PAWL_CHECK(pid_ >= 0);
  if (pid_ == 0) BecomeVictim(words.data(), progress_fd);
  if (!Await()) return;
  Ptrace(PTRACE_SETOPTIONS, pid_, PTRACE_O_EXITKILL);
  ReadNext();
}

void Tracee::Kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (!is_over_ && ::waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status)) {
  }
  pid_ = -1;
  is_over_ = true;
}

bool Tracee::Await() {
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) {
    disturbance_ = absl::StrCat("waitpid: ", std::strerror(errno));
    return false;
  }
  if (!WIFSTOPPED(status)) {
    is_over_ = true;
    disturbance_ = WIFSIGNALED(status) ? absl::StrCat("ended by signal ", WTERMSIG(status))
                                       : absl::StrCat("ended by itself with ", WEXITSTATUS(status));
    return false;
  }
  if (WSTOPSIG(status) == SIGTRAP) return true;
  disturbance_ = absl::StrCat("signal ", WSTOPSIG(status));
  return false;
}

void Tracee::ReadNext() {
  user_regs_struct registers{};
  PAWL_CHECK(Ptrace(PTRACE_GETREGS, pid_, reinterpret_cast<std::uintptr_t>(&registers)) == 0);
  last_ = next_;
  next_ = registers.rip;
  number_ = registers.rax;
}

Tracee::Kind Tracee::KindAt(std::uint64_t address) {
  const auto [at, is_new] = kinds_.try_emplace(address, Kind::kOther);
  if (!is_new) return at->second;
  const long word = ::ptrace(PTRACE_PEEKTEXT, pid_, reinterpret_cast<void*>(address), nullptr);
  if ((word & 0xFFFF) == 0x050F) at->second = Kind::kSystemCall;
  if ((word & 0xFF) == 0xCC) at->second = Kind::kBreakpoint;
  return at->second;
}

// The lock file holds it, and its length would move the steps behind.
void Tracee::FixProcessNumber() const {
  user_regs_struct registers{};
  PAWL_CHECK(Ptrace(PTRACE_GETREGS, pid_, reinterpret_cast<std::uintptr_t>(&registers)) == 0);
  registers.rax = kToldProcessNumber;
  PAWL_CHECK(Ptrace(PTRACE_SETREGS, pid_, reinterpret_cast<std::uintptr_t>(&registers)) == 0);
}

Stop Tracee::Step() {
  if (is_over_) return Stop::kOver;
  const Kind kind = KindAt(next_);
  const bool asks_its_number = kind == Kind::kSystemCall && number_ == SYS_getpid;
  if (Ptrace(PTRACE_SINGLESTEP, pid_) != 0) return Stop::kOver;
  if (!Await()) return is_over_ ? Stop::kOver : Stop::kDisturbed;
  if (asks_its_number) FixProcessNumber();
  ReadNext();
  if (kind == Kind::kBreakpoint) return Stop::kMark;
  return kind == Kind::kSystemCall ? Stop::kSystem : Stop::kStepped;
}

Stop Tracee::RunToMark() {
  if (is_over_) return Stop::kOver;
  if (Ptrace(PTRACE_CONT, pid_) != 0) return Stop::kOver;
  if (!Await()) return is_over_ ? Stop::kOver : Stop::kDisturbed;
  ReadNext();
  return Stop::kMark;
}

}  // namespace pawl::inline v0
