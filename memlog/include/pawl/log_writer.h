#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "pawl/cache_line.h"
#include "pawl/check.h"
#include "pawl/doorbell.h"
#include "pawl/format.h"
#include "pawl/hot_marks.h"
#include "pawl/position.h"
#include "pawl/ready_segments.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {

class HealthBoard;
class ReaderBoard;

// What a record says besides its payload; the writer adds length and position.
struct RecordFields {
  RecordKind kind = RecordKind::kEvent;
  std::uint8_t flags = 0;
  // Below 2^16 and 2^32; as wide as the words that they become parts of, since a narrow one that is
  // kept on the stack and read back as a word waits for its own store.
  std::uint64_t type = 0;
  std::uint64_t stream = 0;
  Version version{};
  Position back_link{};
};

struct CommitOrigin {
  CommitCause cause = CommitCause::kCommand;
  std::uint32_t session = 0;
  Sequence sequence{};
  std::uint8_t flags = 0;  // kCommitHasExtensions if and only if the commit has one
};

// Builds commits in a private frame buffer and publishes them frame by frame.
//
// One commit is open at a time: BeginCommit, AppendRecord…, then EndCommit or AbandonCommit. An
// abandoned commit leaves nothing behind. Commits that ended are staged until the frame is full
// (kFrameCommitsMax commits or frame_bytes_max bytes: EndCommit publishes it by itself) or until
// Publish(). Nothing here waits, allocates, or makes a system call but the wake of a sleeping
// sync agent or preparer.
//   threads   loop only
//   source    group commit with a growth limit after leveldb db/db_impl.cc BuildBatchGroup
class LogWriter {
 public:
  struct Start {
    Storage* storage = nullptr;
    HotMarks* marks = nullptr;
    ReadySegments* ready = nullptr;
    HealthBoard* health = nullptr;     // told if an image was taken away
    ReaderBoard* readers = nullptr;    // told after each publish
    Doorbell* sync_bell = nullptr;     // rung after each publish
    Doorbell* prepare_bell = nullptr;  // rung when a ready segment was taken
    ReadySegment segment;              // the unsealed segment
    Address address;                   // end of what was recovered: where the next frame goes
    Position next_position;
    Epoch epoch;
    std::uint32_t previous_checksum = 0;
    std::uint32_t previous_length = 0;  // 0 at the start of a segment
    std::uint64_t segment_bytes = 0;
    std::uint32_t frame_bytes_max = kFrameBytesMax;
    std::uint32_t commit_bytes_max = 0;
  };

  // Where the frame and its open commit stand. Who decides many commits in a row takes a copy, so
  // that it stays in registers, and gives it back before anything else happens to the log.
  struct Cursors {
    std::uint32_t open = sizeof(FrameHeader);    // end of the open commit
    std::uint32_t staged = sizeof(FrameHeader);  // end of the commits that ended
    Position next;                               // of the next record
    Position commit_first;                       // of the open commit's first record
    std::uint32_t commits = 0;                   // that ended

    // Records in the open commit.
    std::uint32_t commit_records() const noexcept {
      return static_cast<std::uint32_t>(next - commit_first);
    }
    // Forgets the open commit.
    void Abandon() noexcept { next = commit_first; }
  };

  explicit LogWriter(const Start& start);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter();

  // True if what a frame has room for and one more commit of any legal size find room: in this
  // segment, or the next one is ready.
  // False means that the preparer is behind (disk full or slow): take no input this turn.
  bool CanBeginCommit() const noexcept {
    return address_.value() <= segment_begin_last_ || ready_->HasNext();
  }

  // Time of the frames from now on, nanoseconds since 1970; never decreases.
  void SetTime(std::uint64_t time_ns) noexcept {
    PAWL_DCHECK(time_ns >= time_ns_);
    time_ns_ = time_ns;
  }

  //   head_bytes  before the records: the commit's header, or HeadBytesWith() what was staged
  void BeginCommit(std::uint32_t head_bytes = sizeof(CommitHeader)) noexcept {
    BeginCommit(at_, head_bytes);
  }

