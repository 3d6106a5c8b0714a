#include "made_log.h"

#include <algorithm>
#include <array>

#include "checksum_repair.h"
#include "made_commits.h"
#include "pawl/hot_marks.h"

namespace pawl::inline v0 {
namespace {

constexpr LogId kLogId = {0x50, 0x61, 0x77, 0x6C, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

constexpr std::uint64_t kMadeTimeNs = 1'700'000'000'000'000'000;  // of all frames

Bytes Joined(const std::vector<Bytes>& commits) {
  Bytes all;
  for (const Bytes& commit : commits) all.insert(all.end(), commit.begin(), commit.end());
  return all;
}

Bytes ManifestFile() {
  Manifest manifest{};
  manifest.magic = kManifestMagic;
  manifest.format_version = kFormatVersion;
  manifest.log_id = kLogId;
  manifest.segment_bytes = kSegmentBytes;
  manifest.created_ns = 1'700'000'000'000'000'000;
  Bytes bytes;
  Put(bytes, manifest);
  return bytes;
}

Bytes EvidenceFile(std::uint64_t durable, std::uint32_t epoch, bool is_closed) {
  EvidenceSlot slot{};
  slot.magic = kEvidenceMagic;
  slot.log_id = kLogId;
  slot.durable_address = kSegmentHeaderBytes;
  Bytes bytes;
  Put(bytes, slot);
  slot.round = 1;
  slot.durable_address = durable;
  slot.epoch = epoch;
  slot.is_closed = is_closed ? 1 : 0;
  Put(bytes, slot);
  return bytes;
}

Bytes EmptySegment(std::size_t index) {
  SegmentHeader header{};
  header.magic = kSegmentMagic;
  header.format_version = kFormatVersion;
  header.salt = 0x5A170000U + static_cast<std::uint32_t>(index);
  header.log_id = kLogId;
  header.index = index;
  header.segment_bytes = kSegmentBytes;
  header.epoch = 1;
  Bytes bytes(kSegmentBytes);
  StoreAt(bytes, 0, header);
  return bytes;
}

Bytes Marks(std::uint64_t published, std::uint64_t durable) {
  Bytes bytes(kBlockBytes);
  StoreAt(bytes, offsetof(HotMarks, epoch), std::uint32_t{1});
  StoreAt(bytes, offsetof(HotMarks, published), published);
  StoreAt(bytes, offsetof(HotMarks, durable), durable);
  return bytes;
}

void AppendData(Bytes& segment, const std::vector<Bytes>& commits) {
  AppendFrame(segment, Joined(commits), FrameKind::kData, 0);
}

Bytes FirstSegment() {
  Bytes segment = EmptySegment(0);
  AppendData(segment, {EpochCommit(1, EpochReason::kCreated, kSegmentHeaderBytes)});
  AppendData(segment, {BindingsCommit(), SessionCommit(1)});
  AppendData(segment, {FirstEventCommit(), EventCommit(2, 6, 2)});
  return segment;
}

LogFiles Closed() {
  LogFiles files;
  files[kManifestFile] = ManifestFile();
  files[kFirstSegment] = FirstSegment();
  files[kEvidenceFile] = EvidenceFile(EndByLengths(*files[kFirstSegment]), 1, true);
  return files;
}

LogFiles Cut() {
  LogFiles files = Closed();
  AppendFrame(*files[kFirstSegment], {}, FrameKind::kSeal, 0);
  files[kEvidenceFile] = EvidenceFile(EndByLengths(*files[kFirstSegment]), 1, false);
  Bytes& second = files[kFirstSegment + 1].emplace(EmptySegment(1));
  AppendData(second, {ExtendedCommit()});
  AppendData(second, {SkippedCommit(100), SkippedCommit(3)});
  return files;
}

LogFiles Killed(std::size_t first_image, std::size_t marks) {
  LogFiles files = Cut();
  const std::uint64_t durable = kSegmentBytes + EndByLengths(*files[kFirstSegment + 1]);
  Bytes& image = files[first_image + 1].emplace(*files[kFirstSegment + 1]);
  AppendData(image, {EventCommit(3, 7, 4)});
  files[marks] = Marks(kSegmentBytes + EndByLengths(image), durable);
  return files;
}

LogFiles SecondLife() {
  LogFiles files = Cut();
  Bytes& second = *files[kFirstSegment + 1];
  const std::uint64_t start = kSegmentBytes + EndByLengths(second);
  AppendData(second, {EpochCommit(2, EpochReason::kRecovered, start)});
  StoreAt(second, start - kSegmentBytes + offsetof(FrameHeader, epoch), std::uint32_t{2});
  AppendData(second, {SessionCommit(2)});
  files[kFirstSegment + 2] = EmptySegment(2);
  files[kDraftFile] = Bytes(kSegmentBytes);
  files[kCutFile] = Bytes(10, std::byte{1});
  return files;
}

// Between two and three units of 64 bytes are left: one for the seal, too few for a commit.
LogFiles NearlyFull() {
  LogFiles files = Closed();
  Bytes& segment = *files[kFirstSegment];
  constexpr std::size_t kPieceBytes = 8192;
  constexpr std::size_t kAround =
      sizeof(FrameHeader) + sizeof(CommitHeader) + sizeof(RecordHeader) + 2 * kFrameAlignBytes;
  for (std::size_t room = kSegmentBytes; room > 1024;) {
    room = kSegmentBytes - EndByLengths(segment);
    AppendData(segment, {SkippedCommit(std::min(kPieceBytes, room - kAround))});
    room = kSegmentBytes - EndByLengths(segment);
  }
  files[kEvidenceFile] = EvidenceFile(EndByLengths(segment), 1, false);
  return files;
}

LogFiles AheadOfFiles() {
  LogFiles files = Closed();
  const std::uint64_t durable = EndByLengths(*files[kFirstSegment]);
  Bytes& image = files[kFirstImage].emplace(*files[kFirstSegment]);
  AppendFrame(image, {}, FrameKind::kSeal, 0);
  Bytes& next = files[kFirstImage + 1].emplace(EmptySegment(1));
  AppendData(next, {ExtendedCommit()});
  files[kEvidenceFile] = EvidenceFile(durable, 1, false);
  files[kMarksFile] = Marks(kSegmentBytes + EndByLengths(next), durable);
  return files;
}

LogFiles StreamClosed() {
  LogFiles files = Closed();
  Bytes& segment = *files[kFirstSegment];
  AppendData(segment, {ClosingCommit(1, 2, 7, 3), BoundAgainCommit(2, 4)});
  files[kEvidenceFile] = EvidenceFile(EndByLengths(segment), 1, true);
  return files;
}

// Timers set, fired, cancelled, and set still; a clock that was set forward.
LogFiles WithTimers() {
  LogFiles files = Closed();
  Bytes& segment = *files[kFirstSegment];
  AppendData(segment, {TimerSetCommit(1, kMadeTimeNs), TimerSetCommit(2, kMadeTimeNs)});
  AppendData(segment, {TimerFiredCommit(1, 8), TimerCancelledCommit(2, 9), TimerSetCommit(3, 5)});
  AppendData(segment, {ClockCommit(kMadeTimeNs - 1, kMadeTimeNs)});
  files[kEvidenceFile] = EvidenceFile(EndByLengths(segment), 1, true);
  return files;
}

LogFiles Sessions() {
  LogFiles files = Closed();
  Bytes& segment = *files[kFirstSegment];
  AppendData(segment, {BulkCommit(1, 1, "maker"), BulkCommit(2, 1, "other")});
  AppendData(segment, {KeyCommit(1, 1, kCommitBulkLane), FirstReceiptCommit(1, 3, 7)});
  AppendData(segment, {SessionClosingCommit(1, 1), BulkCommit(1, 2, "third"),
                       KeyCommit(1, 4, kCommitBulkLane)});
  AppendData(segment, {SessionClosingCommit(2, 1), BulkCommit(2, 3, "maker"), KeyCommit(0, 1, 0)});
  files[kEvidenceFile] = EvidenceFile(EndByLengths(segment), 1, true);
  return files;
}

LogFiles Make(MadeLog log) {
  switch (log) {
    case MadeLog::kNothing: return {};
    case MadeLog::kClosed: return Closed();
    case MadeLog::kCut: return Cut();
    case MadeLog::kKilled: return Killed(kFirstImage, kMarksFile);
    case MadeLog::kKilledInLog: return Killed(kFirstLogImage, kLogMarksFile);
    case MadeLog::kSecondLife: return SecondLife();
    case MadeLog::kNearlyFull: return NearlyFull();
    case MadeLog::kAheadOfFiles: return AheadOfFiles();
    case MadeLog::kStreamClosed: return StreamClosed();
    case MadeLog::kWithTimers: return WithTimers();
    case MadeLog::kSessions: return Sessions();
  }
  return {};
}

std::array<LogFiles, kMadeLogs> MakeAll() {
  std::array<LogFiles, kMadeLogs> all;
  for (std::uint8_t log = 0; log < kMadeLogs; ++log) {
    all[log] = Make(static_cast<MadeLog>(log));
    RepairLog(all[log], kRepairAll);
  }
  return all;
}

}  // namespace

void AppendFrame(Bytes& segment, std::span<const std::byte> commits, FrameKind kind,
                 std::uint8_t flags) {
  const std::size_t at = EndByLengths(segment);
  const std::size_t bytes = (sizeof(FrameHeader) + commits.size() + kFrameAlignBytes - 1) /
                            kFrameAlignBytes * kFrameAlignBytes;
  if (at + bytes > segment.size()) return;
  FrameHeader header{};
  header.length = static_cast<std::uint32_t>(bytes);
  header.epoch = 1;
  header.durable_address = kSegmentHeaderBytes;
  header.time_ns = kMadeTimeNs;
  header.kind = kind;
  header.flags = flags;
  header.payload_bytes = static_cast<std::uint32_t>(commits.size());
  const std::span<std::byte> frame = std::span(segment).subspan(at, bytes);
  StoreAt(frame, 0, header);
  if (!commits.empty()) std::memcpy(frame.data() + sizeof header, commits.data(), commits.size());
}

const LogFiles& FilesOf(MadeLog log) {
  static const std::array<LogFiles, kMadeLogs> kAll = MakeAll();
  return kAll[static_cast<std::size_t>(log)];
}

}  // namespace pawl::inline v0
