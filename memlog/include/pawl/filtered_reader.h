#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/status.h>

#include "pawl/log_reader.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

class SegmentIndex;

// Which events are wanted: those that both lists name; an empty list names all.
struct RecordFilter {
  std::vector<std::uint16_t> types{};       // numbers of event types (FORMAT.md, "type bound")
  std::vector<std::uint16_t> categories{};  // of the events' streams ("category bound")
};

// Reads the events of some types or categories, forward, in place, over all streams.
//
// Segments whose index shows no such event are passed over: their index is read, about 5 % of their
// bytes, and they are not. Those without an index (the newest) are walked over. What streams are
// called is learnt on the way, 24 bytes for each.
//   threads   one at a time; any number of readers
//   blocking  reads files and allocates: not for the loop
//
// Memory ordering: as LogReader.
class FilteredReader {
 public:
  // A stream as its record "stream bound" names it.
  struct Stream {
    std::uint64_t key_high = 0;
    std::uint64_t key_low = 0;
    std::uint16_t category = 0;  // 0: the stream was never bound
  };

  // Starts before the log's first record. From Log::NewFilteredReader().
  FilteredReader(std::shared_ptr<ReadableSegments> segments, RecordFilter filter);

  FilteredReader(FilteredReader&&) noexcept = default;
  FilteredReader& operator=(FilteredReader&&) = delete;

  // The next wanted event in a frame that ends at or below `limit`, or nullptr if there is none
  // yet, or if status() is not Ok. Stays until the next call.
  const RecordView* NextEvent(Address limit);

  // Goes on with the first wanted event at or behind `first`, which may not be there yet: with
  // position().Next() a consumer goes on where another reader stopped.
  //   cost      segments before it are passed over by their index; its own is walked from its start
  void StartAt(Position first);

  // Everything up to here was passed over or handed out: what a consumer that took the last event
  // writes down as its checkpoint. Goes on also where nothing is handed out.
  Position position() const noexcept {
    const Position read = next_ == wanted_.size() ? reader_.position()
                                                  : Position(wanted_[next_].position.value() - 1);
    return std::max(read, before_first_);
  }

  // The stream of an event that was handed out.
  const Stream& StreamOf(const RecordView& event) const noexcept {
    return StreamOf(event.header.stream);
  }

  // DATA_LOSS or UNKNOWN, as LogReader's; DATA_LOSS also of streams bound out of order. Final.
  const absl::Status& status() const noexcept { return status_.ok() ? reader_.status() : status_; }

 private:
  const Stream& StreamOf(std::uint32_t number) const noexcept {
    return number < streams_.size() ? streams_[number] : streams_.front();
  }
  bool IsWantedType(std::uint16_t type) const noexcept;
  bool IsWantedStream(std::uint32_t stream) const noexcept;
  bool MayHold(const SegmentIndex& index) const noexcept;
  bool Learn(const SegmentIndex& index);
  void Learn(const RecordView& bound);
  bool CanPass(std::uint64_t segment, Position last);
  void PassSegments(Address limit);
  void Collect(const FrameHeader& frame);

  std::shared_ptr<ReadableSegments> segments_;
  RecordFilter filter_;
  LogReader reader_;
  Address look_at_;                 // where the indexes are asked next
  std::vector<RecordView> wanted_;  // of the frame before reader_
  std::size_t next_ = 0;            // of wanted_
  Position before_first_;           // events up to here are not handed out
  std::vector<Stream> streams_;     // by number; [0] stands for those never bound
  absl::Status status_;
};

}  // namespace pawl::inline v0