  // The head of a commit with an extension of so many bytes behind the extension's header.
  static constexpr std::uint32_t HeadBytesWith(std::uint32_t payload_bytes) noexcept {
    return static_cast<std::uint32_t>(sizeof(CommitHeader) + sizeof(ExtensionHeader)) +
           payload_bytes;
  }
  // Writes the header of an extension of the next commit, which is to begin with HeadBytesWith().
  //   returns   8-aligned room for `payload_bytes`, a multiple of 8, to be filled before the commit
  //             ends
  std::byte* StageExtension(ExtensionKind kind, std::uint32_t payload_bytes) noexcept {
    PAWL_DCHECK(at_.commit_records() == 0 && payload_bytes % kRecordAlignBytes == 0);
    const ExtensionHeader header{
        .kind = static_cast<std::uint16_t>(kind),
        .bytes = static_cast<std::uint16_t>(sizeof(ExtensionHeader) + payload_bytes),
        .more = 0};
    std::byte* const to = frame_ + at_.staged + sizeof(CommitHeader);
    std::memcpy(to, &header, sizeof header);
    return to + sizeof header;
  }

  // Adds a record to the open commit.
  //   returns   8-aligned room for `payload_bytes` bytes to be filled before EndCommit (it moves
  //             with the next frame: keep no pointer over EndCommit), or nullptr if the commit
  //             would exceed commit_bytes_max, the payload kRecordPayloadBytesMax, or the records
  //             65,535; the commit must then be abandoned
  std::byte* AppendRecord(const RecordFields& fields, std::uint32_t payload_bytes) noexcept {
    return AppendRecord(at_, fields, payload_bytes);
  }

  // Position that the next appended record gets.
  Position next_position() const noexcept { return at_.next; }

  // Records in the open commit.
  std::uint32_t commit_records() const noexcept { return at_.commit_records(); }

  void AbandonCommit() noexcept { at_.Abandon(); }

  // Ends the open commit, which has at least one record; it is visible after the frame it is in
  // was published, by this call (full frame: the ones before) or by Publish().
  //   returns   position of the commit's last record
  Position EndCommit(const CommitOrigin& origin) noexcept {
    return EndCommit(at_, WordOf(origin.cause, origin.flags), origin.session, origin.sequence);
  }

