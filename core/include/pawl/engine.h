#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/agent.h"
#include "pawl/aggregate.h"
#include "pawl/clock.h"
#include "pawl/event_reader.h"
#include "pawl/history.h"
#include "pawl/key.h"
#include "pawl/log.h"
#include "pawl/overruns.h"
#include "pawl/producer.h"
#include "pawl/quarantine.h"
#include "pawl/receipt.h"
#include "pawl/state_hash.h"
#include "pawl/stats.h"

namespace pawl::inline v0 {

// The aggregate types of an engine.
template <class... As>
struct Aggregates {
  static std::vector<const AggregateTraits*> Traits() { return {&AggregateTraitsOf<As>()...}; }
};

enum class Threads : std::uint8_t {
  kOwn,      // the engine runs its agents on threads of its own
  kHost,     // the host calls Poll(); the disk agents keep their threads
  kHostAll,  // the host calls Poll(), which runs the disk agents too: it waits for the disk
};

struct EngineOptions {
  std::string directory{};              // the log; created if its parent exists
  std::string hot_directory{};          // empty: /dev/shm/pawl-<log id>
  bool allow_shared_directory = false;  // both of them; see LogOptions
  std::uint64_t segment_bytes = std::uint64_t{64} << 20;
  std::uint64_t undurable_bytes_max = std::uint64_t{256} << 20;
  std::uint32_t commit_bytes_max = 0;  // 0: the smaller of 1 MiB and a quarter of a segment
  std::uint32_t segments_ahead = 1;
  // How fast old segments are checked again in the background, once after each Open(); 0: never.
  std::uint64_t scrub_bytes_per_second = std::uint64_t{32} << 20;
  std::uint32_t streams_max = 65'536;    // of each aggregate type
  std::uint32_t timers_max = 65'536;     // set at a time, of all aggregates with Timers together
  std::uint32_t sessions_max = 64;       // named sessions open at a time; ≤ 16,777,216
  std::uint32_t session_window = 4'096;  // resends remembered, and commands under way; ≤ 65,536
  // Answers remembered by all sessions together, in pages of 32 that a session takes when it needs
  // them. When all are taken, the session whose page is the oldest loses that one: its window gets
  // shorter, and a resend from there answers "receipt expired". 0: what the windows of all sessions
  // hold, at most 4,194,304 (64 MiB).
  std::uint64_t receipts_max = 0;  // ≤ 68,719,476,736
  // Idempotency keys remembered: the newest so many, and none longer than so, by engine time.
  std::uint32_t keys_max = 65'536;  // ≤ 67,108,864
  std::chrono::nanoseconds key_window = std::chrono::hours(1);
  std::uint32_t producers_max = 16;
  std::uint32_t command_bytes_max = 4'096;  // larger commands are refused at Submit
  // Of each producer's ring for commands larger than a slot (kSlotCommandBytes), and for those with
  // conditions on other streams; a power of two, at least twice what one may take.
  std::uint32_t parcel_bytes = 65'536;
  std::uint32_t agents_max = 16;   // projectors and other agents attached
  std::uint32_t readers_max = 64;  // reader processes listed and woken (pawl/attached_log.h)
  Threads threads = Threads::kOwn;
  Idle idle = Idle::kBackOff;
  // What a command may take to be decided and evolved before it is counted (FindSlowDecides()),
  // and Poll() beyond its budget (poll_overruns()); 0: commands are not timed.
  std::uint64_t decide_budget_ns = 50'000;
  int loop_core = -1;          // pins the loop's thread; −1: not pinned
  int disk_core = -1;          // pins the other threads: sync agent, preparer, pawl-health
  Clock* clock = nullptr;      // borrowed; nullptr: SystemClock
  Storage* storage = nullptr;  // borrowed; nullptr: PosixStorage()
  // Counts and times what happens, for Engine::Stats() and for other processes (ReadStats()).
  bool stats = true;
  // How long the disk or the loop may make no progress, although there is work, until the engine
  // counts as stalled; 0: it never does.
  std::chrono::nanoseconds stall_after = std::chrono::seconds(1);
  // Keeps an input that ends the process from doing so for ever: one that did it twice is answered
  // as quarantined and not decided again (core/QUARANTINE.md).
  bool guard = true;
  // Forgets what ended the process so far: to be set once, after the handler was mended.
  bool forget_deaths = false;
  // Told of fallbacks taken, a torn tail cut, damage found, agents that hang, inputs that ended the
  // process.
  std::function<void(std::string_view)> on_notice{};
  // Told when health() changed, and why; must not throw. It runs on a thread of its own
  // (pawl-health), so that no hanging disk or handler keeps it from being called, within a quarter
  // of stall_after or 250 ms; host-driven on the host's, between two steps of Poll(), Execute() or
  // Wait(): while the host itself hangs nobody is told. It may call health(), error() and Stats()
  // of its engine and nothing else.
  std::function<void(EngineHealth from, EngineHealth to, std::string_view why)> on_health{};
};

// The engine: one log, one loop, the agents. Commands go in through producers, events come out
// through the log to projectors.
//   threads   any, for what is declared here; cold calls block until the loop has served them
//   lifetime  outlives its producers, views and agents
class Engine {
 public:
  // Opens the log, recovers it, rebuilds the aggregates and starts the agents.
  //   errors    as Log::Open; FAILED_PRECONDITION also if an event's layout differs from the one
  //             the log was written with (both are named), or the log holds events of a
  //             registered aggregate that it neither lists nor upcasts, or one of them ended the
  //             process twice when it was evolved; DATA_LOSS also if a codec does not decode an
  //             event of the log; INVALID_ARGUMENT also if two events
  //             of one name and version have different layouts; RESOURCE_EXHAUSTED more streams or
  //             sessions in the log than streams_max or sessions_max
  template <class... As>
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const EngineOptions& options,
                                                      Aggregates<As...> aggregates) {
    return OpenWith(options, aggregates.Traits());
  }

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();  // Stop(), its error ignored

