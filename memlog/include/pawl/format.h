#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// The bytes of a log. memlog/FORMAT.md says the same in tables and decides what damage means; the
// static_asserts below hold this file to that page. All integers are little-endian.
namespace pawl::inline v0 {

inline constexpr std::uint32_t kFormatVersion = 1;

inline constexpr std::uint64_t kManifestMagic = 0x314E414D4C574150;  // "PAWLMAN1"
inline constexpr std::uint64_t kSegmentMagic = 0x314745534C574150;   // "PAWLSEG1"
inline constexpr std::uint64_t kEvidenceMagic = 0x314956454C574150;  // "PAWLEVI1"
inline constexpr std::uint64_t kMarksMagic = 0x314B524D4C574150;     // "PAWLMRK1"
inline constexpr std::uint64_t kReadersMagic = 0x315244524C574150;   // "PAWLRDR1"

// Unit of every write to a segment file: O_DIRECT wants aligned blocks, and a page is what the
// page cache and most devices write whole.
inline constexpr std::uint64_t kBlockBytes = 4096;
inline constexpr std::uint64_t kSegmentHeaderBytes = kBlockBytes;
// Frames start on cache lines: a reader of the newest frame never shares a line with the writer.
inline constexpr std::uint32_t kFrameAlignBytes = 64;
inline constexpr std::uint32_t kRecordAlignBytes = 8;

inline constexpr std::uint32_t kFrameCommitsMax = 256;
// A frame grows to this size; one commit that is larger travels alone.
inline constexpr std::uint32_t kFrameBytesMax = 64 * 1024;
// Record length is kept in 16 bits of 8-byte units; 256 KiB leaves room and a round number.
inline constexpr std::uint32_t kRecordPayloadBytesMax = 256 * 1024;
inline constexpr std::uint64_t kSegmentBytesMin = 64 * 1024;
inline constexpr std::uint64_t kSegmentBytesMax = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kVersionMax = (std::uint64_t{1} << 48) - 1;

using LogId = std::array<std::uint8_t, 16>;
using BootId = std::array<std::uint8_t, 16>;

enum class FrameKind : std::uint8_t {
  kData = 1,  // commits
  kSeal = 2,  // last frame of a segment: the log goes on in the next one
  kIdle = 3,  // reserved: evidence without commits
  kPad = 4,   // reserved: fills a block
};

// 64 bytes before the commits of a frame.
struct FrameHeader {
  std::uint32_t length;             // bytes with header and padding; 0 = nothing here; stored last
  std::uint32_t checksum;           // CRC32C(segment salt, header[8..64) ‖ length ‖ payload)
  std::uint64_t address;            // own address: bytes from elsewhere never match
  std::uint32_t epoch;              // incarnation that wrote the frame; never decreases
  std::uint32_t previous_checksum;  // of the frame before, also across segments; 0 for the first
  std::uint64_t durable_address;    // evidence: all below survived a power cut before this frame
  std::uint64_t first_position;     // position of the first record; the next one if there is none
  std::uint64_t time_ns;            // engine time, nanoseconds since 1970
  std::uint32_t records;            // in all commits of the frame
  std::uint16_t commits;            // 0…256
  FrameKind kind;
  std::uint8_t flags;             // 0; a reader refuses bits it does not know
  std::uint32_t previous_length;  // of the frame before in this segment, to walk backward; or 0
  std::uint32_t payload_bytes;    // of the commits, without header and padding
};
static_assert(sizeof(FrameHeader) == 64 && alignof(FrameHeader) == 8);
static_assert(offsetof(FrameHeader, checksum) == 4 && offsetof(FrameHeader, address) == 8);
static_assert(offsetof(FrameHeader, epoch) == 16 && offsetof(FrameHeader, previous_checksum) == 20);
static_assert(offsetof(FrameHeader, durable_address) == 24);
static_assert(offsetof(FrameHeader, first_position) == 32 && offsetof(FrameHeader, time_ns) == 40);
static_assert(offsetof(FrameHeader, records) == 48 && offsetof(FrameHeader, commits) == 52);
static_assert(offsetof(FrameHeader, kind) == 54 && offsetof(FrameHeader, flags) == 55);
static_assert(offsetof(FrameHeader, previous_length) == 56);
static_assert(offsetof(FrameHeader, payload_bytes) == 60);

// What made a commit. Codes 5… are reserved for the parts that use them.
enum class CommitCause : std::uint8_t {
  kCommand = 1,
  kControl = 2,  // sessions, types, categories
  kEpoch = 3,    // the first commit of an incarnation
  kTimer = 4,    // a timer was due
  kReply = 5,
  kReaction = 6,
  kOperator = 7,
};

// Bits of CommitHeader::flags.
inline constexpr std::uint8_t kCommitHasExtensions = 0x01;  // blocks between header and records
inline constexpr std::uint8_t kCommitBulkLane = 0x02;       // on the bulk lane of its session

// 16 bytes before the records of a commit.
struct CommitHeader {
  std::uint32_t bytes;    // with this header and the records, multiple of 8
  std::uint16_t records;  // ≥ 1
  CommitCause cause;
  std::uint8_t flags;
  std::uint32_t session;   // number of the producer's session, 0 = none
  std::uint32_t sequence;  // low 32 bits of the command's sequence in the session
};
static_assert(sizeof(CommitHeader) == 16 && alignof(CommitHeader) == 4);
static_assert(offsetof(CommitHeader, records) == 4 && offsetof(CommitHeader, cause) == 6);
static_assert(offsetof(CommitHeader, flags) == 7 && offsetof(CommitHeader, session) == 8);
static_assert(offsetof(CommitHeader, sequence) == 12);

enum class ExtensionKind : std::uint16_t {  // a reader skips what it does not know
  kCorrelation = 1,                         // reserved
  kCausePosition = 2,                       // reserved
  kIdempotencyKey = 3,                      // of the command that caused the commit
  kFirstReceipt = 4,  // the command was executed before, under its key: what it answered then
};

// 8 bytes before an extension block of a commit; blocks stand between CommitHeader and records.
struct ExtensionHeader {
  std::uint16_t kind;   // ExtensionKind
  std::uint16_t bytes;  // of the block with this header, multiple of 8
  std::uint32_t more;   // 1: another block follows; 0: the records follow
};
static_assert(sizeof(ExtensionHeader) == 8);

// Behind the header of a kIdempotencyKey.
struct IdempotencyKeyBlock {
  std::uint64_t key_high;
  std::uint64_t key_low;
  std::uint64_t body_hash;  // of what the command is: same key, another body is a mistake
};
static_assert(sizeof(IdempotencyKeyBlock) == 24 && offsetof(IdempotencyKeyBlock, body_hash) == 16);

// Behind the header of a kFirstReceipt.
struct FirstReceiptBlock {
  std::uint64_t position;
  std::uint64_t version;
};
static_assert(sizeof(FirstReceiptBlock) == 16 && offsetof(FirstReceiptBlock, version) == 8);

enum class RecordKind : std::uint8_t {
  kEvent = 1,
  kEpochBegan = 2,
  kTypeBound = 3,      // type number ↔ name, version, layout
  kCategoryBound = 4,  // category number ↔ name
  kStreamBound = 5,    // stream number ↔ category and 128-bit key
  kSessionOpened = 6,
  kAccepted = 7,  // a session's command, or one with a key, that was accepted and emitted nothing
  kSessionClosed = 16,  // its number may be another one's afterwards
  kLaneOpened = 17,     // the bulk lane of a session
  kStreamClosed = 19,   // its aggregate has ended, and its timers
  kTimerSet = 32,      // takes the place of the stream's timer of this type and id, if there is one
  kTimerFired = 33,    // first of its commit: what that did, the timer caused
  kClockAdopted = 34,  // engine time was set forward to the wall clock
  kTimerCancelled = 35,  // it was set, and will not fire
  // Reserved codes, so that older readers can name what they skip.
  kKeyRemembered = 18,
  kSaga = 48,  // 48…79: the saga records
  kReacted = 80,
  kOperatorAct = 96,
  kSkippable = 128,  // 128…255: records a reader may skip without understanding them
};

// Bits of RecordHeader::flags.
inline constexpr std::uint8_t kRecordPaddingMask = 0x07;  // payload bytes missing to 8
inline constexpr std::uint8_t kRecordOwnStream = 0x08;    // on the stream the command addressed

// 24 bytes before the payload of a record.
struct RecordHeader {
  std::uint16_t units;  // bytes with header and padding, divided by 8
  RecordKind kind;
  std::uint8_t flags;
  std::uint32_t stream;        // number of the stream, 0 = none
  std::uint32_t version_low;   // of the stream after this event, bits 0…31
  std::uint16_t version_high;  // bits 32…47
  std::uint16_t type;          // number of the event type or category, 0 = none
  std::uint64_t back_link;     // position of the stream's record before this one, 0 = none

