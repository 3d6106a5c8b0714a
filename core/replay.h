#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "epoch_starts.h"
#include "pawl/log.h"
#include "pawl/stream_store.h"
#include "replay_timers.h"
#include "session_table.h"
#include "type_catalog.h"

namespace pawl::inline v0 {

// Rebuilds what the loop knows from the log, record by record: aggregates, timers, sessions, types,
// epochs.
// Runs Evolve only: nothing is decided again.
//   threads   one, before the loop runs
class Replay {
 public:
  Replay(std::span<StreamStore* const> stores, SessionTable& sessions, EpochStarts& epochs,
         TypeCatalog& catalog)
      : stores_(stores), sessions_(sessions), epochs_(epochs), catalog_(catalog) {}

  //   errors    FAILED_PRECONDITION an event of a registered aggregate is not in its Events;
  //             RESOURCE_EXHAUSTED more streams or sessions than the options allow; DATA_LOSS
  //             records contradict each other
  absl::Status Run(const Log& log);

  std::uint32_t next_stream() const noexcept {
    return static_cast<std::uint32_t>(streams_.size()) + 1;
  }
  std::uint64_t last_time_ns() const noexcept { return last_time_ns_; }
  const ReplayTimers& timers() const noexcept { return timers_; }

 private:
  struct Stream {
    StreamStore* store = nullptr;  // nullptr: a category this engine was opened without
    StreamSlot* slot = nullptr;
  };

  absl::Status Take(const RecordView& record);
  absl::Status TakeStream(const RecordView& record);
  absl::Status TakeEvent(const RecordView& record);
  absl::Status TakeTimer(const RecordView& record);
  static absl::Status TakeClock(const RecordView& record);
  absl::Status TakeSession(const RecordView& record);
  absl::Status EndCommit(const CommitHeader& commit);
  absl::StatusOr<const EventTraits*> TraitsOf(const StreamStore& store, std::uint16_t type) const;

  const std::span<StreamStore* const> stores_;
  SessionTable& sessions_;
  EpochStarts& epochs_;
  TypeCatalog& catalog_;
  std::vector<Stream> streams_;  // by number − 1
  ReplayTimers timers_;
  std::uint64_t last_time_ns_ = 0;
  Position commit_last_;    // last record of the commit being read
  Version commit_version_;  // of its own stream
};

}  // namespace pawl::inline v0
