#include "agent_threads.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "or_fail.h"

namespace pawl::inline v0::bench {
namespace {

int OpenToRead(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) Fail("cannot read " + path);
  return file;
}

using Text = std::array<char, 4096>;

std::string_view ReadNow(int file, Text& into) {
  const ssize_t bytes = pread(file, into.data(), into.size(), 0);
  if (bytes <= 0) Fail("cannot read the state of a thread");
  return {into.data(), static_cast<std::size_t>(bytes)};
}

}  // namespace

AgentThreads::AgentThreads(std::string_view prefix) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const std::string folder = task.path().string();
    std::string name;
    std::getline(std::ifstream(folder + "/comm"), name);
    if (!name.starts_with(prefix)) continue;
    threads_.push_back({.name = std::move(name),
                        .stat_file = OpenToRead(folder + "/stat"),
                        .status_file = OpenToRead(folder + "/status")});
  }
  std::sort(threads_.begin(), threads_.end(),
            [](const Thread& a, const Thread& b) { return a.name < b.name; });
  if (threads_.empty()) Fail("no thread '" + std::string(prefix) + "…' in /proc/self/task");
}

AgentThreads::~AgentThreads() {
  for (const Thread& thread : threads_) {
    close(thread.stat_file);
    close(thread.status_file);
  }
}

bool AgentThreads::IsAsleep(std::size_t thread) const {
  Text text;
  const std::string_view line = ReadNow(threads_[thread].stat_file, text);
  const std::size_t behind_name = line.rfind(')');  // number (name) state …
  return behind_name != std::string_view::npos && line.substr(behind_name, 3) == ") S";
}

std::uint64_t AgentThreads::VoluntarySwitches(std::size_t thread) const {
  constexpr std::string_view kField = "\nvoluntary_ctxt_switches:";
  Text text;
  const std::string_view status = ReadNow(threads_[thread].status_file, text);
  const std::size_t at = status.find(kField);
  if (at == std::string_view::npos) Fail("no voluntary_ctxt_switches in /proc");
  return std::strtoull(status.data() + at + kField.size(), nullptr, 10);
}

}  // namespace pawl::inline v0::bench
