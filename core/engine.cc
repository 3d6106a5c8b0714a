#include "pawl/engine.h"

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>
#include <utility>

#include "aggregate_checks.h"
#include "engine_parts.h"
#include "pawl/parking.h"
#include "replay.h"

namespace pawl::inline v0 {

namespace {

constexpr std::size_t kThreadNameCharsMax = 15;  // of the kernel
constexpr std::size_t kOwnAgents = 3;            // loop, sync, preparer
// Added to any address it does not go around.
constexpr std::uint64_t kUndurableBytesMax = std::uint64_t{1} << 62;

absl::Status CheckOptions(const EngineOptions& options) {
  if (options.streams_max == 0 || options.producers_max == 0) {
    return absl::InvalidArgumentError("streams_max and producers_max must be ≥ 1");
  }
  if (options.timers_max == 0 || options.timers_max > std::uint32_t{1} << 30) {
    return absl::InvalidArgumentError("timers_max must be 1 to 2^30");
  }
  if (options.producers_max > 4096) {
    return absl::InvalidArgumentError("producers_max is at most 4,096");
  }
  if (options.command_bytes_max < kSlotCommandBytes) {
    return absl::InvalidArgumentError("command_bytes_max must be at least " +
                                      std::to_string(kSlotCommandBytes));
  }
  const std::uint64_t parcel_bytes_min =
      ParcelRing::CapacityFor(ConditionsParcel::Bytes(kConditionsMax, options.command_bytes_max));
  if (!std::has_single_bit(options.parcel_bytes) || options.parcel_bytes < parcel_bytes_min) {
    return absl::InvalidArgumentError(
        "parcel_bytes must be a power of two, and with this command_bytes_max at least " +
        std::to_string(std::bit_ceil(parcel_bytes_min)));
  }
  if (options.undurable_bytes_max < options.segment_bytes ||
      options.undurable_bytes_max > kUndurableBytesMax) {
    return absl::InvalidArgumentError("undurable_bytes_max must be segment_bytes to 2^62");
  }
  if (options.stall_after.count() < 0) {
    return absl::InvalidArgumentError("stall_after must be ≥ 0; 0: nothing counts as stalled");
  }
  if (options.threads > Threads::kHostAll) {
    return absl::InvalidArgumentError("threads must be kOwn, kHost or kHostAll");
  }
  if (options.idle > Idle::kSpin) {
    return absl::InvalidArgumentError("idle must be kBackOff, kYield or kSpin");
  }
  return CheckSessionOptions(options);
}

LogOptions LogOptionsOf(const EngineOptions& options) {
  return {.directory = options.directory,
          .hot_directory = options.hot_directory,
          .allow_shared_directory = options.allow_shared_directory,
          .segment_bytes = options.segment_bytes,
          .undurable_bytes_max = options.undurable_bytes_max,
          .commit_bytes_max = options.commit_bytes_max,
          .segments_ahead = options.segments_ahead,
          .readers_max = options.readers_max,
          .scrub_bytes_per_second = options.scrub_bytes_per_second,
          .storage = options.storage,
          .on_notice = options.on_notice};
}

}  // namespace

// --- parts ---

EngineParts::EngineParts(const EngineOptions& engine_options)
    : options(engine_options),
      clock(engine_options.clock == nullptr ? system_clock : *engine_options.clock),
      sessions(options.sessions_max, options.session_window, options.receipts_max),
      keys(options.keys_max, static_cast<std::uint64_t>(options.key_window.count())),
      queues{CommandQueue(options.session_window, options.producers_max),
             CommandQueue(options.session_window, options.producers_max)},
      host(clock, options.decide_budget_ns) {}

absl::Status EngineParts::Ask(ControlRequest& request) {
  if (is_stopped) return absl::UnavailableError("the engine is stopped");
  const std::uint32_t ticket = loop->Ask(request);
  if (has_loop_thread) {
    loop->Await(ticket);
  } else {
    while (!loop->IsServed(ticket)) loop->DoWork();
  }
  return request.status;
}

void EngineParts::PauseOrRun() {
  if (options.threads == Threads::kOwn || host.Round() == 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

absl::Status EngineParts::AskWithRoom(ControlRequest& request,
                                      std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    request.lacks_room = false;
    absl::Status opened;
    {
      // Not while it waits: nobody else's cold call is to wait for that room.
      const std::lock_guard lock(cold);
      opened = Ask(request);
    }
    // Between a full segment and the next one, or behind a busy disk, a session waits for its turn.
    const bool may_pass = absl::IsResourceExhausted(opened) && request.lacks_room &&
                          log->health() == LogHealth::kOpen;
    if (!may_pass || std::chrono::steady_clock::now() >= deadline) return opened;
    PauseOrRun();
  }
}

absl::Status EngineParts::AwaitDurable(Address end,
                                       std::chrono::steady_clock::time_point deadline) {
  while (log->durable() < end) {
    if (log->health() == LogHealth::kFailed) {
      return absl::UnavailableError(
          "a sync failed (Engine::error() says more): open the engine again");
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return absl::DeadlineExceededError(
          "the disk did not make the session's record durable in time: try again");
    }
    PauseOrRun();
  }
  return absl::OkStatus();
}

absl::Status EngineParts::RunOnLoop(const std::function<void()>& work) {
  const std::lock_guard lock(cold);
  if (is_stopped) {
    work();
    return absl::OkStatus();
  }
  ControlRequest request{.kind = ControlRequest::Kind::kVisit, .visit = &work};
  return Ask(request);
}

absl::StatusOr<const StreamStore*> EngineParts::StoreOf(TypeTag aggregate) const {
  for (const StreamStore* store : store_list) {
    if (store->traits().tag == aggregate) return store;
  }
  return absl::InvalidArgumentError("the engine was opened without this aggregate");
}

absl::Status EngineParts::StartThreads() {
  AgentWords* const rows = stats->block().agents();
  const auto run = [this](Agent& agent, AgentWords& words, int core, Idle idle) {
    return RunOnThread(agent, words, {.name = agent.name(), .core = core}, idle).status();
  };
  const bool is_loop_hosted = options.threads != Threads::kOwn;
  if (is_loop_hosted) {
    host.SetWatch(*watch, *engine_clock, stats->block().health);
    host.Add(*loop, rows[HealthWatch::kLoop]);
  }
  for (const auto& [agent, row] : {std::pair(sync_agent.get(), HealthWatch::kSync),
                                   std::pair(prepare_agent.get(), HealthWatch::kPreparer)}) {
    if (options.threads == Threads::kHostAll) {
      host.Add(*agent, rows[row]);
      continue;
    }
    // The disk agents never spin: what they wait for takes longer than a sleep.
    absl::Status started = run(*agent, rows[row], options.disk_core, Idle::kBackOff);
    if (!started.ok()) return started;
  }
  if (is_loop_hosted) return absl::OkStatus();
  absl::Status started = run(*loop, rows[HealthWatch::kLoop], options.loop_core, options.idle);
  has_loop_thread = started.ok();
  return started.ok() ? StartWatch() : started;
}

absl::Status EngineParts::StartWatch() {
  const AgentRunner::Setup setup{.name = std::string(watch->name()),
                                 .idle = Idle::kBackOff,
                                 .core = options.disk_core,
                                 .sleeps_at_once = true};
  auto started = AgentRunner::Start(setup, *watch, nullptr);
  if (started.ok()) watch_runner = *std::move(started);
  return started.status();
}

absl::StatusOr<AgentRunner*> EngineParts::RunOnThread(Agent& agent, AgentWords& words,
                                                      const AgentThread& thread, Idle idle) {
  const std::string_view name =
      thread.name.empty() ? agent.name().substr(0, kThreadNameCharsMax) : thread.name;
  if (name.size() > kThreadNameCharsMax) {
    return absl::InvalidArgumentError("the thread's name " + std::string(name) +
                                      " has more than 15 characters");
  }
  AgentRunner::Setup setup{
      .name = std::string(name), .idle = idle, .core = thread.core, .watch = watch.get()};
  if (!thread.name.empty()) {
    const auto found = std::find_if(runners.begin(), runners.end(), [name](const auto& runner) {
      return runner->is_shared() && runner->name() == name;
    });
    if (found != runners.end()) {
      if (thread.core >= 0 && thread.core != (*found)->core()) {
        return absl::InvalidArgumentError("the thread " + setup.name +
                                          " is there already and not pinned to core " +
                                          std::to_string(thread.core));
      }
      (*found)->Add(agent, &words);
      return found->get();
    }
    std::unique_ptr<Doorbell>& bell = thread_bells[setup.name];
    if (bell == nullptr) bell = std::make_unique<Doorbell>();
    setup.bell = bell.get();
    setup.agents_max = options.agents_max + kOwnAgents;
  }
  runners.reserve(runners.size() + 1);
  auto started = AgentRunner::Start(setup, agent, &words);
  if (!started.ok()) return started.status();
  runners.push_back(*std::move(started));
  return runners.back().get();
}

void EngineParts::TakeFromThread(Agent& agent, AgentRunner* runner) noexcept {
  if (!runner->has_one_agent()) return runner->Remove(agent);
  std::erase_if(runners, [runner](const auto& each) { return each.get() == runner; });
}

absl::Status EngineParts::StopAll() {
  if (is_stopped) return stop_status;
  // Relaxed: the heavy barrier orders it before the look at the lanes; see ProducerLane.
  admission.is_closed.store(true, std::memory_order_relaxed);
  // Where the kernel has no membarrier a store is visible everywhere long before this sleep ends.
  if (!KernelParking::HeavyBarrier()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  for (const std::unique_ptr<ProducerLane>& lane : lanes) {
    while (lane->is_sending()) std::this_thread::yield();
    lane->bell.Ring();  // it may wait for room, which never comes
  }
  ControlRequest drain{.kind = ControlRequest::Kind::kDrain};
  static_cast<void>(Ask(drain));  // answers Ok only
  for (Attached& each : attached) {
    if (each.runner != nullptr) TakeFromThread(*each.agent, std::exchange(each.runner, nullptr));
    for (int round = 0; round < kStopRoundsMax && each.agent->DoWork() > 0; ++round) {
    }
    host.Remove(*each.agent);
    each.agent->EngineStopped();
  }
  runners.clear();
  has_loop_thread = false;
  for (const Agent* agent : {static_cast<Agent*>(loop.get()), static_cast<Agent*>(sync_agent.get()),
                             static_cast<Agent*>(prepare_agent.get())}) {
    host.Remove(*agent);
  }
  stats->Remove();  // before the directory that it is in
  guard->Stop();
  stop_status = log->Close();
  loop->DoWork();  // answers what became durable, or unknown, by the close
  is_stopped = true;
  // It watched the close; now it looks once more, for what that told.
  watch_runner.reset();
  watch->DoWork();
  return stop_status;
}

std::size_t EngineParts::memory_bytes() const noexcept {
  std::size_t bytes = queues[0].memory_bytes() + queues[1].memory_bytes() +
                      sessions.memory_bytes() + keys.memory_bytes() + stats->bytes();
  for (const std::unique_ptr<StreamStore>& store : stores) bytes += store->memory_bytes();
  if (timer_table != nullptr) bytes += timer_table->memory_bytes();
  const std::size_t lane_bytes =
      sizeof(ProducerLane) + options.parcel_bytes +
      ProducerLane::BatchOf(options.session_window) * sizeof(CommandSlot) +
      options.session_window *
          (sizeof(CommandSlot) + sizeof(AnswerRange) + 2 * sizeof(PackedReceipt));
  return bytes +
         lanes.size() * (lane_bytes + options.session_window * sizeof(PendingAnswers::Entry));
}

// --- opening ---

Engine::Engine(std::unique_ptr<EngineParts> parts) : parts_(std::move(parts)) {}

Engine::~Engine() { static_cast<void>(Stop()); }

namespace {

absl::Status Rebuild(EngineParts& parts, std::uint32_t& next_stream) {
  for (const AggregateTraits* aggregate : parts.aggregates) {
    parts.stores.push_back(std::make_unique<StreamStore>(*aggregate, parts.options.streams_max));
    parts.store_list.push_back(parts.stores.back().get());
  }
  Replay replay({.stores = parts.store_list,
                 .sessions = parts.sessions,
                 .keys = parts.keys,
                 .epochs = parts.epochs,
                 .catalog = parts.catalog});
  replay.UseNote(parts.guard->flight().replaying());
  if (absl::Status replayed = replay.Run(*parts.log); !replayed.ok()) return replayed;
  const auto is_known = [&](Position at) { return replay.IsOfKnown(*parts.log, at); };
  parts.guard->EndReplay(parts.sessions, is_known);
  next_stream = replay.next_stream();
  parts.engine_clock = std::make_unique<EngineClock>(parts.clock, replay.last_time_ns());
  LogWriter& writer = parts.log->writer();
  writer.SetTime(parts.engine_clock->Tick());
  if (absl::Status bound = parts.catalog.Bind(parts.store_list, writer); !bound.ok()) return bound;
  static_cast<void>(writer.Publish());
  parts.MakeTimers();
  absl::Status restored = replay.timers().Restore(parts.catalog, parts.timer_table.get());
  if (restored.ok()) parts.guard->EndTimers(parts.sessions, is_known, parts.timer_table.get());
  return restored;
}

void MakeLoop(EngineParts& parts, std::uint32_t next_stream) {
  const EngineOptions& options = parts.options;
  parts.loop = std::make_unique<CommandLoop>(
      CommandLoop::Setup{.log = parts.log.get(),
                         .queues = parts.queues,
                         .admission = &parts.admission,
                         .sessions = &parts.sessions,
                         .keys = &parts.keys,
                         .epochs = &parts.epochs,
                         .clock = parts.engine_clock.get(),
                         .stats = &parts.stats->block(),
                         .is_counting = options.stats,
                         .guard = parts.guard.get(),
                         .stores = parts.store_list,
                         .timers = parts.timers.get(),
                         .lanes = &parts.lanes,
                         .next_stream = next_stream,
                         .producers_max = options.producers_max,
                         .answers_max = options.session_window * options.producers_max,
                         .bells_max = options.agents_max,
                         .undurable_bytes_max = options.undurable_bytes_max,
                         .decide_budget_ns = options.decide_budget_ns});
  LaneWords* const words = parts.stats->block().lanes();
  for (std::uint32_t i = 0; i < options.producers_max; ++i) {
    parts.lanes.push_back(std::make_unique<ProducerLane>(
        ProducerLane::Setup{.engine = &parts,
                            .queues = parts.queues,
                            .admission = &parts.admission,
                            .loop_bell = &parts.loop->bell(),
                            .clock = &parts.clock,
                            .words = &words[i],
                            .stores = parts.store_list,
                            .index = static_cast<std::uint16_t>(i),
                            .window = options.session_window,
                            .command_bytes_max = options.command_bytes_max,
                            .parcel_bytes = options.parcel_bytes,
                            .slots = parts.guard->flight().SlotsOf(i),
                            .parcels = parts.guard->flight().ParcelsOf(i)}));
  }
  parts.sync_agent = std::make_unique<DiskAgent>(*parts.log, DiskAgent::Job::kSync);
  parts.prepare_agent = std::make_unique<DiskAgent>(*parts.log, DiskAgent::Job::kPrepare);
  parts.log->set_durable_bell(&parts.loop->bell());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::OpenWith(
    const EngineOptions& options, std::vector<const AggregateTraits*> aggregates) {
  if (absl::Status checked = CheckOptions(options); !checked.ok()) return checked;
  if (absl::Status checked = CheckAggregates(aggregates); !checked.ok()) return checked;
  try {
    auto parts = std::make_unique<EngineParts>(options);
    absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(LogOptionsOf(options));
    if (!log.ok()) return log.status();
    parts->log = *std::move(log);
    // The next frame's header stands behind the published mark before anything is decided.
    const std::uint64_t room =
        CommandLoop::CommitRoomBytes(parts->log->writer()) + sizeof(FrameHeader);
    if (options.undurable_bytes_max <= room) {
      return absl::InvalidArgumentError(
          "undurable_bytes_max must be larger than " + std::to_string(room) +
          ": two frames and two commits of the largest size; or lower commit_bytes_max");
    }
    parts->aggregates = std::move(aggregates);
    if (absl::Status guarded = parts->MakeGuard(); !guarded.ok()) return guarded;
    std::uint32_t next_stream = 1;
    absl::Status ready = Rebuild(*parts, next_stream);
    if (!ready.ok()) return ready;
    parts->MakeStats();
    MakeLoop(*parts, next_stream);
    if (absl::Status started = parts->StartThreads(); !started.ok()) return started;
    return std::unique_ptr<Engine>(new Engine(std::move(parts)));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        "not enough memory for the limits asked for: lower streams_max, timers_max, sessions_max, "
        "producers_max, session_window, receipts_max, keys_max, parcel_bytes or agents_max");
  }
}

// --- cold calls ---

int Engine::Poll(std::chrono::nanoseconds budget) noexcept {
  return parts_->host.Poll(static_cast<std::uint64_t>(std::max(budget.count(), std::int64_t{0})));
}

const PollOverruns& Engine::poll_overruns() const noexcept { return parts_->host.overruns(); }

absl::StatusOr<SlowDecides> Engine::FindSlowDecides() {
  SlowDecides slow;
  const absl::Status asked = parts_->RunOnLoop([this, &slow] {
    const TurnPace& pace = parts_->loop->pace();
    slow.turns = pace.slow_turns();
    slow.found = pace.found().count;
    if (slow.found == 0) return;
    const TurnPace::Found& found = pace.found();
    const AggregateTraits& aggregate = parts_->store_list[found.aggregate]->traits();
    slow.longest_ns = found.longest_ns;
    slow.category = aggregate.category;
    slow.command =
        found.is_timer ? aggregate.timers[found.type].name : aggregate.commands[found.type];
  });
  if (!asked.ok()) return asked;
  return slow;
}

absl::Status Engine::Stop() {
  const std::lock_guard lock(parts_->cold);
  return parts_->StopAll();
}

absl::Status Engine::Attach(std::shared_ptr<Agent> agent, const AgentThread& thread) {
  if (agent == nullptr) return absl::InvalidArgumentError("there is no agent");
  const std::lock_guard lock(parts_->cold);
  ControlRequest request{.kind = ControlRequest::Kind::kAddBell, .bell = &agent->bell()};
  if (absl::Status added = parts_->Ask(request); !added.ok()) return added;
  AgentWords& words = parts_->TakeRow(agent->name(), thread);
  if (parts_->options.stats) {
    agent->UseMeter(AgentMeter(parts_->stats->block(), words, parts_->clock));
  }
  EngineParts::Attached attached{.agent = std::move(agent), .words = &words, .runner = nullptr};
  if (parts_->options.threads == Threads::kOwn) {
    auto runner = parts_->RunOnThread(*attached.agent, words, thread, parts_->options.idle);
    if (!runner.ok()) {
      EngineParts::LeaveRow(words);
      ControlRequest remove{.kind = ControlRequest::Kind::kRemoveBell,
                            .bell = &attached.agent->bell()};
      static_cast<void>(parts_->Ask(remove));  // answers Ok only
      return runner.status();
    }
    attached.runner = *runner;
  } else {
    parts_->host.Add(*attached.agent, words);
  }
  parts_->attached.push_back(std::move(attached));
  return absl::OkStatus();
}

void Engine::Detach(const Agent* agent) {
  const std::lock_guard lock(parts_->cold);
  const auto found =
      std::find_if(parts_->attached.begin(), parts_->attached.end(),
                   [agent](const auto& attached) { return attached.agent.get() == agent; });
  if (found == parts_->attached.end()) return;
  ControlRequest request{.kind = ControlRequest::Kind::kRemoveBell, .bell = &found->agent->bell()};
  static_cast<void>(parts_->Ask(request));  // Ok, or the loop runs no more
  AgentWords& words = *found->words;
  if (found->runner != nullptr) parts_->TakeFromThread(*found->agent, found->runner);
  parts_->host.Remove(*found->agent);
  parts_->attached.erase(found);
  EngineParts::LeaveRow(words);
}

const Log& Engine::log() const noexcept { return *parts_->log; }
Threads Engine::threads() const noexcept { return parts_->options.threads; }
Idle Engine::idle() const noexcept { return parts_->options.idle; }
std::uint32_t Engine::streams_max() const noexcept { return parts_->options.streams_max; }
EngineHealth Engine::health() const noexcept { return parts_->watch->health(); }
EngineStats Engine::Stats() const { return parts_->ReadStats(); }
absl::Status Engine::error() const { return parts_->log->error(); }
std::size_t Engine::memory_bytes() const noexcept { return parts_->memory_bytes(); }
const RecoveryReport& Engine::recovery() const noexcept { return parts_->log->recovery(); }
Epoch Engine::epoch() const noexcept { return parts_->log->epoch(); }

}  // namespace pawl::inline v0
