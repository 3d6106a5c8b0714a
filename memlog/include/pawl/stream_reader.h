#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <absl/status/status.h>

#include "pawl/log_reader.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

// Reads the events of one stream in order, forward and backward, in place. It stands between two
// events.
//
// In segments that have an index it goes from event to event; those without one (the newest) it
// walks over once and remembers. Backward, segments without events of the stream are passed over by
// the events' back-links; forward, by their indexes.
//   threads   one at a time; any number of readers
//   blocking  reads files and allocates: not for the loop
//
// Memory ordering: as LogReader.
class StreamReader {
 public:
  // Starts before the stream's first event. From Log::NewStreamReader().
  StreamReader(std::shared_ptr<ReadableSegments> segments, std::uint32_t stream);

  StreamReader(StreamReader&&) noexcept = default;
  StreamReader& operator=(StreamReader&&) = delete;

  // The next event of the stream in a frame that ends at or below `limit`, or nullptr if there is
  // none yet, or if status() is not Ok. Stays until the next call.
  const RecordView* NextEvent(Address limit);
  // The event before this place, or nullptr at the stream's start or if status() is not Ok. The
  // reader then stands before it.
  const RecordView* PreviousEvent();
  // Moves so that NextEvent(limit) returns the event with that version; right behind the last one
  // that is there, so that it will return what comes next.
  //   returns   OUT_OF_RANGE further on than that; INVALID_ARGUMENT version 0; as status()
  //   cost      from the end backward, the segments that hold newer events of the stream: an index
  //             and one frame each
  absl::Status Seek(Version version, Address limit);
  // Moves behind the stream's last event below `limit`, to read backward from there.
  absl::Status SeekEnd(Address limit);

  std::uint32_t stream() const noexcept { return stream_; }
  // DATA_LOSS or UNKNOWN, as LogReader's. Final.
  const absl::Status& status() const noexcept { return status_; }

 private:
  // Where an event is. `frame`: address of its frame, or 0 if only the index tells of it.
  struct Place {
    Position position;
    Address frame;
  };

  void EnterSegment(std::uint64_t segment);
  bool ReadIndex();
  void Gather(Address limit);
  const RecordView* Fetch(const Place& place);
  std::uint64_t SegmentOfPrevious();
  bool EnterPrevious();

  std::shared_ptr<ReadableSegments> segments_;
  std::uint32_t stream_;
  std::uint64_t segment_ = 0;
  std::vector<Place> places_;  // of the stream's events in the segment, as far as it was walked
  std::size_t next_ = 0;       // of places_
  bool is_complete_ = false;   // no more events of the segment will be found
  LogReader scout_;            // walks over segments without an index
  LogReader reader_;           // goes to the events
  const FrameHeader* frame_ = nullptr;  // where reader_ was last
  std::optional<RecordView> event_;
  absl::Status status_;
};

}  // namespace pawl::inline v0
