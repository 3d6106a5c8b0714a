// What replay does with streams that were closed.

#include <string>
#include <string_view>

#include "replay.h"

namespace pawl::inline v0 {

namespace {

absl::Status WrongClosing(const RecordView& record, std::string_view what) {
  return absl::DataLossError("position " + std::to_string(record.position.value()) +
                             ": closing of " + std::string(what));
}

}  // namespace

// Ends a stream: its aggregate is gone, its place is free. One of a category that this engine was
// opened without has neither.
absl::Status Replay::TakeClosing(const RecordView& record) {
  const RecordHeader& header = record.header;
  if (header.stream == 0 || header.stream >= next_stream()) {
    return WrongClosing(record, "an unbound stream");
  }
  Stream& stream = streams_[header.stream - 1];
  if (stream.is_closed) return WrongClosing(record, "a closed stream");
  if (stream.category != header.type) return WrongClosing(record, "a stream of another category");
  if (header.payload_bytes() != 0) return WrongClosing(record, "a wrong size");
  if ((header.flags & kRecordOwnStream) != 0) commit_version_ = Version(header.version());
  stream.is_closed = true;
  if (stream.slot == nullptr) return absl::OkStatus();
  StreamSlot& slot = *stream.slot;
  if (header.version() != slot.version.value() || header.back_link != slot.last.value()) {
    return WrongClosing(record, "a stream whose last event is another one");
  }
  timers_.DropStream(header.stream);
  stream.store->streams.Close(slot, record.position);
  stream.slot = nullptr;
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
