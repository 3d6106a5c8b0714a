#include "made_commits.h"

#include <string_view>

#include "made_log.h"

namespace pawl::inline v0 {
namespace {

void PutText(Bytes& bytes, std::string_view text) {
  for (const char letter : text) bytes.push_back(static_cast<std::byte>(letter));
}

// Builds one commit: records, then its header.
class CommitMaker {
 public:
  CommitMaker(CommitCause cause, std::uint32_t session, std::uint32_t sequence)
      : bytes_(sizeof(CommitHeader)),
        header_{.bytes = 0,
                .records = 0,
                .cause = cause,
                .flags = 0,
                .session = session,
                .sequence = sequence} {}

  CommitMaker& Extension(std::uint16_t kind, bool more) {
    return Extension(kind, more, std::uint64_t{0xC0FFEE});
  }
  template <class Block>
  CommitMaker& Extension(std::uint16_t kind, bool more, const Block& block) {
    header_.flags |= kCommitHasExtensions;
    Put(bytes_, ExtensionHeader{.kind = kind,
                                .bytes = static_cast<std::uint16_t>(8 + sizeof block),
                                .more = more ? 1U : 0U});
    Put(bytes_, block);
    return *this;
  }
  CommitMaker& Flags(std::uint8_t flags) {
    header_.flags |= flags;
    return *this;
  }
  // length and padding of `header` are filled in
  CommitMaker& Record(RecordHeader header, const Bytes& payload) {
    const std::size_t padding = (8 - payload.size() % 8) % 8;
    header.units =
        static_cast<std::uint16_t>((sizeof header + payload.size() + padding) / kRecordAlignBytes);
    header.flags = static_cast<std::uint8_t>(header.flags | padding);
    Put(bytes_, header);
    bytes_.insert(bytes_.end(), payload.begin(), payload.end());
    bytes_.resize(bytes_.size() + padding);
    ++header_.records;
    return *this;
  }
  const Bytes& Done() {
    header_.bytes = static_cast<std::uint32_t>(bytes_.size());
    StoreAt(bytes_, 0, header_);
    return bytes_;
  }

