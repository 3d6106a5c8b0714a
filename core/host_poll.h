#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pawl/agent.h"
#include "pawl/clock.h"
#include "pawl/overruns.h"

namespace pawl::inline v0 {

// The agents that have no thread, run by the host's: in turns, one step after the other, so that
// however small the budgets are each comes as often as the others.
//   threads   one at a time: the host's
class HostPoll {
 public:
  //   allowance_ns   beyond a budget: what is no overrun yet
  HostPoll(Clock& clock, std::uint64_t allowance_ns) noexcept
      : clock_(clock), allowance_ns_(allowance_ns) {}

  void Add(Agent& agent) { agents_.push_back(&agent); }
  void Remove(const Agent& agent) noexcept;

  // Steps until all agents are idle or the budget is over: at least one that does something, if
  // there is one. Reads the clock after each. Returns the work done.
  int Poll(std::uint64_t budget_ns) noexcept;
  // A round of each, for callers that wait for something.
  int Round() noexcept;

  const PollOverruns& overruns() const noexcept { return overruns_; }

 private:
  void TakeOverrun(const Agent& agent, std::uint64_t over_ns) noexcept;

  Clock& clock_;
  const std::uint64_t allowance_ns_;
  std::vector<Agent*> agents_;
  std::size_t next_ = 0;  // whose step it is
  PollOverruns overruns_;
};

}  // namespace pawl::inline v0
