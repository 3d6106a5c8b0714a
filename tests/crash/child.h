#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>

namespace pawl::inline v0 {

// How a child process ended.
struct ChildEnd {
  int exit_status = -1;   // −1: it did not exit by itself
  int signal = 0;         // that ended it, 0: none
  bool was_hung = false;  // it was killed because its time was over
};

// A forked process that runs one function. It dies with its parent.
//   threads   one; the parent has no other when it forks
class Child {
 public:
  explicit Child(const std::function<int()>& run);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  // Waits for the end, for at most `time`.
  //   returns   true: it has ended; Wait() tells how
  bool EndsWithin(std::chrono::nanoseconds time) const;
  // The same for the first of several, at most kTogetherMax.
  static constexpr std::size_t kTogetherMax = 8;
  static bool OneEnds(std::span<const Child* const> children, std::chrono::nanoseconds time);
  // Waits for the end, for at most `deadline_ms`; then kills.
  ChildEnd Wait(int deadline_ms);

 private:
  pid_t pid_ = -1;
  int fd_ = -1;  // by which the parent waits for it
};

}  // namespace pawl::inline v0
