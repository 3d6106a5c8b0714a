#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "progress.h"

namespace pawl::inline v0 {

// Whether this process may trace its children; the reason if not.
std::string WhyNoTracing();

enum class Stop : std::uint8_t {
  kStepped,    // one instruction, or one round of a repeated one
  kSystem,     // a system call, whole
  kMark,       // at a Mark()
  kOver,       // the process is gone
  kDisturbed,  // a signal that nobody expected, e.g. a failed check of the engine
};

// A process of this program under PTRACE_SINGLESTEP. The same command line gives the same
// instructions at the same addresses: no address is drawn at random, the environment is empty, the
// process number that it is told is always the same.
//   threads   the one that made it
class Tracee {
 public:
  // Starts this program with `arguments` and `progress_fd` in place, stopped before its first
  // instruction.
  Tracee(const std::vector<std::string>& arguments, int progress_fd);
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;
  ~Tracee() { Kill(); }

  Stop Step();
  Stop RunToMark();
  void Kill();

  // Of the next instruction, and of the one stepped last.
  std::uint64_t next() const noexcept { return next_; }
  std::uint64_t last() const noexcept { return last_; }
  pid_t pid() const noexcept { return pid_; }
  const std::string& disturbance() const noexcept { return disturbance_; }

 private:
  enum class Kind : std::uint8_t { kOther, kSystemCall, kBreakpoint };

  Kind KindAt(std::uint64_t address);
  bool Await();  // false: gone or disturbed
  void ReadNext();
  void FixProcessNumber() const;

  pid_t pid_ = -1;
  std::uint64_t next_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t number_ = 0;  // in the register that numbers a system call, before the next step
  bool is_over_ = false;
  std::string disturbance_;
  absl::flat_hash_map<std::uint64_t, Kind> kinds_;  // by address: nobody changes the text
};

}  // namespace pawl::inline v0
