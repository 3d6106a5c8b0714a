#include "recovery.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "block_file.h"
#include "manifest.h"
#include "pawl/check.h"
#include "segment_file.h"

namespace pawl::inline v0 {
namespace {

constexpr const char* kRepairHint =
    "; nothing was changed; `pawl repair` into a new directory keeps what is before";

// Bytes up to the last one that is not zero.
std::span<const std::byte> WithoutZeroEnd(std::span<const std::byte> bytes) noexcept {
  std::size_t size = bytes.size();
  while (size > 0 && bytes[size - 1] == std::byte{0}) --size;
  return bytes.first(size);
}

}  // namespace

Recovery::Recovery(const Start& start)
    : start_(start),
      geometry_{start.manifest.segment_bytes},
      source_(start.storage, start.directory, start.manifest) {
  end_.next = Address(geometry_.FirstFrame(0));
}

std::string Recovery::FileOf(std::uint64_t index) const {
  return start_.directory + "/" + SegmentName(index);
}

absl::Status Recovery::Examine() {
  absl::StatusOr<EvidenceFound> evidence =
      Evidence::Read(*start_.storage, start_.directory, start_.manifest.log_id);
  if (!evidence.ok()) return evidence.status();
  evidence_ = *evidence;
  if (absl::Status listed = source_.List(); !listed.ok()) return listed;
  if (absl::Status scanned = ScanFrom(0, false); !scanned.ok()) return scanned;
  if (absl::Status witnessed = CollectWitnesses(false); !witnessed.ok()) return witnessed;
  newest_epoch_ = std::max({end_.epoch, evidence_.epoch, file_witnesses_.epoch});
  for (std::uint64_t i = 0; i < source_.count(); ++i) {
    newest_epoch_ = std::max(newest_epoch_, Epoch(source_.header(i).epoch));
  }
  const absl::StatusOr<std::optional<Marks>> marks = FindMarks();
  if (!marks.ok()) return marks.status();
  if (marks->has_value() && (*marks)->epoch >= newest_epoch_) {
    newest_epoch_ = (*marks)->epoch;
    if (absl::Status scanned = ScanImages(**marks); !scanned.ok()) return scanned;
  }
  if (absl::Status explained = CheckEvidence(); !explained.ok()) return explained;
  const bool is_clean = evidence_.is_closed && !marks_.has_value() &&
                        geometry_.Normalised(evidence_.durable.value()) == end_.next.value();
  report_.reason = end_.frames == 0 ? EpochReason::kCreated
                   : is_clean       ? EpochReason::kReopened
                                    : EpochReason::kRecovered;
  report_.last_position = end_.position;
  report_.end = end_.next;
  report_.used_hot_images = marks_.has_value();
  report_.frames_scanned = end_.frames;
  return absl::OkStatus();
}

// Follows the frames from the start of segment `index`, where end_ stands.
absl::Status Recovery::ScanFrom(std::uint64_t index, bool with_images) {
  for (; index < source_.count(); ++index) {
    if (!with_images) starts_.push_back(end_);
    absl::StatusOr<SegmentView> segment =
        with_images ? source_.Read(index) : source_.ReadFile(index);
    if (!segment.ok()) return segment.status();
    const SegmentVerdict verdict = ScanSegment(*segment, geometry_, end_);
    if (verdict == SegmentVerdict::kSealed) continue;
    if (verdict == SegmentVerdict::kEnds) break;
    const std::string place = FileOf(index) + " at offset " +
                              std::to_string(end_.next.value() - geometry_.Start(index)) +
                              ", behind position " + std::to_string(end_.position.value());
    if (verdict == SegmentVerdict::kNewer) {
      return absl::FailedPreconditionError(
          place + ": a frame of a kind unknown to this library: open the log with a newer one");
    }
    return absl::DataLossError(place + ": a whole frame whose commits contradict it" + kRepairHint);
  }
  if (!with_images && starts_.size() == index && index == source_.count()) starts_.push_back(end_);
  return absl::OkStatus();
}

absl::Status Recovery::CollectWitnesses(bool from_images) {
  Witnesses& witnesses = from_images ? image_witnesses_ : file_witnesses_;
  const Address log_end(geometry_.Start(source_.count()));
  for (std::uint64_t index = tail_index(); index < source_.count(); ++index) {
    absl::StatusOr<SegmentView> segment =
        from_images ? source_.Read(index) : source_.ReadFile(index);
    if (!segment.ok()) return segment.status();
    const std::uint64_t start = geometry_.Start(index);
    const std::uint64_t offset = end_.next.value() > start ? end_.next.value() - start : 0;
    FindWitnesses(*segment, geometry_, offset, end_.epoch, log_end, witnesses);
  }
  return absl::OkStatus();
}

// The newest believed marks of the directories where they may be.
absl::StatusOr<std::optional<Recovery::Marks>> Recovery::FindMarks() const {
  std::optional<Marks> newest;
  if (!start_.boot_id.has_value()) return newest;
  for (const std::string& directory : start_.images->Directories()) {
    absl::StatusOr<std::optional<Marks>> found = ReadMarks(directory);
    if (!found.ok()) return found.status();
    if (!found->has_value()) continue;
    if (!newest.has_value() || (*found)->epoch > newest->epoch) newest = *std::move(found);
  }
  return newest;
}

// Marks that an open engine of this boot left for this log in this very directory.
//   errors    FAILED_PRECONDITION those of another log: its images are not ours to remove
absl::StatusOr<std::optional<Recovery::Marks>> Recovery::ReadMarks(
    const std::string& directory) const {
  const std::string path = directory + "/" + kMarksName;
  const absl::StatusOr<std::shared_ptr<Mapping>> mapping = start_.storage->MapImage(path, 0);
  if (!mapping.ok() || (*mapping)->size() < sizeof(HotMarks)) return std::nullopt;
  const HotMarks& marks = *reinterpret_cast<const HotMarks*>((*mapping)->data());
  // Acquire: pairs with the release of the process that died; what it stored before is in this
  // memory.
  const bool is_open =
      marks.state.load(std::memory_order_acquire) == static_cast<std::uint32_t>(MarksState::kOpen);
  const bool is_current = marks.magic == kMarksMagic && marks.format_version == kFormatVersion &&
                          marks.boot_id == *start_.boot_id;
  if (!is_open || !is_current) return std::nullopt;
  const bool is_ours = marks.log_id == start_.manifest.log_id &&
                       marks.manifest_device == start_.manifest_identity.device &&
                       marks.manifest_inode == start_.manifest_identity.inode;
  // In the log directory they are the copy of marks that came with a copy of the log.
  if (!is_ours && directory == start_.images->log_directory()) return std::nullopt;
  if (!is_ours) {
    return absl::FailedPreconditionError(
        path + " belongs to log " + HexOf(marks.log_id) + " in another directory, which was not " +
        "closed: open that one first, or give this log another hot_directory");
  }
  return Marks{.epoch = Epoch(marks.epoch),
               // Acquire, both: pair with the releases of loop and sync agent that died.
               .published = marks.published.load(std::memory_order_acquire),
               .durable = marks.durable.load(std::memory_order_acquire),
               .directory = directory};
}

// Scans again from the segment that holds the durable mark, now with the images in front.
absl::Status Recovery::ScanImages(const Marks& marks) {
  marks_ = marks;
  const std::uint64_t first = geometry_.IndexOf(marks.durable);
  std::vector<std::string> directories = {marks.directory};
  for (const std::string& directory : start_.images->Directories()) {
    if (directory != marks.directory) directories.push_back(directory);
  }
  if (absl::Status used = source_.UseImages(directories, first); !used.ok()) return used;
  const std::uint64_t from = std::min<std::uint64_t>(first, starts_.size() - 1);
  const ScanCursor files_end = end_;
  end_ = starts_[from];
  if (absl::Status scanned = ScanFrom(from, true); !scanned.ok()) return scanned;
  if (absl::Status witnessed = CollectWitnesses(true); !witnessed.ok()) return witnessed;
  if (end_.next.value() < marks.published) {
    return absl::DataLossError(
        "hot images in " + marks.directory + " end at position " +
        std::to_string(end_.position.value()) + ", " + FileOf(tail_index()) + " offset " +
        std::to_string(end_.next.value() - geometry_.Start(tail_index())) + ", but up to address " +
        std::to_string(marks.published) + " was published in this boot" + kRepairHint);
  }
  if (files_end.next > end_.next || file_witnesses_.last >= end_.next) {
    return absl::DataLossError(start_.directory +
                               " holds frames behind the end of the hot images "
                               "in " +
                               marks.directory + ", which no engine does" + kRepairHint);
  }
  return absl::OkStatus();
}

// E < D*: what is known to have been durable is not there. E ≥ D*: a torn tail.
absl::Status Recovery::CheckEvidence() const {
  const Address known = std::max(
      {end_.evidence, file_witnesses_.evidence, image_witnesses_.evidence, evidence_.durable});
  if (end_.next >= known) return absl::OkStatus();
  const std::uint64_t index = tail_index();
  return absl::DataLossError(
      "log is damaged behind position " + std::to_string(end_.position.value()) + ": " +
      FileOf(index) + " at offset " + std::to_string(end_.next.value() - geometry_.Start(index)) +
      " holds no valid frame, but everything below address " + std::to_string(known.value()) +
      " (segment " + std::to_string(geometry_.IndexOf(known.value())) + ") was durable" +
      kRepairHint);
}

absl::Status Recovery::Settle() {
  if (absl::Status kept = KeepCutBytes(); !kept.ok()) return kept;
  if (absl::Status rewritten = RewriteSegments(); !rewritten.ok()) return rewritten;
  if (absl::Status removed = RemoveLaterSegments(); !removed.ok()) return removed;
  // Everything is in the files now; the images of the life before have nothing to add.
  return start_.images->RemoveAll();
}

absl::Status Recovery::KeepCutBytes() {
  for (std::uint64_t index = tail_index(); index < source_.count(); ++index) {
    const absl::StatusOr<SegmentView> segment = source_.Read(index);
    if (!segment.ok()) return segment.status();
    const std::uint64_t start = geometry_.Start(index);
    const std::uint64_t address = std::max(end_.next.value(), geometry_.FirstFrame(index));
    const std::span<const std::byte> bytes =
        WithoutZeroEnd(segment->bytes.subspan(address - start));
    if (bytes.empty()) continue;
    if (absl::Status kept = KeepPiece(address, bytes); !kept.ok()) return kept;
    report_.cut_bytes += bytes.size();
  }
  return absl::OkStatus();
}

// A tear at the same address in another life gets another name; the same bytes (this open began
// before and was interrupted) do not.
absl::Status Recovery::KeepPiece(std::uint64_t address, std::span<const std::byte> bytes) {
  constexpr int kPiecesMax = 100;
  for (int piece = 0; piece < kPiecesMax; ++piece) {
    const std::string name = std::to_string(address) +
                             (piece == 0 ? std::string() : "-" + std::to_string(piece)) + ".cut";
    const std::string path = start_.directory + "/" + name;
    absl::StatusOr<std::unique_ptr<File>> there = start_.storage->Open(path, FileMode::kRead);
    if (report_.cut_file.empty()) report_.cut_file = path;
    if (absl::IsNotFound(there.status())) {
      return ReplaceFile(*start_.storage, start_.directory, name, bytes);
    }
    if (!there.ok()) return there.status();
    std::vector<std::byte> kept(bytes.size());
    const absl::StatusOr<std::uint64_t> size = (*there)->Size();
    if (!size.ok()) return size.status();
    const bool is_same = *size == bytes.size() && (*there)->ReadAt(0, kept).ok() &&
                         std::equal(kept.begin(), kept.end(), bytes.begin());
    if (is_same) return absl::OkStatus();
    report_.cut_file.clear();
  }
  return absl::FailedPreconditionError(start_.directory + " keeps " + std::to_string(kPiecesMax) +
                                       " pieces cut at address " + std::to_string(address) +
                                       ": look at them and move them away");
}

// What the page cache shows of bytes that no sync is known to have covered is not trusted: they are
// written anew, with zeros behind the end, under another name, and renamed over the old file.
absl::Status Recovery::RewriteSegments() {
  const std::uint64_t tail = tail_index();
  const Address known = std::max(
      {end_.evidence, evidence_.durable, file_witnesses_.evidence, image_witnesses_.evidence});
  std::uint64_t first = geometry_.IndexOf(known.value());
  if (marks_.has_value()) first = std::min(first, geometry_.IndexOf(marks_->durable));
  for (std::uint64_t index = std::min(first, tail); index <= tail; ++index) {
    if (absl::Status rewritten = RewriteSegment(index); !rewritten.ok()) return rewritten;
  }
  return absl::OkStatus();
}

absl::Status Recovery::RewriteSegment(std::uint64_t index) {
  std::vector<std::byte> bytes(sizeof(SegmentHeader));
  SegmentHeader header;
  if (index < source_.count()) {
    const absl::StatusOr<SegmentView> segment = source_.Read(index);
    if (!segment.ok()) return segment.status();
    const std::uint64_t start = geometry_.Start(index);
    const std::uint64_t size = std::min(end_.next.value() - start, geometry_.segment_bytes);
    bytes.assign(segment->bytes.begin(),
                 segment->bytes.begin() + static_cast<std::ptrdiff_t>(size));
    header = source_.header(index);
  } else {
    header = NewSegmentHeader(*start_.storage, start_.manifest, index, newest_epoch_.value() + 1);
  }
  std::memcpy(bytes.data(), &header, sizeof header);

  SegmentFile file(start_.storage, start_.directory, index);
  absl::Status done = file.Create();
  if (done.ok()) done = file.Allocate(geometry_.segment_bytes);
  if (done.ok()) done = file.Write(0, bytes);
  if (done.ok()) done = file.Sync();
  if (!done.ok()) {
    file.Discard();
    return done;
  }
  if (absl::Status named = file.Name(); !named.ok()) return named;
  if (index == tail_index()) {
    tail_header_ = header;
    tail_bytes_ = std::move(bytes);
  }
  return absl::OkStatus();
}

// From the last one down, each removal durable before the next: no power cut leaves a gap.
absl::Status Recovery::RemoveLaterSegments() {
  for (std::uint64_t index = source_.count(); index-- > tail_index() + 1;) {
    if (!source_.has_file(index)) continue;
    if (absl::Status gone = UnlinkIfThere(*start_.storage, FileOf(index)); !gone.ok()) return gone;
    if (absl::Status synced = start_.storage->SyncDirectory(start_.directory); !synced.ok()) {
      return synced;
    }
  }
  // Drafts of preparers that died; Create() would remove only the one it needs.
  const absl::StatusOr<std::vector<std::string>> names = start_.storage->List(start_.directory);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::size_t end = name.rfind(".tmp");
    if (end == std::string::npos || !SegmentIndexOf(name.substr(0, end))) continue;
    if (absl::Status gone = UnlinkIfThere(*start_.storage, start_.directory + "/" + name);
        !gone.ok()) {
      return gone;
    }
  }
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
