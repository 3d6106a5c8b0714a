#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <absl/status/status.h>

#include "pawl/filtered_reader.h"
#include "pawl/log.h"
#include "pawl/typed_event.h"

namespace pawl::inline v0 {

// What an EventReader does whatever its types are.
class CategoryReader {
 public:
  struct Start {
    const Log* log;
    std::uint16_t category;  // number
    EventTypes types;
    ReadOptions options;
  };

  explicit CategoryReader(Start start);

  // False: there is none yet, or status() is not Ok.
  bool Next(TypedEvent& into);
  // The event taken last is none: its codec does not decode it.
  void StopAt(const TypedEvent& event) { status_ = start_.types.NotDecoded(event); }
  void StartAt(Position first) { events_.StartAt(first); }
  Position position() const noexcept { return events_.position(); }
  const absl::Status& status() const noexcept { return status_.ok() ? events_.status() : status_; }

 private:
  Start start_;
  FilteredReader events_;
  absl::Status status_;
};

// The events of all aggregates of type A, in the order of the log: all of them, or those of the
// types Es only. Parts of the log that have none are passed over without being read, as far as they
// are sealed and indexed.
//
// A visitor is called as visitor(const Event&, const Meta&) noexcept: a lambda that takes
// `const auto&`, or an object with one operator() per event. The event is read in place, until the
// visitor returns.
//   threads   one at a time; reads files and allocates
//   lifetime  ends before its engine
template <class A, class... Es>
class EventReader {
  static_assert((A::Events::template kHas<Es> && ...),
                "pawl: this event is not in the aggregate's Events");

 public:
  using Types = std::conditional_t<sizeof...(Es) == 0, typename A::Events, Events<Es...>>;

  // From Engine::NewEventReader().
  explicit EventReader(CategoryReader reader) : reader_(std::move(reader)) {}

  // Visits the next events, at most `events_max`; returns how many. Fewer: no more are there yet,
  // or status() is not Ok.
  template <class V>
  std::size_t Forward(V&& visitor, std::size_t events_max = SIZE_MAX) {
    TypedEvent event;
    std::size_t count = 0;
    for (; count < events_max && reader_.Next(event); ++count) {
      if (!internal::EventVisit<Types>::Call(event, visitor)) {
        reader_.StopAt(event);
        break;
      }
    }
    return count;
  }

  // Everything up to here was visited or passed over: a checkpoint to go on from, with
  // StartAt(position().Next()). It goes on also where nothing is visited.
  Position position() const noexcept { return reader_.position(); }
  // Goes on with the first event at or behind `first`, which may not be there yet.
  void StartAt(Position first) { reader_.StartAt(first); }

  // DATA_LOSS or UNKNOWN, as LogReader's. Final.
  const absl::Status& status() const noexcept { return reader_.status(); }

 private:
  CategoryReader reader_;
};

}  // namespace pawl::inline v0
