#pragma once

#include <sched.h>
#include <sys/syscall.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace pawl {

// The number of this process's thread with that name; 0: there is none.
inline int ThreadNamed(std::string_view wanted) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name == wanted) return std::atoi(task.path().filename().c_str());
  }
  return 0;
}

// Cores that a thread may run on; 0: who asks.
inline std::vector<int> CoresOf(int thread) {
  cpu_set_t set;
  if (::sched_getaffinity(thread, sizeof set, &set) != 0) std::abort();
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(static_cast<std::size_t>(core), &set)) cores.push_back(core);
  }
  return cores;
}

// Page faults that a thread of this process took since it began, with and without the disk.
inline std::uint64_t FaultsOf(int thread) {
  std::string line;
  std::getline(std::ifstream("/proc/self/task/" + std::to_string(thread) + "/stat"), line);
  // number (name) state parent group session terminal owner flags minflt cminflt majflt
  const std::size_t behind_name = line.rfind(')');
  if (behind_name == std::string::npos) std::abort();
  std::istringstream fields(line.substr(behind_name + 1));
  std::string skipped;
  for (int i = 0; i < 7; ++i) fields >> skipped;
  std::uint64_t minor = 0;
  std::uint64_t major = 0;
  fields >> minor >> skipped >> major;
  if (!fields) std::abort();
  return minor + major;
}

// Whether a thread of this process sleeps in that system call (SYS_futex, …) now.
inline bool IsInSystemCall(int thread, long call) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/syscall");
  std::string number;  // or "running"
  file >> number;
  return number == std::to_string(call);
}

}  // namespace pawl