 private:
  Bytes bytes_;
  CommitHeader header_;
};

RecordHeader Header(RecordKind kind) {
  RecordHeader header{};
  header.kind = kind;
  return header;
}

CommitMaker& AddEvent(CommitMaker& commit, std::uint32_t stream, std::uint64_t version,
                      std::uint64_t back_link) {
  Bytes payload;
  Put(payload, std::uint64_t{version * 100});
  RecordHeader header = Header(RecordKind::kEvent);
  header.flags = kRecordOwnStream;
  header.stream = stream;
  header.type = 1;
  header.version_low = static_cast<std::uint32_t>(version);
  header.back_link = back_link;
  return commit.Record(header, payload);
}

}  // namespace

Bytes EpochCommit(std::uint32_t epoch, EpochReason reason, std::uint64_t start) {
  Bytes payload;
  Put(payload, EpochBegan{.epoch = epoch,
                          .reason = reason,
                          .start_address = start,
                          .cut_bytes = 0,
                          .boot_id = {1}});
  return CommitMaker(CommitCause::kEpoch, 0, 0)
      .Record(Header(RecordKind::kEpochBegan), payload)
      .Done();
}

Bytes BindingsCommit() {
  Bytes category;
  PutText(category, kMadeCategory);
  Bytes type;
  Put(type, TypeBound{.layout_hash = kMadeLayoutHash,
                      .event_bytes = kMadeEventBytes,
                      .type_version = 1,
                      .name_bytes = static_cast<std::uint16_t>(kMadeType.size()),
                      .layout_bytes = static_cast<std::uint32_t>(kMadeLayout.size()),
                      .reserved = 0});
  PutText(type, kMadeType);
  PutText(type, kMadeLayout);
  RecordHeader category_header = Header(RecordKind::kCategoryBound);
  category_header.type = 1;
  RecordHeader type_header = Header(RecordKind::kTypeBound);
  type_header.type = 1;
  return CommitMaker(CommitCause::kControl, 0, 0)
      .Record(category_header, category)
      .Record(type_header, type)
      .Done();
}

Bytes SessionCommit(std::uint32_t generation) {
  Bytes payload;
  Put(payload, SessionOpened{
                   .session = 1, .generation = generation, .name_bytes = 5, .reserved = {0, 0, 0}});
  PutText(payload, "maker");
  return CommitMaker(CommitCause::kControl, 0, 0)
      .Record(Header(RecordKind::kSessionOpened), payload)
      .Done();
}

Bytes FirstEventCommit() { return BoundAgainCommit(1, 1); }

Bytes BoundAgainCommit(std::uint32_t stream, std::uint32_t sequence) {
  Bytes key;
  Put(key, StreamBound{.key_high = 0, .key_low = 7});
  RecordHeader header = Header(RecordKind::kStreamBound);
  header.stream = stream;
  header.type = 1;
  CommitMaker commit(CommitCause::kCommand, 1, sequence);
  commit.Record(header, key);
  return AddEvent(commit, stream, 1, 0).Done();
}

Bytes ClosingCommit(std::uint32_t stream, std::uint64_t version, std::uint64_t back_link,
                    std::uint32_t sequence) {
  RecordHeader header = Header(RecordKind::kStreamClosed);
  header.flags = kRecordOwnStream;
  header.stream = stream;
  header.type = 1;
  header.version_low = static_cast<std::uint32_t>(version);
  header.back_link = back_link;
  return CommitMaker(CommitCause::kCommand, 1, sequence).Record(header, {}).Done();
}

Bytes EventCommit(std::uint64_t version, std::uint64_t back_link, std::uint32_t sequence) {
  CommitMaker commit(CommitCause::kCommand, 1, sequence);
  return AddEvent(commit, 1, version, back_link).Done();
}

namespace {

RecordHeader TimerHeader(RecordKind kind) {
  RecordHeader header = Header(kind);
  header.stream = 1;
  header.type = 1;
  return header;
}

}  // namespace

Bytes TimerSetCommit(std::uint64_t id, std::uint64_t due_ns) {
  Bytes payload;
  Put(payload, TimerSetPayload{.id = id, .due_ns = due_ns});
  Put(payload, std::uint64_t{id * 100});
  return CommitMaker(CommitCause::kCommand, 0, 0)
      .Record(TimerHeader(RecordKind::kTimerSet), payload)
      .Done();
}

Bytes TimerFiredCommit(std::uint64_t id, std::uint64_t set_position) {
  Bytes payload;
  Put(payload, TimerFiredPayload{
                   .id = id, .set_position = set_position, .outcome = 0, .code = 0, .reserved = 0});
  return CommitMaker(CommitCause::kTimer, 0, 0)
      .Record(TimerHeader(RecordKind::kTimerFired), payload)
      .Done();
}

Bytes TimerCancelledCommit(std::uint64_t id, std::uint64_t set_position) {
  Bytes payload;
  Put(payload, TimerCancelledPayload{.id = id, .set_position = set_position});
  return CommitMaker(CommitCause::kCommand, 0, 0)
      .Record(TimerHeader(RecordKind::kTimerCancelled), payload)
      .Done();
}

Bytes ClockCommit(std::uint64_t held_ns, std::uint64_t adopted_ns) {
  Bytes payload;
  for (const std::uint64_t word : {held_ns, adopted_ns, std::uint64_t{1}}) Put(payload, word);
  return CommitMaker(CommitCause::kControl, 0, 0)
      .Record(Header(RecordKind::kClockAdopted), payload)
      .Done();
}

Bytes ExtendedCommit() {
  return CommitMaker(CommitCause::kCommand, 1, 3)
      .Extension(1, true)
      .Extension(2, false)
      .Record(Header(RecordKind::kAccepted), {})
      .Done();
}

Bytes BulkCommit(std::uint32_t session, std::uint32_t generation, std::string_view name) {
  Bytes payload;
  Put(payload, LaneOpened{.session = session,
                          .generation = generation,
                          .name_bytes = static_cast<std::uint16_t>(name.size()),
                          .lane = 1,
                          .reserved = {}});
  PutText(payload, name);
  return CommitMaker(CommitCause::kControl, 0, 0)
      .Record(Header(RecordKind::kLaneOpened), payload)
      .Done();
}

Bytes SessionClosingCommit(std::uint32_t session, std::uint32_t generation) {
  Bytes payload;
  Put(payload, SessionClosed{.session = session, .generation = generation});
  return CommitMaker(CommitCause::kControl, 0, 0)
      .Record(Header(RecordKind::kSessionClosed), payload)
      .Done();
}

Bytes KeyCommit(std::uint32_t session, std::uint32_t sequence, std::uint8_t flags) {
  const IdempotencyKeyBlock block{.key_high = session, .key_low = 7, .body_hash = sequence};
  return CommitMaker(CommitCause::kCommand, session, sequence)
      .Flags(flags)
      .Extension(static_cast<std::uint16_t>(ExtensionKind::kIdempotencyKey), false, block)
      .Record(Header(RecordKind::kAccepted), {})
      .Done();
}

Bytes FirstReceiptCommit(std::uint32_t session, std::uint32_t sequence, std::uint64_t position) {
  const FirstReceiptBlock block{.position = position, .version = 1};
  return CommitMaker(CommitCause::kCommand, session, sequence)
      .Extension(static_cast<std::uint16_t>(ExtensionKind::kFirstReceipt), false, block)
      .Record(Header(RecordKind::kAccepted), {})
      .Done();
}

Bytes SkippedCommit(std::size_t bytes) {
  return CommitMaker(CommitCause::kCommand, 0, 0)
      .Record(Header(static_cast<RecordKind>(130)), Bytes(bytes, std::byte{0x5A}))
      .Done();
}

}  // namespace pawl::inline v0