  std::uint64_t version() const noexcept {
    return (std::uint64_t{version_high} << 32) | version_low;
  }
  std::uint32_t payload_bytes() const noexcept {
    return units * 8U - static_cast<std::uint32_t>(sizeof(RecordHeader)) -
           (flags & kRecordPaddingMask);
  }
};
static_assert(sizeof(RecordHeader) == 24 && alignof(RecordHeader) == 8);
static_assert(offsetof(RecordHeader, kind) == 2 && offsetof(RecordHeader, flags) == 3);
static_assert(offsetof(RecordHeader, stream) == 4 && offsetof(RecordHeader, version_low) == 8);
static_assert(offsetof(RecordHeader, version_high) == 12 && offsetof(RecordHeader, type) == 14);
static_assert(offsetof(RecordHeader, back_link) == 16);
static_assert((kRecordPayloadBytesMax + sizeof(RecordHeader)) / 8 <= 0xFFFF);

enum class EpochReason : std::uint32_t {
  kCreated = 1,    // the log is new
  kReopened = 2,   // after a clean stop
  kRecovered = 3,  // after the death of the writer or a power cut
};

// Payload of kEpochBegan.
struct EpochBegan {
  std::uint32_t epoch;
  EpochReason reason;
  std::uint64_t start_address;  // end of what was recovered
  std::uint64_t cut_bytes;      // of a torn tail, kept aside in `<address>.cut`
  BootId boot_id;
};
static_assert(sizeof(EpochBegan) == 40);

// Payload of kTypeBound; name and layout text follow without terminators. RecordHeader::type
// carries the number.
struct TypeBound {
  std::uint64_t layout_hash;
  std::uint32_t event_bytes;
  std::uint16_t type_version;
  std::uint16_t name_bytes;
  std::uint32_t layout_bytes;
  std::uint32_t reserved;
};
static_assert(sizeof(TypeBound) == 24);

// Payload of kStreamBound. RecordHeader::stream carries the number, ::type the category.
struct StreamBound {
  std::uint64_t key_high;
  std::uint64_t key_low;
};
static_assert(sizeof(StreamBound) == 16);

// Payload of kSessionOpened; the name follows without terminator. The session's control lane was
// opened, and so was the session if the number is not that of an open one.
struct SessionOpened {
  std::uint32_t session;
  std::uint32_t generation;  // of the control lane; its older generations are fenced
  std::uint16_t name_bytes;
  std::uint16_t reserved[3];
};
static_assert(sizeof(SessionOpened) == 16);

// Payload of kTimerSet; the timer's bytes follow. Of the records of timers RecordHeader::type
// carries the number of the timer's type, ::stream that of its stream; version and back-link are 0.
struct TimerSetPayload {
  std::uint64_t id;      // one stream has one timer of each type and id
  std::uint64_t due_ns;  // engine time
};
static_assert(sizeof(TimerSetPayload) == 16 && offsetof(TimerSetPayload, due_ns) == 8);

// Payload of kTimerFired.
struct TimerFiredPayload {
  std::uint64_t id;
  std::uint64_t set_position;  // of the record that set it
  std::uint16_t outcome;       // 0 accepted, 1 refused, 2 limit exceeded: then it is alone
  std::uint16_t code;          // of a refusal
  std::uint32_t reserved;
};
static_assert(sizeof(TimerFiredPayload) == 24 && offsetof(TimerFiredPayload, set_position) == 8);
static_assert(offsetof(TimerFiredPayload, outcome) == 16 &&
              offsetof(TimerFiredPayload, code) == 18);

// Payload of kTimerCancelled.
struct TimerCancelledPayload {
  std::uint64_t id;
  std::uint64_t set_position;
};
static_assert(sizeof(TimerCancelledPayload) == 16);

// Payload of kLaneOpened; the name follows without terminator. As SessionOpened, for another lane.
struct LaneOpened {
  std::uint32_t session;
  std::uint32_t generation;  // of that lane
  std::uint16_t name_bytes;
  std::uint8_t lane;  // 1: bulk
  std::uint8_t reserved[5];
};
static_assert(sizeof(LaneOpened) == 16 && offsetof(LaneOpened, name_bytes) == 8);
static_assert(offsetof(LaneOpened, lane) == 10);

// Payload of kSessionClosed. Its number may be given to another session afterwards.
struct SessionClosed {
  std::uint32_t session;
  std::uint32_t generation;  // the higher one of its lanes; every later session begins above it
};
static_assert(sizeof(SessionClosed) == 8);

// File `manifest`: immutable facts, one block.
struct Manifest {
  std::uint64_t magic;
  std::uint32_t format_version;
  std::uint32_t reserved;
  LogId log_id;
  std::uint64_t segment_bytes;
  std::uint64_t created_ns;  // wall clock, nanoseconds since 1970
  std::uint8_t zeros[kBlockBytes - 52];
  std::uint32_t checksum;  // CRC32C(0, all before)
};
static_assert(sizeof(Manifest) == kBlockBytes && offsetof(Manifest, log_id) == 16);
static_assert(offsetof(Manifest, segment_bytes) == 32 && offsetof(Manifest, checksum) == 4092);

// First block of `<index>.seg` and of its hot image `<index>.img`.
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t format_version;
  std::uint32_t salt;  // seed of the frames' checksums; unknown to those who write payloads
  LogId log_id;
  std::uint64_t index;
  std::uint64_t segment_bytes;
  std::uint32_t epoch;  // incarnation that prepared the segment
  std::uint8_t zeros[kBlockBytes - 56];
  std::uint32_t checksum;  // CRC32C(0, all before)
};
static_assert(sizeof(SegmentHeader) == kBlockBytes && offsetof(SegmentHeader, log_id) == 16);
static_assert(offsetof(SegmentHeader, index) == 32 && offsetof(SegmentHeader, epoch) == 48);
static_assert(offsetof(SegmentHeader, checksum) == 4092);

// File `evidence`: two of these, written in turn after a sync returned.
struct EvidenceSlot {
  std::uint64_t magic;
  LogId log_id;
  std::uint64_t round;            // the valid slot with the higher round is the newer one
  std::uint64_t durable_address;  // all below survived a power cut before this was written
  std::uint32_t epoch;
  std::uint32_t is_closed;  // 1: written by a clean stop; nothing was published after it
  std::uint8_t zeros[kBlockBytes - 52];
  std::uint32_t checksum;  // CRC32C(0, all before)
};
static_assert(sizeof(EvidenceSlot) == kBlockBytes && offsetof(EvidenceSlot, round) == 24);
static_assert(offsetof(EvidenceSlot, epoch) == 40 && offsetof(EvidenceSlot, is_closed) == 44);
static_assert(offsetof(EvidenceSlot, checksum) == 4092);

}  // namespace pawl::inline v0
