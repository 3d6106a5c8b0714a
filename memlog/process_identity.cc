#include "process_identity.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace pawl::inline v0 {
namespace {

// Field 22 of /proc/<pid>/stat (proc_pid_stat(5)); 0 if there is no such process. The second field
// is a name in brackets that may hold anything.
std::uint64_t StartTicksOf(std::uint64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  std::size_t at = text.rfind(')');
  if (at == std::string::npos) return 0;
  constexpr int kFieldsBetween = 20;
  for (int field = 0; field < kFieldsBetween; ++field) {
    at = text.find(' ', at + 1);
    if (at == std::string::npos) return 0;
  }
  std::uint64_t ticks = 0;
  for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    ticks = ticks * 10 + static_cast<std::uint64_t>(text[at] - '0');
  }
  return ticks;
}

constexpr std::uint64_t Packed(std::uint64_t pid, std::uint64_t start_ticks) noexcept {
  return start_ticks << 32 | (pid & 0xFFFF'FFFFU);
}

}  // namespace

std::uint64_t ThisProcess() {
  const auto pid = static_cast<std::uint64_t>(::getpid());
  return Packed(pid, StartTicksOf(pid));
}

bool IsAlive(std::uint64_t process) {
  const std::uint64_t pid = PidOf(process);
  const std::uint64_t ticks = pid == 0 ? 0 : StartTicksOf(pid);
  return ticks != 0 && process == Packed(pid, ticks);
}

}  // namespace pawl::inline v0
