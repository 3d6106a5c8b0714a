#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <vector>

#include <absl/status/status.h>

#include "pawl/log_reader.h"
#include "pawl/stream_store.h"
#include "timer_table.h"
#include "type_catalog.h"

namespace pawl::inline v0 {

// The timers that a log leaves set: those whose record was followed by none that they fired, were
// cancelled or set again.
//   threads   one, before the loop runs
class ReplayTimers {
 public:
  // Checks what a record of a timer says by itself.
  //   errors    DATA_LOSS
  static absl::Status CheckRecord(const RecordView& record, const TypeCatalog& catalog);
  // Takes a record of a timer of `slot` in.
  //   errors    DATA_LOSS it contradicts those before it
  absl::Status Take(const RecordView& record, StreamStore& store, StreamSlot& slot);
  // The stream was closed: its timers are no more.
  void DropStream(std::uint32_t stream);
  // Checks the place of any record in its commit: what a timer caused begins with its kTimerFired,
  // and nothing else has one.
  //   errors    DATA_LOSS
  static absl::Status CheckPlace(const RecordView& record, bool is_first);

  // Fills an empty table.
  //   table     nullptr: no aggregate of the engine lists a timer
  //   errors    FAILED_PRECONDITION a timer is set that its aggregate does not list;
  //             RESOURCE_EXHAUSTED more are set than timers_max; DATA_LOSS one of a wrong size
  absl::Status Restore(const TypeCatalog& catalog, TimerTable* table) const;

 private:
  struct Id {
    std::uint32_t stream;
    std::uint16_t type;  // number in the log
    std::uint64_t id;

    friend auto operator<=>(const Id&, const Id&) noexcept = default;
  };
  struct Set {
    StreamStore* store;
    StreamSlot* slot;
    std::uint64_t due_ns;
    std::uint64_t position;
    std::vector<std::byte> timer;
  };

  absl::Status TakeSet(const RecordView& record, StreamStore& store, StreamSlot& slot);
  absl::Status TakeEnd(const RecordView& record);
  absl::Status RestoreOne(const TypeCatalog& catalog, const Id& id, const Set& set,
                          TimerTable* table) const;

  std::map<Id, Set> set_;
};

}  // namespace pawl::inline v0
