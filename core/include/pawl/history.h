#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <absl/status/status.h>

#include "pawl/key.h"
#include "pawl/log.h"
#include "pawl/stream_reader.h"
#include "pawl/typed_event.h"

namespace pawl::inline v0 {

// What a History does whatever its aggregate's type is.
class HistoryReader {
 public:
  struct Start {
    const Log* log;
    std::uint32_t stream;  // number
    Key key;
    EventTypes types;
    ReadOptions options;
  };

  explicit HistoryReader(Start start);

  // False: there is none, or status() is not Ok.
  bool Next(TypedEvent& into);
  bool Previous(TypedEvent& into);
  // The event taken last is none: its codec does not decode it.
  void StopAt(const TypedEvent& event) { status_ = start_.types.NotDecoded(event); }
  absl::Status StandBefore(Version version);
  absl::Status StandAtEnd();

  const absl::Status& status() const noexcept { return status_.ok() ? stream_.status() : status_; }

 private:
  Address limit() const noexcept;
  bool Take(const RecordView* record, TypedEvent& into);

  Start start_;
  StreamReader stream_;
  absl::Status status_;
};

// An aggregate of type A from its first event until it was closed. Each time a key is used again,
// another life begins, with a stream of its own. From Engine::FindLives().
template <class A>
struct Life {
  Key key;
  std::uint32_t stream = 0;  // number in the log
};

// The events of one life of an aggregate, forward and backward. It stands between two of them; at
// first before the first one.
//
// A visitor is called as visitor(const Event&, const Meta&) noexcept: a lambda that takes
// `const auto&`, or an object with one operator() per event. The event is read in place, until the
// visitor returns.
//   threads   one at a time; reads files and allocates
//   lifetime  ends before its engine
template <class A>
class History {
 public:
  // From Engine::NewHistory().
  explicit History(HistoryReader reader) : reader_(std::move(reader)) {}

  // Visits the next events, at most `events_max`; returns how many. Fewer: no more are there yet,
  // or status() is not Ok.
  template <class V>
  std::size_t Forward(V&& visitor, std::size_t events_max = SIZE_MAX) {
    return Visit(visitor, events_max, &HistoryReader::Next);
  }
  // The same with those before this place, newest first.
  template <class V>
  std::size_t Backward(V&& visitor, std::size_t events_max = SIZE_MAX) {
    return Visit(visitor, events_max, &HistoryReader::Previous);
  }

  // Moves so that Forward() goes on with `version`, which may be the next one to come, and
  // Backward() with the one before.
  //   errors    OUT_OF_RANGE further on than that: it then stands at the end; INVALID_ARGUMENT 0;
  //             as status()
  absl::Status StandBefore(Version version) { return reader_.StandBefore(version); }
  // Moves behind the newest event, to read backward from there.
  absl::Status StandAtEnd() { return reader_.StandAtEnd(); }

  // DATA_LOSS or UNKNOWN, as LogReader's. Final.
  const absl::Status& status() const noexcept { return reader_.status(); }

 private:
  template <class V>
  std::size_t Visit(V& visitor, std::size_t events_max, bool (HistoryReader::*take)(TypedEvent&)) {
    TypedEvent event;
    std::size_t count = 0;
    for (; count < events_max && (reader_.*take)(event); ++count) {
      if (!internal::EventVisit<typename A::Events>::Call(event, visitor)) {
        reader_.StopAt(event);
        break;
      }
    }
    return count;
  }

  HistoryReader reader_;
};

}  // namespace pawl::inline v0
