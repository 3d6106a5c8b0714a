#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "epoch_starts.h"
#include "key_table.h"
#include "pawl/log.h"
#include "pawl/stream_store.h"
#include "session_table.h"
#include "type_catalog.h"

namespace pawl::inline v0 {

// Rebuilds what the loop knows from the log, record by record: aggregates, sessions, idempotency
// keys, types, epochs.
// Runs Evolve only: nothing is decided again.
//   threads   one, before the loop runs
class Replay {
 public:
  struct Into {
    std::span<StreamStore* const> stores;
    SessionTable& sessions;
    KeyTable& keys;
    EpochStarts& epochs;
    TypeCatalog& catalog;
  };

  explicit Replay(const Into& into)
      : stores_(into.stores),
        sessions_(into.sessions),
        keys_(into.keys),
        epochs_(into.epochs),
        catalog_(into.catalog) {}

  //   errors    FAILED_PRECONDITION an event of a registered aggregate is not in its Events;
  //             RESOURCE_EXHAUSTED more streams or sessions than the options allow; DATA_LOSS
  //             records contradict each other
  absl::Status Run(const Log& log);

  std::uint32_t next_stream() const noexcept {
    return static_cast<std::uint32_t>(streams_.size()) + 1;
  }
  std::uint64_t last_time_ns() const noexcept { return last_time_ns_; }

 private:
  struct Stream {
    StreamStore* store = nullptr;  // nullptr: a category this engine was opened without
    StreamSlot* slot = nullptr;
  };

  absl::Status Take(const RecordView& record);
  absl::Status TakeStream(const RecordView& record);
  absl::Status TakeEvent(const RecordView& record);
  absl::StatusOr<const EventTraits*> TraitsOf(const StreamStore& store, std::uint16_t type) const;

  // replay_sessions.cc
  absl::Status TakeOpening(const RecordView& record);
  absl::Status TakeClosing(const RecordView& record);
  absl::Status EndCommit(const CommitHeader& commit);
  absl::Status RestoreCommand(const CommitHeader& commit, const PackedReceipt& receipt);

  const std::span<StreamStore* const> stores_;
  SessionTable& sessions_;
  KeyTable& keys_;
  EpochStarts& epochs_;
  TypeCatalog& catalog_;
  std::vector<Stream> streams_;  // by number − 1
  std::uint64_t last_time_ns_ = 0;
  Position commit_last_;    // last record of the commit being read
  Version commit_version_;  // of its own stream
};

}  // namespace pawl::inline v0