  // A handle for one thread. With a session: the session is opened by a record in the log, which is
  // durable when this returns, so that no generation is ever given twice.
  //   errors    RESOURCE_EXHAUSTED producers_max or sessions_max reached, or no room in the log for
  //             ten seconds; DEADLINE_EXCEEDED the disk took longer than that; UNAVAILABLE stopped
  //             or failed; INVALID_ARGUMENT session name longer than 128 bytes, or a lane that is
  //             none
  absl::StatusOr<Producer> NewProducer(const ProducerOptions& options = {});

  // Ends the session `name`, both lanes: by a record in the log, which is durable when this
  // returns. Its place is free for another one. It is forgotten: what its producers send from then
  // on, and what they sent that was not decided yet, ends as kSessionUnknown and is never executed,
  // also if the name is opened again, which makes a new session of higher generations whose
  // sequences begin at 1. Who wants all that was sent to be executed polls its answers first.
  //   errors    NOT_FOUND no such session is open (which is durable too when this returns);
  //             RESOURCE_EXHAUSTED no room in the log for ten seconds; DEADLINE_EXCEEDED the disk
  //             took longer than that: it may be closed; UNAVAILABLE stopped or failed
  absl::Status CloseSession(std::string_view name);
  // The same for all sessions that nobody has a producer of and that nobody has used for so long,
  // by engine time: opened, or sent a command to (after a restart counts what the log knows:
  // openings and accepted commands). Goes through them in small steps, between which the loop works
  // on.
  //   returns   how many were closed
  //   errors    INVALID_ARGUMENT idle_for is negative; else as CloseSession(): some may be closed
  absl::StatusOr<std::uint32_t> CloseIdleSessions(std::chrono::nanoseconds idle_for);

  // Host-driven: runs the loop, the attached agents and (kHostAll) the disk agents until nothing
  // is left to do or `budget` is over. Returns the work done: 0 only if there was none.
  //
  // It goes step by step, looking at the clock after each: a step is a few commands (as many as
  // take about 4 µs, by the last ones; 1 to 256), a frame for a projector, one call of the disk
  // (kHostAll only). So it returns within the budget and one such step. There is always one, also
  // with a budget of 0, and the next Poll() goes on with the next agent: no budget is so small that
  // it starves one. What took longer is counted: poll_overruns().
  //   threads   one at a time: the host's
  int Poll(std::chrono::nanoseconds budget = std::chrono::microseconds(100)) noexcept;
  // Calls of Poll() that returned later than budget + decide_budget_ns.
  //   threads   the host's
  const PollOverruns& poll_overruns() const noexcept;

  // Host-driven: how long the host may sleep without keeping a timer waiting; 0: one is due, or has
  // to be looked at; max(): none is set, or the engine has threads of its own. With timers it is
  // ten seconds at most, after which Poll() looks at the clocks.
  //   threads   the host's
  std::chrono::nanoseconds NextTimer() noexcept;

