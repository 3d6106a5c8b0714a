#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine_clock.h"
#include "health_watch.h"
#include "pawl/agent.h"
#include "pawl/clock.h"
#include "pawl/overruns.h"
#include "pawl/stats_layout.h"

namespace pawl::inline v0 {

// The agents that have no thread, run by the host's: in turns, one step after the other, so that
// however small the budgets are each comes as often as the others. Between two steps, when none of
// them is in a round, the health watch looks.
//   threads   one at a time: the host's
class HostPoll {
 public:
  //   allowance_ns   beyond a budget: what is no overrun yet
  HostPoll(Clock& clock, std::uint64_t allowance_ns) noexcept
      : clock_(clock), allowance_ns_(allowance_ns) {}

  // From now on `watch` looks: when there is nothing to do, and once in HealthWatch::kBusyNs else.
  //   engine_clock  the loop's
  //   words         where overruns are counted too; all three outlive this
  void SetWatch(HealthWatch& watch, const EngineClock& engine_clock, HealthWords& words) noexcept {
    watch_ = &watch;
    engine_clock_ = &engine_clock;
    words_ = &words;
  }
  //   words   where the agent's rounds are counted, each step as one; outlives its stay
  void Add(Agent& agent, AgentWords& words) { agents_.push_back({&agent, &words}); }
  void Remove(const Agent& agent) noexcept;

  // Steps until all agents are idle or the budget is over: at least one that does something, if
  // there is one. Reads the clock after each. Returns the work done.
  int Poll(std::uint64_t budget_ns) noexcept;
  // A round of each, for callers that wait for something. Reads no clock of its own.
  int Round() noexcept;

  const PollOverruns& overruns() const noexcept { return overruns_; }

 private:
  struct Member {
    Agent* agent;
    AgentWords* words;
  };

  void LookIfDue(std::uint64_t now_ns) noexcept;
  void TakeOverrun(const Agent& agent, std::uint64_t over_ns) noexcept;

  Clock& clock_;
  const std::uint64_t allowance_ns_;
  HealthWatch* watch_ = nullptr;  // nullptr: it has a thread
  const EngineClock* engine_clock_ = nullptr;
  HealthWords* words_ = nullptr;
  std::vector<Member> agents_;
  std::size_t next_ = 0;  // whose step it is
  PollOverruns overruns_;
};

}  // namespace pawl::inline v0
