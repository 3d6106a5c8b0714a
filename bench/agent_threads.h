#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::inline v0::bench {

// The engine's threads as the kernel sees them: /proc/self/task. Ends the process when that cannot
// be read.
//   threads   one
//   lifetime  ends before the engine
class AgentThreads {
 public:
  // Finds the threads of this process whose names begin with `prefix`.
  explicit AgentThreads(std::string_view prefix);
  AgentThreads(const AgentThreads&) = delete;
  AgentThreads& operator=(const AgentThreads&) = delete;
  ~AgentThreads();

  [[nodiscard]] std::size_t size() const { return threads_.size(); }
  [[nodiscard]] const std::string& name(std::size_t thread) const { return threads_[thread].name; }
  // True if the thread sleeps and waits neither for a core nor for the disk (state S).
  [[nodiscard]] bool IsAsleep(std::size_t thread) const;
  // How often it went to sleep, or waited for the disk, since it began. (Yielding its core is not
  // counted here.)
  [[nodiscard]] std::uint64_t VoluntarySwitches(std::size_t thread) const;

 private:
  struct Thread {
    std::string name;
    int stat_file;
    int status_file;
  };
  std::vector<Thread> threads_;  // By name.
};

}  // namespace pawl::inline v0::bench