  // Commands and timers that took longer than decide_budget_ns to decide and evolve, and the
  // slowest one's type. With threads of its own the engine times a turn as a whole, once its
  // answers are out: a command that was alone in a slow one is found. After any slow turn the
  // commands of a few turns are timed one by one: of those that were not alone one that is slow
  // once may be missed, one that is slow again is found. Host-driven, each step is timed.
  //   errors    none but those of a failing loop
  //   threads   any; cold: served by the loop
  absl::StatusOr<SlowDecides> FindSlowDecides();

  // Ends what is under way and closes the log: no command is accepted any more, those in the queue
  // end as kUnavailable, those published are made durable and answered. Waits for the disk, also
  // for one that never answers (health() says stalled), and for what agents have left to do, at
  // most kStopRoundsMax rounds of each.
  // Handles stay valid and answer UNAVAILABLE. Calling it again is Ok.
  absl::Status Stop();

  // Gives `agent` a thread (or its share of Poll()) and rings it after each publish.
  //   thread    one of its own, or one that it shares
  //   errors    RESOURCE_EXHAUSTED agents_max reached, or no thread to be had; UNAVAILABLE stopped;
  //             INVALID_ARGUMENT no agent, a thread's name too long, no such core, or another core
  //             than that of the thread it wants to share
  absl::Status Attach(std::shared_ptr<Agent> agent, const AgentThread& thread = {});
  // Returns when DoWork() of `agent` runs no more. A detached agent may be destroyed.
  void Detach(const Agent* agent);

  const Log& log() const noexcept;
  Threads threads() const noexcept;
  Idle idle() const noexcept;
  std::uint32_t streams_max() const noexcept;
  // The worst that holds. Whether it is stalled was looked at a moment ago, by who calls on_health.
  EngineHealth health() const noexcept;
  absl::Status error() const;  // of kFailed or kDiskLow: file, errno, what to do
  // What it did so far, and how long that took.
  //   threads   any; never waits for the loop or the disk; allocates
  EngineStats Stats() const;
  // What the options cost: memory allocated at Open, bytes, without hot images.
  std::size_t memory_bytes() const noexcept;
  // The inputs that ended the process twice, as found when this engine was opened. Constant.
  const std::vector<QuarantinedInput>& Quarantined() const noexcept;
  const RecoveryReport& recovery() const noexcept;
  Epoch epoch() const noexcept;

  // Whether the record that `receipt` names is in this log: the one that its command appended, not
  // another one at the same position. Good for receipts of any age, across restarts, power loss,
  // failed syncs (whose completions are kUnknown but carry a receipt) and Stop().
  //   returns   kPresent; kLost: a power cut took it, and its position is given again or will be;
  //             kUnknown: without position (refused, or accepted without events, session and key),
  //             of a later epoch than the log's, or nothing in the log that fits it.
  //             Receipts do not tell log from log: if several are open, keep Log::id() with them.
  //             A copy of a log, or one restored from a backup, goes on with the same id and the
  //             next epoch: receipts that the other one gave from that epoch on mean nothing here
  //   errors    DATA_LOSS the segment that should hold it is damaged; what reading says
  //   cost      an index lookup, and at most a walk over the frames of one segment
  //   threads   any
  absl::StatusOr<Confirmation> Confirm(const Receipt& receipt) const;

  // The events of the aggregate `key` of type A, forward and backward: of the one that lives, else
  // of the one that was closed last.
  //   errors    NOT_FOUND nothing happened to it; INVALID_ARGUMENT the engine was opened without A;
  //             of one that was closed, as FindLives()
  //   cost      of one that lives, a lookup by the loop; else as FindLives()
  //   threads   any; the history is for one thread at a time
  template <class A>
  absl::StatusOr<History<A>> NewHistory(const Key& key, const ReadOptions& options = {}) {
    auto opened = OpenHistory(TagOf<A>(), key, options);
    if (!opened.ok()) return opened.status();
    return History<A>(*std::move(opened));
  }
  // All to which something happened that ever had the key, oldest first; each but the last one was
  // closed.
  //   errors    INVALID_ARGUMENT the engine was opened without A; DATA_LOSS, UNKNOWN what reading
  //             says
  //   cost      the index of every sealed segment, and a walk over the others
  //   threads   any
  template <class A>
  absl::StatusOr<std::vector<Life<A>>> FindLives(const Key& key) const {
    auto streams = FindStreams(TagOf<A>(), key);
    if (!streams.ok()) return streams.status();
    std::vector<Life<A>> lives;
    for (const std::uint32_t stream : *streams) lives.push_back({key, stream});
    return lives;
  }
  // The events of one of them.
  template <class A>
  absl::StatusOr<History<A>> NewHistory(const Life<A>& life, const ReadOptions& options = {}) {
    auto opened = OpenStream(TagOf<A>(), life.key, life.stream, options);
    if (!opened.ok()) return opened.status();
    return History<A>(*std::move(opened));
  }
  // The events of all aggregates of type A in the order of the log; of the types Es only, if any
  // are named.
  //   errors    INVALID_ARGUMENT the engine was opened without A
  //   threads   any; the reader is for one thread at a time
  template <class A, class... Es>
  absl::StatusOr<EventReader<A, Es...>> NewEventReader(const ReadOptions& options = {}) {
    auto opened = OpenCategory(TagOf<A>(), {A::Events::template IndexOf<Es>()...}, options);
    if (!opened.ok()) return opened.status();
    return EventReader<A, Es...>(*std::move(opened));
  }

