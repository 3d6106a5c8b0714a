#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "health_watch.h"
#include "pawl/agent.h"
#include "pawl/stats_layout.h"

namespace pawl::inline v0 {

// One thread that runs one agent: duty cycles while there is work, then the idle strategy. The
// thread blocks all signals but those of faults, so that the host's handlers run on its threads.
//   threads   Start, Stop: one at a time, any
class AgentRunner {
 public:
  struct Setup {
    Agent* agent;  // outlives the runner
    Idle idle;
    int core;                      // −1: not pinned
    AgentWords* words = nullptr;   // where its rounds are counted; nullptr: nowhere
    HealthWatch* watch = nullptr;  // told of them; there, if `words` are
    bool sleeps_at_once = false;   // after a round without work, whatever `idle` says
  };

  //   errors    RESOURCE_EXHAUSTED no thread to be had; INVALID_ARGUMENT no such core
  static absl::StatusOr<std::unique_ptr<AgentRunner>> Start(const Setup& setup);
  ~AgentRunner();  // stops

  // Ends the thread after the round under way. Waits for it.
  void Stop() noexcept;
  const Agent* agent() const noexcept { return setup_.agent; }

 private:
  explicit AgentRunner(const Setup& setup) noexcept : setup_(setup) {}
  void Run() noexcept;
  int Round() noexcept;
  void IdleRound(int idle_rounds) noexcept;
  void Sleep() noexcept;
  bool IsStopping() const noexcept {
    // Acquire: pairs with the release in Stop().
    return is_stopping_.load(std::memory_order_acquire);
  }

  const Setup setup_;
  // Writer: Stop(). Reader: the thread. Guards nothing but the end.
  std::atomic<bool> is_stopping_{false};
  // Writer: the thread, once. Reader: Start(), which returns when the thread can be found by name.
  std::atomic<bool> has_name_{false};
  std::thread thread_;
};

}  // namespace pawl::inline v0
