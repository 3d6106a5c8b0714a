#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "admission.h"
#include "agent_runner.h"
#include "command_loop.h"
#include "command_queue.h"
#include "engine_clock.h"
#include "epoch_starts.h"
#include "pawl/agent.h"
#include "pawl/clock.h"
#include "pawl/engine.h"
#include "pawl/log.h"
#include "producer_lane.h"
#include "session_table.h"
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

// Everything an engine is made of. Made once by Engine::Open; the cold mutex serialises the cold
// calls, which nobody makes on a hot path: the loop, the producers and the agents never take it.
class EngineParts {
 public:
  struct Attached {
    std::shared_ptr<Agent> agent;
    std::unique_ptr<AgentRunner> runner;  // nullptr: host-driven
  };

  explicit EngineParts(const EngineOptions& engine_options);

  // Hands `request` to the loop and waits until it is served. Cold mutex held.
  absl::Status Ask(ControlRequest& request);
  // Calls `work` on the loop's thread between two turns. Takes the cold mutex.
  absl::Status RunOnLoop(const std::function<void()>& work);
  //   errors    INVALID_ARGUMENT the engine was opened without it
  absl::StatusOr<const StreamStore*> StoreOf(TypeTag aggregate) const;
  absl::Status StartThreads();
  // Runs the agents that have no thread, once each.
  int Round() noexcept;
  absl::Status StopAll();
  std::size_t memory_bytes() const noexcept;

  const EngineOptions options;
  SystemClock system_clock;
  Clock& clock;
  std::unique_ptr<Log> log;
  std::vector<std::unique_ptr<StreamStore>> stores;
  std::vector<StreamStore*> store_list;
  SessionTable sessions;
  EpochStarts epochs;  // constant after Open
  TypeCatalog catalog;
  CommandQueue queue;
  Admission admission;
  std::unique_ptr<EngineClock> engine_clock;
  std::unique_ptr<CommandLoop> loop;
  std::vector<std::unique_ptr<ProducerLane>> lanes;
  std::unique_ptr<DiskAgent> sync_agent;
  std::unique_ptr<DiskAgent> prepare_agent;

  std::mutex cold;
  // Under the cold mutex.
  bool is_stopped = false;
  absl::Status stop_status;
  std::unique_ptr<AgentRunner> loop_runner;
  std::unique_ptr<AgentRunner> sync_runner;
  std::unique_ptr<AgentRunner> prepare_runner;
  std::vector<Attached> attached;
};

}  // namespace pawl::inline v0
