#pragma once

#include <cstdint>
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
  };
  struct Stream {
    std::uint64_t version = 0;
    std::uint64_t last = 0;  // position; of one that is not there: where it was closed
    std::int64_t sum = 0;
  };
  using Streams = std::map<StreamName, Stream>;

  explicit CommandModel(const Limits& limits) : limits_(limits) {}

  // A producer opened session `session` (1, 2, …): the one before is fenced. One record.
  void OpenSession(std::uint32_t session, std::uint32_t generation);
  // A producer's next command. Session 0: none.
  ModelAnswer Decide(std::uint32_t session, std::uint32_t generation, const DrawnCommand& command);
  // It is `now_ns`, and nobody has work: all timers that are due by then have fired, as far as what
  // they did is before the position `end`.
  void FireDue(std::uint64_t now_ns, std::uint64_t end = UINT64_MAX);
  std::uint64_t next() const noexcept { return next_; }  // position of the next record
  // The process ended and another one opened the log: what was not accepted is known no more.
  void Reopen();
  // Of the next record: opening appends some of the engine's own.
  void SetNextPosition(std::uint64_t position) { next_ = position; }

  // Of a session; 0 if it was never opened.
  std::uint64_t last(std::uint32_t session) const;
  std::uint32_t generation(std::uint32_t session) const;
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
  struct Session {
    std::uint32_t generation = 0;
    std::uint64_t last = 0;
    std::map<std::uint64_t, ModelAnswer> answers;  // by sequence
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

  ModelAnswer Recall(const Session& session, std::uint64_t sequence) const;
  ModelAnswer Judge(const DrawnCommand& command, bool has_session);
  bool Holds(const DrawnCondition& condition, const Stream& stream) const;
  ModelAnswer ConflictWith(const StreamName& name, std::uint16_t code) const;
  ModelAnswer Apply(const std::vector<Effect>& effects, const DrawnCommand& command,
                    bool has_session);
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
  std::uint64_t next_ = 1;  // position of the next record
};

}  // namespace pawl::inline v0
