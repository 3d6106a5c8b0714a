#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "flight_file.h"
#include "flight_layout.h"
#include "pawl/state_hash.h"
#include "pawl/storage.h"
#include "pawl/stream_store.h"
#include "session_table.h"

namespace pawl::inline v0 {

inline constexpr const char* kQuarantineName = "quarantine";

// What a command is known by, of a producer without session: its types, key and bytes.
//   body      the command's bytes
HashSum HashOfInput(StateHasher& hasher, const AggregateTraits& aggregate, std::uint32_t command,
                    const Key& key, const std::byte* body) noexcept;

// The inputs that ended the process, and how often: the file `quarantine` in the log directory.
// Read and written by Open, and written by Stop if an input on it survived meanwhile.
//   threads   one at a time
class DeathList {
 public:
  // An input that ended the process so often is not tried again.
  static constexpr std::uint32_t kDeathsMax = 2;

  DeathList(Storage& storage, std::string directory, const LogId& log_id)
      : storage_(storage), directory_(std::move(directory)), log_id_(log_id) {}

  // Nothing, if there is no file, or if it is not to be believed: `problem` says why.
  void Load(std::string& problem);
  // Durable when it returns. Without entries there is no file.
  absl::Status Save();
  bool has_changed() const noexcept { return has_changed_; }

  // The process ended while it was at this. A death is counted once, however often it is told.
  //   returns   its entry; nullptr: the note names no input
  const DeathEntry* Count(const FlightNote& note,
                          std::span<const AggregateTraits* const> aggregates);
  // What is on the list for one death and was decided since: bit n, entry n.
  void DropSurvivors(std::uint64_t survived);
  // Events that were evolved since.
  //   is_known  bool(Position of the event): its aggregate is one of the engine's
  void DropEvents(const std::function<bool(Position)>& is_known);
  // Commands that their sessions have gone past, or whose session was closed: they can be sent
  // again no more. The one counted, if it looked like that of a closed session and is of the next
  // one under that number, has killed once.
  void DropPassed(const SessionTable& sessions);
  // Timers that are set no more.
  //   is_set    bool(Position of the record that set it)
  void DropTimers(const std::function<bool(Position)>& is_set);
  void Clear();

  std::span<const DeathEntry> entries() const noexcept { return entries_; }

 private:
  template <class IsGone>
  void Drop(IsGone&& is_gone);
  DeathEntry& FindOrAdd(const DeathEntry& named);

  Storage& storage_;
  const std::string directory_;
  const LogId log_id_;
  std::vector<DeathEntry> entries_;
  DeathEntry counted_{};
  bool has_changed_ = false;
  bool has_file_ = false;
};

// Text of a field that is filled up with zeros.
std::string_view TextOf(std::span<const char> field) noexcept;

}  // namespace pawl::inline v0
