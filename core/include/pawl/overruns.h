#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// What took longer than it was given. Times are by the boot clock: they count although the thread
// did not run.
namespace pawl::inline v0 {

// Calls of Engine::Poll() that returned later than budget + decide_budget_ns.
struct PollOverruns {
  std::uint64_t count = 0;
  std::uint64_t longest_ns = 0;  // beyond the budget
  std::string longest_by;        // the agent whose work it was
};

// Commands and timers that took longer to decide and evolve than decide_budget_ns.
struct SlowDecides {
  // Turns of the loop, or parts of one, that took longer as a whole; none of their commands need be
  // slow.
  std::uint64_t turns = 0;
  // Commands found to be slow, each timed alone (with threads of the engine's own perhaps together
  // with what published and answered it) or among others of its type; and timers, each of
  // which is timed.
  std::uint64_t found = 0;
  std::uint64_t longest_ns = 0;  // of those found
  // Of the longest: kCategory of its aggregate, type of the command or timer. Empty: none was
  // found.
  std::string_view category{};
  std::string_view command{};
};

}  // namespace pawl::inline v0
