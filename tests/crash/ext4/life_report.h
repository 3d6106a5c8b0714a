#pragma once

#include <atomic>
#include <cstdint>

#include "shared_report.h"

namespace pawl::inline v0 {

// What a child that may die at any moment tells its parent.
struct LifeReport : TellReport {
  // Writer: the parent, right before it cuts. Reader: the child, to tell an error that the cut
  // explains from one that it does not.
  std::atomic<std::uint32_t> is_cut{0};
  // Writer: the child. Reader: the parent, after the child's end. They only grow.
  std::atomic<std::uint64_t> given{0};  // events; before they can be in the log
  std::atomic<std::uint64_t> acked{0};  // events acknowledged as durable
  std::atomic<std::uint64_t> kept{0};   // events recovered; before has_recovered
  std::atomic<std::uint32_t> has_recovered{0};
  std::atomic<std::uint32_t> saw_failure{0};  // an error, and then nothing more was accepted
  std::atomic<std::uint32_t> was_torn{0};     // recovery cut a torn tail
};

}  // namespace pawl::inline v0
