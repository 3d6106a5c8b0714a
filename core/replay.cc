#include "replay.h"

#include <cstring>
#include <string>

#include "clock_record.h"

namespace pawl::inline v0 {

namespace {

absl::Status Contradiction(const RecordView& record, std::string_view what) {
  return absl::DataLossError("position " + std::to_string(record.position.value()) + ": " +
                             std::string(what));
}

}  // namespace

absl::Status Replay::Run(const Log& log) {
  LogReader reader = log.NewReader();
  while (const FrameHeader* frame = reader.NextFrame(log.published())) {
    last_time_ns_ = frame->time_ns;
    absl::Status status;
    const CommitHeader* open = nullptr;
    ForEachRecord(*frame, [&](const RecordView& record) {
      const bool is_first = open != &record.commit;
      if (is_first) {
        if (open != nullptr && status.ok()) status = EndCommit(*open);
        open = &record.commit;
        commit_version_ = Version();
      }
      if (status.ok()) status = ReplayTimers::CheckPlace(record, is_first);
      if (status.ok()) status = Take(record);
      commit_last_ = record.position;
    });
    if (open != nullptr && status.ok()) status = EndCommit(*open);
    if (!status.ok()) return status;
  }
  return reader.status();
}

absl::Status Replay::Take(const RecordView& record) {
  switch (record.header.kind) {
    case RecordKind::kEvent: return TakeEvent(record);
    case RecordKind::kStreamBound: return TakeStream(record);
    case RecordKind::kStreamClosed: return TakeClosing(record);
    case RecordKind::kTypeBound:
    case RecordKind::kCategoryBound: return catalog_.Read(record);
    case RecordKind::kSessionOpened:
    case RecordKind::kLaneOpened: return TakeOpening(record);
    case RecordKind::kSessionClosed: return TakeSessionClosing(record);
    case RecordKind::kEpochBegan: {
      EpochBegan began;
      if (record.header.payload_bytes() != sizeof began) {
        return Contradiction(record, "epoch record of a wrong size");
      }
      std::memcpy(&began, record.payload(), sizeof began);
      const bool follows = epochs_.Add(record.position, Epoch(began.epoch));
      return follows ? absl::OkStatus() : Contradiction(record, "epoch out of order");
    }
    case RecordKind::kAccepted: return absl::OkStatus();
    case RecordKind::kTimerSet:
    case RecordKind::kTimerFired:
    case RecordKind::kTimerCancelled: return TakeTimer(record);
    case RecordKind::kClockAdopted: return TakeClock(record);
    default:
      if (record.header.kind >= RecordKind::kSkippable) return absl::OkStatus();
      return absl::FailedPreconditionError(
          "position " + std::to_string(record.position.value()) + ": record kind " +
          std::to_string(static_cast<int>(record.header.kind)) +
          " is newer than this program; open the log with the version that wrote it");
  }
}

absl::Status Replay::TakeStream(const RecordView& record) {
  StreamBound bound;
  if (record.header.payload_bytes() != sizeof bound) {
    return Contradiction(record, "stream record of a wrong size");
  }
  std::memcpy(&bound, record.payload(), sizeof bound);
  if (record.header.stream != next_stream()) {
    return Contradiction(record, "stream number out of order");
  }
  if (!catalog_.HasCategory(record.header.type)) {
    return Contradiction(record, "stream of a category that was never bound");
  }
  const Key key(bound.key_high, bound.key_low);
  if (key.is_zero()) return Contradiction(record, "stream bound to key 0");
  Stream stream{.category = record.header.type};
  for (Store& store : stores_) {
    if (catalog_.FindCategory(store.streams.traits().category) != record.header.type) continue;
    if (store.streams.Find(key) != nullptr) return Contradiction(record, "stream bound twice");
    stream.store = &store;
    stream.slot = store.streams.Insert(key);
    if (stream.slot == nullptr) {
      return absl::ResourceExhaustedError("the log holds more " +
                                          std::string(store.streams.traits().category) +
                                          " streams than streams_max; raise the limit");
    }
    stream.slot->number = record.header.stream;
  }
  streams_.push_back(stream);
  return absl::OkStatus();
}

absl::Status Replay::TakeEvent(const RecordView& record) {
  const RecordHeader& header = record.header;
  if (header.stream == 0 || header.stream >= next_stream()) {
    return Contradiction(record, "event on an unbound stream");
  }
  const Stream& stream = streams_[header.stream - 1];
  if (stream.is_closed) return Contradiction(record, "event on a closed stream");
  if ((header.flags & kRecordOwnStream) != 0) commit_version_ = Version(header.version());
  if (stream.slot == nullptr) return absl::OkStatus();
  StreamSlot& slot = *stream.slot;
  if (header.version() != slot.version.value() + 1 || header.back_link != slot.last.value()) {
    return Contradiction(record, "version or back-link does not follow the stream's last event");
  }
  const EventTraits* event = stream.store->events.Find(header.type);
  if (event == nullptr) {
    absl::StatusOr<const EventTraits*> resolved =
        stream.store->events.Resolve(header.type, catalog_);
    if (!resolved.ok()) return resolved.status();
    event = *resolved;
  }
  if (!event->descriptor->MayHave(header.payload_bytes())) {
    return Contradiction(record, "event of a wrong size");
  }
  slot.version = Version(header.version());
  slot.last = record.position;
  // Relaxed: as in CommitBuilder::BeginDecision().
  evolving_->store(record.position.value(), std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const bool is_decoded = event->evolve(slot, record.payload());
  // Relaxed: as above. What ends the process from here on is not this event's fault.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  evolving_->store(0, std::memory_order_relaxed);
  if (!is_decoded) {
    return Contradiction(record, "event " + std::string(event->descriptor->name) + " version " +
                                     std::to_string(event->descriptor->version) +
                                     ", which its codec does not decode");
  }
  return absl::OkStatus();
}

bool Replay::IsOfKnown(const Log& log, Position position) const {
  LogReader reader = log.NewReader();
  if (!reader.Seek(position, log.published()).ok()) return true;
  const FrameHeader* const frame = reader.NextFrame(log.published());
  bool is_known = true;
  if (frame != nullptr) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      const std::uint32_t number = record.header.stream;
      if (record.position != position || number == 0 || number >= next_stream()) return;
      is_known = streams_[number - 1].store != nullptr;
    });
  }
  return is_known;
}

absl::Status Replay::TakeTimer(const RecordView& record) {
  if (absl::Status s = ReplayTimers::CheckRecord(record, catalog_); !s.ok()) return s;
  const std::uint32_t number = record.header.stream;
  if (number == 0 || number >= next_stream()) {
    return Contradiction(record, "timer of an unbound stream");
  }
  const Stream& stream = streams_[number - 1];
  if (stream.is_closed) return Contradiction(record, "timer of a closed stream");
  if (stream.slot == nullptr) return absl::OkStatus();
  return timers_.Take(record, stream.store->streams, *stream.slot);
}

// Nothing is to be rebuilt: the frame has the new time.
absl::Status Replay::TakeClock(const RecordView& record) {
  ClockAdopted adopted;
  if (record.header.payload_bytes() != sizeof adopted) {
    return Contradiction(record, "clock record of a wrong size");
  }
  std::memcpy(&adopted, record.payload(), sizeof adopted);
  if (record.commit.records != 1 || record.commit.cause != CommitCause::kControl) {
    return Contradiction(record, "engine time that was adopted in a commit of something else");
  }
  if (adopted.adopted_ns <= adopted.held_ns || record.frame.time_ns < adopted.adopted_ns) {
    return Contradiction(record, "engine time that was adopted and does not hold");
  }
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
