#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "epoch_starts.h"
#include "event_resolver.h"
#include "key_table.h"
#include "pawl/log.h"
#include "pawl/stream_store.h"
#include "replay_timers.h"
#include "session_table.h"
#include "type_catalog.h"

namespace pawl::inline v0 {

// Rebuilds what the loop knows from the log, record by record: aggregates, timers, sessions,
// idempotency keys, types, epochs.
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
      : sessions_(into.sessions), keys_(into.keys), epochs_(into.epochs), catalog_(into.catalog) {
    for (StreamStore* store : into.stores) {
      stores_.push_back({*store, EventResolver(store->traits())});
    }
  }

  // Where it is noted which event is evolved; borrowed.
  void UseNote(std::atomic<std::uint64_t>& note) noexcept { evolving_ = &note; }

  //   errors    FAILED_PRECONDITION an event of a registered aggregate is not in its Events, nor an
  //             older version of one; RESOURCE_EXHAUSTED more streams or sessions than the options
  //             allow; DATA_LOSS records contradict each other, or a codec does not decode an event
  absl::Status Run(const Log& log);

  // After Run(). False: the record there is of an aggregate that the engine was opened without, and
  // was left alone.
  bool IsOfKnown(const Log& log, Position position) const;

  std::uint32_t next_stream() const noexcept {
    return static_cast<std::uint32_t>(streams_.size()) + 1;
  }
  std::uint64_t last_time_ns() const noexcept { return last_time_ns_; }
  const ReplayTimers& timers() const noexcept { return timers_; }

 private:
  struct Store {
    StreamStore& streams;
    EventResolver events;
  };
  struct Stream {
    Store* store = nullptr;      // nullptr: a category this engine was opened without
    StreamSlot* slot = nullptr;  // nullptr: likewise, or closed
    std::uint16_t category = 0;  // number
    bool is_closed = false;
  };

  absl::Status Take(const RecordView& record);
  absl::Status TakeStream(const RecordView& record);
  absl::Status TakeEvent(const RecordView& record);
  absl::Status TakeClosing(const RecordView& record);  // replay_closes.cc
  absl::Status TakeTimer(const RecordView& record);
  static absl::Status TakeClock(const RecordView& record);

  // replay_sessions.cc
  absl::Status TakeOpening(const RecordView& record);
  absl::Status TakeSessionClosing(const RecordView& record);
  absl::Status EndCommit(const CommitHeader& commit);
  absl::Status RestoreCommand(const CommitHeader& commit, const PackedReceipt& receipt);

  std::vector<Store> stores_;
  SessionTable& sessions_;
  KeyTable& keys_;
  EpochStarts& epochs_;
  TypeCatalog& catalog_;
  // Writer: this. Reader: who opens the log after this process ended. Guards nothing.
  std::atomic<std::uint64_t> no_note_{0};
  std::atomic<std::uint64_t>* evolving_ = &no_note_;
  std::vector<Stream> streams_;  // by number − 1
  ReplayTimers timers_;
  std::uint64_t last_time_ns_ = 0;
  Position commit_last_;    // last record of the commit being read
  Version commit_version_;  // of its own stream
};

}  // namespace pawl::inline v0