  // Order-free state of an aggregate type for tests and examples: calls f(key, version, state) for
  // each, on the loop's thread while it does nothing else: `f` calls nothing of the engine. Cold.
  template <class A, class F>
  absl::Status VisitAggregates(F&& f) {
    return Visit(TagOf<A>(), [&f](const StreamSlot& slot) {
      f(slot.key, slot.version, static_cast<const AggregateSlot<A>&>(slot).state);
    });
  }

  // The timers of type T that are set, for tests and for people: calls f(key, id, due_ns, timer)
  // for each, in no order, on the loop's thread while it does nothing else: `f` calls nothing of
  // the engine. Cold.
  template <class A, class T, class F>
  absl::Status VisitTimers(F&& f) {
    static_assert(TimersOf<A>::template kHas<T>,
                  "pawl: this timer is not in the aggregate's Timers");
    return VisitTimersOf(
        TagOf<A>(), TimersOf<A>::template IndexOf<T>(), [&f](const SetTimer& timer) {
          f(timer.key, timer.id, timer.due_ns, *reinterpret_cast<const T*>(timer.bytes));
        });
  }

  // The hash of all aggregates and timers, or of those of type A, and the position that they are
  // the state of: equal for every engine that holds the same log up to there, live, replayed or
  // recovered (P16). Another value after Open() than before means that an Evolve is not a function
  // of State and event, or that State holds something that is hashed and does not come from events.
  //   errors    FAILED_PRECONDITION the State of a category, which is named, cannot be hashed (a
  //             type that is asked for by name does not compile); INVALID_ARGUMENT the engine was
  //             opened without A
  //   cost      the loop does nothing else meanwhile: about 0.1 µs for each aggregate of a small
  //             State, so 7 ms at 65,536. Cold
  //   threads   any
  absl::StatusOr<HashedState> StateHash() { return HashStores(nullptr); }
  template <class A>
  absl::StatusOr<HashedState> StateHash() {
    static_assert(StateHashable<typename A::State>,
                  "pawl: State has a field that cannot be hashed; write `void "
                  "HashState(pawl::StateHasher&, const State&) noexcept` beside it");
    return HashStores(TagOf<A>());
  }

 private:
  struct SetTimer {
    const Key& key;
    std::uint64_t id;
    std::uint64_t due_ns;
    const std::byte* bytes;
  };

  explicit Engine(std::unique_ptr<EngineParts> parts);
  static absl::StatusOr<std::unique_ptr<Engine>> OpenWith(
      const EngineOptions& options, std::vector<const AggregateTraits*> aggregates);
  absl::StatusOr<HistoryReader> OpenHistory(TypeTag aggregate, const Key& key,
                                            const ReadOptions& options);
  absl::StatusOr<HistoryReader> OpenStream(TypeTag aggregate, const Key& key, std::uint32_t stream,
                                           const ReadOptions& options) const;
  absl::StatusOr<std::vector<std::uint32_t>> FindStreams(TypeTag aggregate, const Key& key) const;
  //   events    indexes in the aggregate's Events; none: all
  absl::StatusOr<CategoryReader> OpenCategory(TypeTag aggregate, std::vector<std::uint32_t> events,
                                              const ReadOptions& options);
  //   type      index in the aggregate's Timers
  absl::Status VisitTimersOf(TypeTag aggregate, std::uint16_t type,
                             const std::function<void(const SetTimer&)>& visit);
  absl::Status Visit(TypeTag aggregate, const std::function<void(const StreamSlot&)>& visit);
  //   aggregate  nullptr: of all types
  absl::StatusOr<HashedState> HashStores(TypeTag aggregate);

  std::unique_ptr<EngineParts> parts_;
};

}  // namespace pawl::inline v0
