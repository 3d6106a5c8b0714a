#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "death_list.h"
#include "flight_file.h"
#include "pawl/command_slot.h"
#include "pawl/quarantine.h"
#include "pawl/stream_store.h"
#include "session_table.h"
#include "timer_table.h"

namespace pawl::inline v0 {

class Log;

// Keeps an input that ends the process from doing so for ever: finds out at Open what ended it, and
// knows in the loop what is not to be decided again.
//   threads   FindDeaths(), EndReplay(), EndTimers(), Stop(): one at a time, while the loop does
//   not run; the
//             rest the loop's, but for quarantined(), constant after EndTimers()
class InputGuard {
 public:
  struct Setup {
    Storage* storage;
    std::string directory;  // of the log
    bool is_on;
    bool forgets;  // what ended the process so far
    std::function<void(std::string_view)> on_notice;
    std::span<const AggregateTraits* const> aggregates;
    const Log* log;
    FlightParts parts;
  };

  explicit InputGuard(const Setup& setup);
  InputGuard(const InputGuard&) = delete;
  InputGuard& operator=(const InputGuard&) = delete;

  // Before anything of the log is evolved: counts what ended the engine before, and makes this
  // engine's flight file.
  //   errors    FAILED_PRECONDITION an event of the log ended the process twice
  absl::Status FindDeaths();
  // Everything in the log was evolved that is of the engine's aggregates.
  //   is_known  bool(Position): the record there is. What is not was not tried, and stays
  using IsKnown = std::function<bool(Position)>;
  void EndReplay(const SessionTable& sessions, const IsKnown& is_known);
  // And these timers are set: those that are quarantined are held back.
  //   table     nullptr: no aggregate has any
  void EndTimers(const SessionTable& sessions, const IsKnown& is_known, TimerTable* table);
  // The engine stopped.
  void Stop();

  FlightFile& flight() noexcept { return *flight_; }
  const std::vector<QuarantinedInput>& quarantined() const noexcept { return quarantined_; }

  // --- the loop's ---

  // Whether there is any input to be looked for.
  bool is_watching() const noexcept { return !watched_.empty(); }
  // So many of the first commands of `run`, of one session, are none of them.
  std::size_t CountOthers(std::uint32_t session, std::span<const CommandSlot> run) noexcept;
  // Whether a command that is one of them may not be decided any more.
  bool IsQuarantined(std::uint32_t session, const CommandSlot& slot) noexcept;
  // One that may was decided, and the process lives: it is looked for no more.
  void NoteSurvived(std::uint32_t session, const CommandSlot& slot) noexcept;
  // The session was closed: nothing of it is sent again.
  void ForgetSession(std::uint32_t number) noexcept;
  // Whether any timer that ended the process before is set.
  bool is_watching_timers() const noexcept { return !watched_timers_.empty(); }
  // The timer that was set there has fired, and the process lives.
  void NoteFired(Position set) noexcept;

 private:
  struct Watched {
    std::size_t entry;  // of the list
    std::uint16_t aggregate;
    std::uint16_t command;
    std::uint32_t session;  // 0: known by the hash
    Sequence sequence;
    Key key;
    HashSum hash;
    bool is_quarantined;
  };

  struct WatchedTimer {
    std::size_t entry;
    Position set;
  };

  Watched* Find(std::uint32_t session, const CommandSlot& slot) noexcept;
  bool Is(const Watched& watched, std::uint32_t session, const CommandSlot& slot) noexcept;
  void Watch(std::size_t index, const SessionTable& sessions);
  void Quarantine(const TimerTable::Timer& timer, std::uint32_t deaths);
  void NoteSurvived(std::size_t entry) noexcept;
  FlightNote ReadNote() const;
  // Of an engine that had no other place, its flight file and statistics.
  void RemoveFromLogDirectory() const;
  absl::Status EventThatKills(const DeathEntry& entry) const;
  void TellDeath(const DeathEntry& entry) const;
  void Save();
  void Tell(const std::string& text) const {
    if (setup_.on_notice) setup_.on_notice(text);
  }

  const Setup setup_;
  DeathList deaths_;
  std::unique_ptr<FlightFile> flight_;
  std::vector<QuarantinedInput> quarantined_;
  std::vector<Watched> watched_;
  std::vector<WatchedTimer> watched_timers_;
  std::uint64_t survived_ = 0;  // bit n: entry n
  StateHasher hasher_;
};

}  // namespace pawl::inline v0
