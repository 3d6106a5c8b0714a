#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admission.h"
#include "agent_runner.h"
#include "command_loop.h"
#include "command_queue.h"
#include "commit_timers.h"
#include "engine_clock.h"
#include "epoch_starts.h"
#include "health_watch.h"
#include "host_poll.h"
#include "input_guard.h"
#include "key_table.h"
#include "pawl/agent.h"
#include "pawl/clock.h"
#include "pawl/engine.h"
#include "pawl/log.h"
#include "producer_lane.h"
#include "session_table.h"
#include "stats_file.h"
#include "timer_table.h"
#include "type_catalog.h"

namespace pawl::inline v0 {

// One of the log's two disk agents as an Agent.
class DiskAgent final : public Agent {
 public:
  enum class Job : std::uint8_t { kSync, kPrepare };

  DiskAgent(Log& log, Job job) noexcept : log_(log), job_(job) {}

  int DoWork() noexcept override {
    return job_ == Job::kSync ? log_.SyncWork() : log_.PrepareWork();
  }
  bool HasWork() noexcept override {
    return job_ == Job::kSync ? log_.HasSyncWork() : log_.HasPrepareWork();
  }
  Doorbell& bell() noexcept override {
    return job_ == Job::kSync ? log_.sync_bell() : log_.prepare_bell();
  }
  std::int64_t sleep_ns() noexcept override {
    return job_ == Job::kSync ? log_.sync_delay_ns() : log_.prepare_delay_ns();
  }
  std::string_view name() const noexcept override {
    return job_ == Job::kSync ? "pawl-sync" : "pawl-prepare";
  }

 private:
  Log& log_;
  const Job job_;
};

// How long an opening or closing waits for room in the log, and for the disk: one that is slower is
// low or broken.
inline constexpr std::chrono::seconds kRoomWait{10};

// The limits of sessions and keys.
absl::Status CheckSessionOptions(const EngineOptions& options);

// Everything an engine is made of. Made once by Engine::Open; the cold mutex serialises the cold
// calls, which nobody makes on a hot path: the loop, the producers and the agents never take it.
class EngineParts {
 public:
  struct Attached {
    std::shared_ptr<Agent> agent;
    AgentWords* words;
    AgentRunner* runner;  // nullptr: host-driven
  };

  explicit EngineParts(const EngineOptions& engine_options);

  // Hands `request` to the loop and waits until it is served. Cold mutex held.
  absl::Status Ask(ControlRequest& request);
  // The same with what appends to the log: waits for room there, at most until `deadline`. Takes
  // the cold mutex, but for the waiting.
  absl::Status AskWithRoom(ControlRequest& request, std::chrono::steady_clock::time_point deadline);
  // Waits until the log is durable up to `end`. Host-driven: runs the engine.
  //   errors    UNAVAILABLE a sync failed; DEADLINE_EXCEEDED
  absl::Status AwaitDurable(Address end, std::chrono::steady_clock::time_point deadline);
  // Calls `work` on the loop's thread between two turns. Takes the cold mutex.
  absl::Status RunOnLoop(const std::function<void()>& work);
  // Closes the session of `lane` or, without one, `name`; returns when that is durable.
  absl::Status CloseSession(ProducerLane* lane, std::string_view name);
  //   errors    INVALID_ARGUMENT the engine was opened without it
  absl::StatusOr<const StreamStore*> StoreOf(TypeTag aggregate) const;
  // Gives each of the engine's own agents a thread, or to the host; and so the health watch.
  absl::Status StartThreads();
  absl::Status StartWatch();
  // Gives an agent a thread: one that is there, or a new one.
  //   words     where its rounds are counted
  //   errors    INVALID_ARGUMENT a name too long, a core that another agent did not ask for or
  //             that is not there; RESOURCE_EXHAUSTED no thread to be had
  absl::StatusOr<AgentRunner*> RunOnThread(Agent& agent, AgentWords& words,
                                           const AgentThread& thread, Idle idle);
  // Returns when the agent runs no more. A thread without agents ends.
  void TakeFromThread(Agent& agent, AgentRunner* runner) noexcept;
  // One step of waiting in a cold call.
  void PauseOrRun();
  // Finds out what ended the engine before. Before anything is evolved.
  absl::Status MakeGuard();
  // Makes room for the timers of all aggregates, if any of them lists one. Before the loop.
  void MakeTimers();
  // Makes the statistics and those who write them. Before the loop.
  void MakeStats();
  // A free row for an agent attached, with its name. Cold mutex held.
  AgentWords& TakeRow(std::string_view name, const AgentThread& thread) noexcept;
  static void LeaveRow(AgentWords& words) noexcept;
  EngineStats ReadStats() const;
  absl::Status StopAll();
  std::size_t memory_bytes() const noexcept;

  const EngineOptions options;
  SystemClock system_clock;
  Clock& clock;
  std::unique_ptr<Log> log;
  std::vector<std::unique_ptr<StreamStore>> stores;
  std::vector<StreamStore*> store_list;
  SessionTable sessions;
  KeyTable keys;
  EpochStarts epochs;  // constant after Open
  TypeCatalog catalog;
  std::array<CommandQueue, kSessionLanes> queues;
  Admission admission;
  std::vector<const AggregateTraits*> aggregates;
  std::unique_ptr<InputGuard> guard;
  std::unique_ptr<EngineClock> engine_clock;
  std::unique_ptr<TimerTable> timer_table;  // nullptr: no aggregate lists a timer; and the next
  std::unique_ptr<CommitTimers> timers;
  std::unique_ptr<StatsFile> stats;
  std::unique_ptr<HealthWatch> watch;
  std::unique_ptr<CommandLoop> loop;
  std::vector<std::unique_ptr<ProducerLane>> lanes;
  std::unique_ptr<DiskAgent> sync_agent;
  std::unique_ptr<DiskAgent> prepare_agent;
  HostPoll host;  // the host's thread

  std::mutex cold;
  // Under the cold mutex.
  bool is_stopped = false;
  absl::Status stop_status;
  bool has_loop_thread = false;
  std::unique_ptr<AgentRunner> watch_runner;  // ends after the others
  std::vector<Attached> attached;
  // Where threads with several agents sleep, by name. They stay as long as the engine: a ring of a
  // bell that was lent to a thread may come late.
  std::map<std::string, std::unique_ptr<Doorbell>, std::less<>> thread_bells;
  std::vector<std::unique_ptr<AgentRunner>> runners;
};

}  // namespace pawl::inline v0
