#include "replay.h"

#include <cstring>
#include <string>

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
      if (open != &record.commit) {
        if (open != nullptr && status.ok()) status = EndCommit(*open);
        open = &record.commit;
        commit_version_ = Version();
      }
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
    case RecordKind::kTypeBound:
    case RecordKind::kCategoryBound: return catalog_.Read(record);
    case RecordKind::kSessionOpened:
    case RecordKind::kLaneOpened: return TakeOpening(record);
    case RecordKind::kSessionClosed: return TakeClosing(record);
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
  Stream stream;
  for (StreamStore* store : stores_) {
    if (catalog_.FindCategory(store->traits().category) != record.header.type) continue;
    const Key key(bound.key_high, bound.key_low);
    if (store->Find(key) != nullptr) return Contradiction(record, "stream bound twice");
    stream = {store, store->Insert(key)};
    if (stream.slot == nullptr) {
      return absl::ResourceExhaustedError("the log holds more " +
                                          std::string(store->traits().category) +
                                          " streams than streams_max; raise the limit");
    }
    stream.slot->number = record.header.stream;
  }
  streams_.push_back(stream);
  return absl::OkStatus();
}

absl::StatusOr<const EventTraits*> Replay::TraitsOf(const StreamStore& store,
                                                    std::uint16_t type) const {
  const TypeCatalog::Type* logged = catalog_.TypeOf(type);
  if (logged == nullptr) return absl::DataLossError("event of an unbound type");
  for (const EventTraits& event : store.traits().events) {
    if (event.descriptor->name != logged->name || event.descriptor->version != logged->version) {
      continue;
    }
    if (absl::StatusOr<std::uint16_t> same = catalog_.Find(*event.descriptor); !same.ok()) {
      return same.status();
    }
    return &event;
  }
  return absl::FailedPreconditionError("the log holds " + logged->name + " version " +
                                       std::to_string(logged->version) + " on category " +
                                       std::string(store.traits().category) +
                                       ", which does not list it in its Events; add it");
}

absl::Status Replay::TakeEvent(const RecordView& record) {
  const RecordHeader& header = record.header;
  if (header.stream == 0 || header.stream >= next_stream()) {
    return Contradiction(record, "event on an unbound stream");
  }
  const Stream& stream = streams_[header.stream - 1];
  if ((header.flags & kRecordOwnStream) != 0) commit_version_ = Version(header.version());
  if (stream.slot == nullptr) return absl::OkStatus();
  StreamSlot& slot = *stream.slot;
  if (header.version() != slot.version.value() + 1 || header.back_link != slot.last.value()) {
    return Contradiction(record, "version or back-link does not follow the stream's last event");
  }
  absl::StatusOr<const EventTraits*> event = TraitsOf(*stream.store, header.type);
  if (!event.ok()) return event.status();
  if (header.payload_bytes() != (*event)->descriptor->bytes) {
    return Contradiction(record, "event of a wrong size");
  }
  slot.version = Version(header.version());
  slot.last = record.position;
  (*event)->evolve(slot, record.payload());
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
