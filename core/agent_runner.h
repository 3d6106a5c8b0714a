#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "health_watch.h"
#include "pawl/agent.h"
#include "pawl/stats_layout.h"

namespace pawl::inline v0 {

// One thread that runs one agent or several in turn: a round of each while there is work, then the
// idle strategy. The thread blocks all signals but those of faults, so that the host's handlers run
// on its threads.
//   threads   Start, Add, Remove, Stop: one at a time, any but its own
//
// Memory ordering: what a caller did before Add() is visible to the agent's rounds, and what those
// did is visible after Remove() returned.
class AgentRunner {
 public:
  struct Setup {
    std::string name;  // of the thread; ≤ 15 characters
    Idle idle;
    int core = -1;  // −1: not pinned
    // Where the thread sleeps while it has several agents, whose own bells are lent to it. Outlives
    // the last ring of these. nullptr: it never has more than one.
    Doorbell* bell = nullptr;
    std::size_t agents_max = 1;
    HealthWatch* watch = nullptr;  // told of the rounds that are counted; nullptr: nobody
    bool sleeps_at_once = false;   // after a round without work, whatever `idle` says
  };

  //   agent     the first; outlives its stay
  //   words     where its rounds are counted; nullptr: nowhere
  //   errors    RESOURCE_EXHAUSTED no thread to be had; INVALID_ARGUMENT no such core
  static absl::StatusOr<std::unique_ptr<AgentRunner>> Start(const Setup& setup, Agent& agent,
                                                            AgentWords* words);
  ~AgentRunner();  // stops

  // The thread runs one more agent when this returns, or one less: not the last one, for which
  // there is Stop(). Waits for the round under way.
  void Add(Agent& agent, AgentWords* words);
  void Remove(Agent& agent) noexcept;

  // Ends the thread after the round under way. Waits for it.
  void Stop() noexcept;

  const std::string& name() const noexcept { return setup_.name; }
  int core() const noexcept { return setup_.core; }
  bool is_shared() const noexcept { return setup_.bell != nullptr; }  // others may be added
  bool has_one_agent() const noexcept { return members_.size() == 1; }

 private:
  struct Member {
    Agent* agent;
    AgentWords* words;  // nullptr: its rounds are not counted
  };
  struct Change {
    Member member;
    bool is_addition;
  };

  AgentRunner(const Setup& setup, const Member& first);
  void Run() noexcept;
  int Round() noexcept;
  int RoundOf(const Member& member) noexcept;
  void IdleRound(int idle_rounds) noexcept;
  void Sleep() noexcept;
  bool ShouldWake() const noexcept;
  std::int64_t SleepNs() const noexcept;
  void Ask(Change& change) noexcept;
  void TakeChange() noexcept;
  void Wake() noexcept;
  bool IsStopping() const noexcept {
    // Acquire: pairs with the release in Stop().
    return is_stopping_.load(std::memory_order_acquire);
  }

  const Setup setup_;
  std::vector<Agent*> members_;  // the callers' view of agents_
  // The thread only, once it runs. Within the reserved room.
  std::vector<Member> agents_;
  std::vector<Doorbell*> lent_;  // their bells, if there are several

  // Writer: a caller (release), the thread (takes it). Guards the change and the two lists.
  std::atomic<Change*> change_{nullptr};
  // Writer: Stop(). Reader: the thread. Guards nothing but the end.
  std::atomic<bool> is_stopping_{false};
  // Writer: the thread, once. Reader: Start(), which returns when the thread can be found by name.
  std::atomic<bool> has_name_{false};
  std::thread thread_;
};

}  // namespace pawl::inline v0
