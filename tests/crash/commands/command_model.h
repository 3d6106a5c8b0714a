#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "drawn_command.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

// What becomes of a command, as the model says it must.
struct ModelAnswer {
  VerdictKind kind = VerdictKind::kAccepted;
  std::uint16_t code = 0;
  std::uint64_t version = 0;
  std::uint64_t position = 0;
  bool is_duplicate = false;

  friend bool operator==(const ModelAnswer&, const ModelAnswer&) noexcept = default;
};
std::string Describe(const ModelAnswer& answer);

// What an engine with this domain must do, said as simply as possible: maps, no log, no speed.
// Knows nothing of the engine but its promises.
class CommandModel {
 public:
  struct Limits {
    std::uint64_t streams_max;  // of each category
    std::uint64_t timers_max;
    std::uint64_t window;
    std::uint64_t keys_max;
    std::uint64_t key_window;  // in ticks
  };
  // Who sends: a producer of lane `lane` of session `session` (1, 2, …; 0: none).
  struct Sender {
    std::uint32_t session = 0;
    SessionLane lane = SessionLane::kControl;
    std::uint32_t generation = 0;
  };
  struct Stream {
    std::uint64_t version = 0;
    std::uint64_t last = 0;  // position; of one that is not there: where it was closed
    std::int64_t sum = 0;
  };
  using Streams = std::map<StreamName, Stream>;

  explicit CommandModel(const Limits& limits) : limits_(limits) {}

  // Time goes on. A tick is so long that what happens between two takes no time beside it.
  void Tick(std::uint64_t ticks = 1) { now_ += ticks; }
  // A producer opened a lane: the one before is fenced. One record.
  void OpenSession(const Sender& sender);
  // One record, if it is open.
  //   returns   whether it was
  bool CloseSession(std::uint32_t session);
  // Whether nobody used it for so many ticks.
  bool IsIdle(std::uint32_t session, std::uint64_t ticks) const;
  // A producer's next command.
  ModelAnswer Decide(const Sender& sender, const DrawnCommand& command);
  // It is `now_ns`, and nobody has work: all timers that are due by then have fired, as far as what
  // they did is before the position `end`.
  void FireDue(std::uint64_t now_ns, std::uint64_t end = UINT64_MAX);
  std::uint64_t next() const noexcept { return next_; }  // position of the next record
  // The process ended and another one opened the log: what was not accepted is known no more.
  void Reopen();
  // Of the next record: opening appends some of the engine's own.
  void SetNextPosition(std::uint64_t position) { next_ = position; }

  // Of a lane; 0 if it is not open.
  std::uint64_t last(const Sender& sender) const;
  // Of the next producer on a lane.
  std::uint32_t NextGeneration(const Sender& sender) const;
  // Whether the producer's session is open, and whether it has its lane.
  bool IsOf(const Sender& sender) const;
  bool Has(const Sender& sender) const;
  // Commands that left a record, and closings.
  std::uint64_t commits() const noexcept { return commits_; }
  const Streams& streams() const noexcept { return streams_; }
  // What a program can see of the aggregates: versions and states.
  using Shown = std::map<StreamName, std::pair<std::uint64_t, std::int64_t>>;
  Shown ShownStreams() const;
  // Streams closed so far.
  std::uint64_t closed(Category category) const {
    const auto found = closed_.find(category);
    return found == closed_.end() ? 0 : found->second;
  }
  // What stands for the stream: as it is, or where it was closed.
  Stream Find(const StreamName& name) const;
  // The same of timers: purse, id, due, cents.
  using ShownTimer = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::int64_t>;
  std::set<ShownTimer> ShownTimers() const;
  std::uint64_t timers_fired() const noexcept { return timers_fired_; }
  std::uint64_t timers_refused() const noexcept { return timers_refused_; }

 private:
  struct Lane {
    std::uint32_t generation = 0;
    std::uint64_t last = 0;
    std::map<std::uint64_t, ModelAnswer> answers;  // by sequence
  };
  struct Session {           // an open one
    std::uint32_t base = 0;  // generations before are another session's
    std::map<SessionLane, Lane> lanes;
    std::uint64_t used = 0;         // tick
    std::uint64_t used_in_log = 0;  // likewise, as the log tells
  };
  struct UsedKey {
    std::uint64_t key;
    std::string body;
    ModelAnswer answer;
    std::uint64_t tick;
  };
  // An event, a closing, or what is done to the timer `id` of the addressed purse.
  struct Effect {
    enum class Kind : std::uint8_t { kEvent, kClose, kSet, kCancel };

    StreamName stream;
    std::int64_t by;
    Kind kind = Kind::kEvent;
    std::uint64_t id = 0;
    std::uint64_t due_ns = 0;
    std::uint64_t again_ns = 0;
  };
  struct TimerKey {
    std::uint64_t purse;
    std::uint64_t id;

    friend auto operator<=>(const TimerKey&, const TimerKey&) noexcept = default;
  };
  struct Timer {
    std::uint64_t due_ns;
    std::uint64_t position;
    std::int64_t cents;
    std::uint64_t again_ns;
  };
  using Timers = std::map<TimerKey, Timer>;

  const Lane* Find(const Sender& sender) const;
  ModelAnswer Recall(const Lane& lane, std::uint64_t sequence) const;
  ModelAnswer JudgeKey(const DrawnCommand& command, bool has_session);
  const UsedKey* Find(std::uint64_t key) const;
  static void Reopen(Lane& lane);
  ModelAnswer Judge(const DrawnCommand& command, bool leaves_record);
  bool Holds(const DrawnCondition& condition, const Stream& stream) const;
  ModelAnswer ConflictWith(const StreamName& name, std::uint16_t code) const;
  ModelAnswer Apply(const std::vector<Effect>& effects, const DrawnCommand& command,
                    bool leaves_record);
  void Close(const StreamName& name, const DrawnCommand& command, ModelAnswer& answer);
  bool AreTooMany(const std::vector<Effect>& effects) const;
  bool AreTooManyTimers(const std::vector<Effect>& effects) const;
  void ApplyTimer(const Effect& effect);
  bool FireFirst(std::uint64_t now_ns);
  void Fire(const TimerKey& key, const Timer& timer, std::uint64_t now_ns);
  std::uint64_t CountOf(Category category) const;

  Limits limits_;
  Streams streams_;
  std::map<StreamName, std::uint64_t> closed_at_;  // position
  std::map<Category, std::uint64_t> closed_;       // how many
  Timers timers_;
  std::uint64_t timers_fired_ = 0;
  std::uint64_t timers_refused_ = 0;
  std::map<std::uint32_t, Session> sessions_;
  std::uint32_t closed_generation_ = 0;
  std::deque<UsedKey> keys_;  // the newest one behind
  std::uint64_t now_ = 0;     // tick
  std::uint64_t commits_ = 0;
  std::uint64_t next_ = 1;  // position of the next record
};

}  // namespace pawl::inline v0
