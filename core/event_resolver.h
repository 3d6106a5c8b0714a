#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/status.h>

#include "pawl/stream_store.h"
#include "type_catalog.h"

namespace pawl::inline v0 {

// Which of an aggregate's event types, older versions among them, a type number of the log means.
// Asked for by name once for each number, not once for each event.
//   threads   one at a time
class EventResolver {
 public:
  explicit EventResolver(const AggregateTraits& aggregate) : aggregate_(aggregate) {}

  // nullptr: not resolved yet.
  const EventTraits* Find(std::uint16_t number) const noexcept {
    return number < by_number_.size() ? by_number_[number] : nullptr;
  }
  // Resolves a number, so that Find() knows it from now on.
  //   errors    DATA_LOSS the log binds no such type; FAILED_PRECONDITION the aggregate has it
  //             neither in its Events nor as an Older of one, or with another layout
  absl::StatusOr<const EventTraits*> Resolve(std::uint16_t number, const TypeCatalog& catalog);

 private:
  const EventTraits* TraitsOf(const TypeCatalog::Type& type) const noexcept;

  const AggregateTraits& aggregate_;
  std::vector<const EventTraits*> by_number_;
};

}  // namespace pawl::inline v0