  // The same by cursors that were taken out. In between, nothing else here that writes or asks for
  // the next position may be called.
  Cursors cursors() const noexcept { return at_; }
  void SetCursors(const Cursors& at) noexcept { at_ = at; }
  static void BeginCommit(Cursors& at, std::uint32_t head_bytes) noexcept {
    PAWL_DCHECK(at.commit_records() == 0);
    at.commit_first = at.next;  // as it is: said for the compiler, which then counts for us
    at.open = at.staged + head_bytes;
  }
  std::byte* AppendRecord(Cursors& at, const RecordFields& fields,
                          std::uint32_t payload_bytes) const noexcept {
    if (payload_bytes > kRecordPayloadBytesMax) return nullptr;
    PAWL_DCHECK(fields.type <= UINT16_MAX && fields.stream <= UINT32_MAX);
    const std::uint32_t padded = (payload_bytes + 7U) & ~7U;
    const std::uint32_t bytes = padded + static_cast<std::uint32_t>(sizeof(RecordHeader));
    if (at.open + bytes - at.staged > commit_bytes_max_ || at.commit_records() == 0xFFFF)
      return nullptr;
    std::byte* const to = frame_ + at.open;
    if (padded != payload_bytes) std::memset(to + bytes - 8, 0, 8);
    // Three words, each built in a register: a header built field by field and copied as a whole
    // stalls on its own stores (measured: a third of the time of an emit).
    const std::uint64_t words[3] = {
        bytes / kRecordAlignBytes | std::uint64_t{static_cast<std::uint8_t>(fields.kind)} << 16 |
            std::uint64_t{fields.flags | (padded - payload_bytes)} << 24 | fields.stream << 32,
        fields.version.value() | fields.type << 48, fields.back_link.value()};
    std::memcpy(to, &words[0], 8);
    std::memcpy(to + 8, &words[1], 8);
    std::memcpy(to + 16, &words[2], 8);
    at.open += bytes;
    at.next = at.next.Next();
    return to + sizeof(RecordHeader);
  }
  // Cause and flags as they stand in the commit header's first word, for who knows them for many
  // commits.
  static constexpr std::uint64_t WordOf(CommitCause cause, std::uint8_t flags) noexcept {
    return (static_cast<std::uint64_t>(cause) | std::uint64_t{flags} << 8) << 48;
  }
  Position EndCommit(Cursors& at, std::uint64_t cause_and_flags, std::uint32_t session,
                     Sequence sequence) noexcept {
    PAWL_DCHECK(at.commit_records() > 0);
    // Two words, as in AppendRecord().
    const std::uint64_t words[2] = {
        (at.open - at.staged) | std::uint64_t{at.commit_records()} << 32 | cause_and_flags,
        session | (sequence.value() & 0xFFFF'FFFFU) << 32};
    std::byte* const header = frame_ + at.staged;
    std::memcpy(header, &words[0], 8);
    std::memcpy(header + 8, &words[1], 8);
    if (at.open > frame_bytes_max_ && at.commits > 0) [[unlikely]] {
      at_ = at;
      PublishBeforeOpenCommit();
      at = at_;
    }
    // The lines of the image that this commit is going to: fetched while the next one is decided,
    // they are there when the frame is stored (measured: four fifths of the store's time). The last
    // two only: a longer commit's others are prefetched by hardware.
    PrefetchToWrite(target_ + at.open - 1);
    PrefetchToWrite(target_ + at.open - 1 - kCacheLineBytes);
    // The frame buffer does not stay in the first level of the cache until its next lap, and stores
    // that miss it drain one after the other (measured: a tenth of the loop's time). Two lines, as
    // much as a small commit.
    PrefetchToWrite(Ahead(frame_ + at.open, kBufferAheadBytes));
    PrefetchToWrite(Ahead(frame_ + at.open, kBufferAheadBytes + kCacheLineBytes));
    at.staged = at.open;
    ++at.commits;
    at.commit_first = at.next;
    const Position last(at.next.value() - 1);
    if (at.commits == kFrameCommitsMax) {
      at_ = at;
      Publish();
      at = at_;
    }
    return last;
  }

  // Publishes what is staged, if anything.
  //   returns   the published mark: end of the newest frame
  Address Publish() noexcept;

  // What is decided is read from `input`, which another process may cut short: then nothing that
  // may rest on it is published. Borrowed; before anything is written.
  void DependOn(const Mapping* input) noexcept { input_ = input; }
  // Looks at it, also if nothing is to be published: an answer may rest on it.
  void CheckInput() noexcept {
    if (input_ != nullptr && input_->is_damaged() && !is_poisoned_) [[unlikely]]
      Poison("the file that commands stand in");
  }

  // True once a hot image was taken away while it was written (pawl/fault_guard.h): the log has
  // failed, and what Publish() returned since is not published. So of the input.
  bool is_poisoned() const noexcept { return is_poisoned_; }
  // True if commits ended but are not published.
  bool has_staged() const noexcept { return at_.commits > 0; }
  Address published() const noexcept { return address_; }
  // Where the published mark will at least be once what is staged and one more commit is published.
  Address staged_end() const noexcept { return address_.Plus(at_.staged); }
  // Bytes that a full frame, one commit alone and a seal take together.
  std::uint64_t worst_case_bytes() const noexcept { return worst_case_bytes_; }
  Epoch epoch() const noexcept { return epoch_; }
  std::uint32_t commit_bytes_max() const noexcept { return commit_bytes_max_; }

 private:
  // How far EndCommit() looks ahead in the frame buffer: the time that a few lines take from the
  // second level of the cache.
  static constexpr std::size_t kBufferAheadBytes = 512;

  std::uint64_t segment_room() const noexcept { return segment_end_ - address_.value(); }
  void PublishBeforeOpenCommit() noexcept;
  void WriteFrame(FrameKind kind, std::uint32_t payload_bytes) noexcept;
  void Roll() noexcept;
  [[gnu::cold]] void Poison(const char* what) noexcept;
  void SetAddress(std::uint64_t address) noexcept;
  void EnterSegment(ReadySegment segment) noexcept;

  // Constant after construction.
  Storage* const storage_;
  HotMarks* const marks_;
  ReadySegments* const ready_;
  HealthBoard* const health_;
  ReaderBoard* const readers_;
  Doorbell* const sync_bell_;
  Doorbell* const prepare_bell_;
  const Epoch epoch_;
  const std::uint64_t segment_bytes_;
  const std::uint32_t frame_bytes_max_;
  const std::uint32_t commit_bytes_max_;
  const std::uint64_t worst_case_bytes_;  // a full frame, one commit alone, and the seal
  std::byte* const frame_;                // FrameHeader, commits, padding; kFrameAlignBytes-aligned

  // Loop only.
  Cursors at_;
  bool is_poisoned_ = false;
  std::uint64_t time_ns_ = 0;
  Position frame_first_;  // of the frame's first record
  ReadySegment segment_;
  const Mapping* input_ = nullptr;        // nullptr: memory that nobody takes away
  const std::byte* target_ = nullptr;     // where the next frame goes, in the image
  Address address_;                       // where the next frame goes
  std::uint64_t segment_end_ = 0;         // address behind the segment, less the room of its seal
  std::uint64_t segment_begin_last_ = 0;  // last address at which a frame surely fits
  std::uint32_t previous_checksum_;
  std::uint32_t previous_length_;
};

}  // namespace pawl::inline v0
