#include "recovery.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "content_hash.h"
#include "frame_checksum.h"
#include "manifest.h"

namespace pawl::inline v0 {
namespace {

constexpr const char* kRepairHint =
    "; nothing was changed; `pawl repair` into a new directory keeps what is before";

EndBytes EndBytesOf(SegmentVerdict verdict) noexcept {
  if (verdict == SegmentVerdict::kNewer) return EndBytes::kUnknownFrame;
  if (verdict == SegmentVerdict::kMalformed) return EndBytes::kMalformedFrame;
  return EndBytes::kNoFrame;
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

// D*: everything below survived a power cut once, somebody wrote down afterwards.
Address Recovery::KnownDurable() const noexcept {
  return std::max(
      {end_.evidence, evidence_.durable, file_witnesses_.evidence, image_witnesses_.evidence});
}

absl::Status Recovery::Examine() {
  if (absl::Status examined = ExamineFiles(); !examined.ok()) return examined;
  if (absl::Status examined = ExamineImages(); !examined.ok()) return examined;
  facts_.is_below_evidence = end_.next < KnownDurable();
  const RecoveryOutcome outcome = Decide(facts_);
  if (outcome != RecoveryOutcome::kWhole && outcome != RecoveryOutcome::kTornTail) {
    return Refusal(outcome);
  }
  if (newest_epoch_.value() == std::numeric_limits<std::uint32_t>::max()) {
    return absl::FailedPreconditionError(
        start_.directory + " has the last epoch that can be numbered, " +
        std::to_string(newest_epoch_.value()) + ": it can be read, but no more be written");
  }
  FillReport();
  return absl::OkStatus();
}

absl::Status Recovery::ExamineFiles() {
  absl::StatusOr<EvidenceFound> evidence =
      Evidence::Read(*start_.storage, start_.directory, start_.manifest.log_id);
  if (!evidence.ok()) return evidence.status();
  evidence_ = *evidence;
  if (absl::Status listed = source_.List(); !listed.ok()) return listed;
  ReadIndexes();
  if (absl::Status scanned = Scan(indexed_.size(), From::kFiles); !scanned.ok()) return scanned;
  if (absl::Status found = LookBehind(From::kFiles); !found.ok()) return found;
  newest_epoch_ = std::max(evidence_.epoch, NewestEpochIn(file_witnesses_));
  return absl::OkStatus();
}

// Of the segments before the first one without a good index nothing more is read: each was checked,
// frame by frame, from the disk when it was durable. An index that cannot be believed is none.
void Recovery::ReadIndexes() {
  for (std::uint64_t index = 0; index < source_.count() && source_.has_full_size(index); ++index) {
    const absl::StatusOr<IndexedSegment> read =
        SegmentIndex::ReadHeader(*start_.storage, start_.directory, source_.header(index));
    const ContentHash chain = index == 0 ? ContentHash{} : indexed_.back().chain_hash;
    if (!read.ok() || !read->Follows(end_, chain) || !HoldsSeal(index, *read)) return;
    starts_.push_back(end_);
    indexed_.push_back(*read);
    end_ = read->EndCursor();
  }
}

// The segment's last frame is the one that its index ends with; chained to all before, it tells a
// segment of a copy of the log that went on by itself, or of an older copy, from this one.
bool Recovery::HoldsSeal(std::uint64_t index, const IndexedSegment& indexed) const {
  absl::StatusOr<std::unique_ptr<File>> file = start_.storage->Open(FileOf(index), FileMode::kRead);
  if (!file.ok()) return false;
  FrameHeader seal{};
  const absl::Status read =
      (*file)->ReadAt(indexed.seal.value() - geometry_.Start(index),
                      std::as_writable_bytes(std::span<FrameHeader, 1>(&seal, 1)));
  return read.ok() && seal.kind == FrameKind::kSeal && seal.address == indexed.seal.value() &&
         seal.length == sizeof seal && seal.checksum == indexed.end.previous_checksum &&
         seal.checksum == FrameChecksum(source_.header(index).salt,
                                        reinterpret_cast<const std::byte*>(&seal), sizeof seal);
}

// Of the frames scanned last, of those behind them, and of the segments.
Epoch Recovery::NewestEpochIn(const Witnesses& behind) const {
  Epoch newest = std::max(end_.epoch, behind.epoch);
  for (std::uint64_t i = 0; i < source_.count(); ++i) {
    newest = std::max(newest, Epoch(source_.header(i).epoch));
  }
  return newest;
}

// Scans again from the segment that holds the durable mark, with the images in front, if there are
// marks at least as new as the files.
absl::Status Recovery::ExamineImages() {
  absl::StatusOr<std::optional<Marks>> marks = FindMarks();
  if (!marks.ok()) return marks.status();
  if (!marks->has_value() || (*marks)->epoch < newest_epoch_) return absl::OkStatus();
  marks_ = *std::move(marks);
  newest_epoch_ = marks_->epoch;
  const std::uint64_t first = geometry_.IndexOf(marks_->durable);
  std::vector<std::string> directories = {marks_->directory};
  for (const std::string& directory : start_.images->Directories()) {
    if (directory != marks_->directory) directories.push_back(directory);
  }
  if (absl::Status used = source_.UseImages(directories, first); !used.ok()) return used;

  const Address files_end = end_.next;
  const std::uint64_t from = std::min<std::uint64_t>(first, starts_.size() - 1);
  end_ = starts_[from];
  if (absl::Status scanned = Scan(from, From::kImages); !scanned.ok()) return scanned;
  if (absl::Status found = LookBehind(From::kImages); !found.ok()) return found;
  // No engine writes images of a later epoch than its marks; whatever they hold, the next is newer.
  newest_epoch_ = std::max(newest_epoch_, NewestEpochIn(image_witnesses_));
  if (end_.next.value() < marks_->published) {
    facts_.images = ImageWitness::kBelowPublished;
  } else if (files_end > end_.next || file_witnesses_.last >= end_.next) {
    facts_.images = ImageWitness::kBehindFiles;
  } else {
    facts_.images = ImageWitness::kWhole;
  }
  return absl::OkStatus();
}

// Follows the frames from the start of segment `index`, where end_ stands.
absl::Status Recovery::Scan(std::uint64_t index, From from) {
  SegmentVerdict verdict = SegmentVerdict::kSealed;
  for (; index < source_.count() && verdict == SegmentVerdict::kSealed; ++index) {
    if (from == From::kFiles) starts_.push_back(end_);
    absl::StatusOr<SegmentView> segment =
        from == From::kImages ? source_.Read(index) : source_.ReadFile(index);
    if (!segment.ok()) return segment.status();
    verdict = ScanSegment(*segment, geometry_, end_);
  }
  if (from == From::kFiles && verdict == SegmentVerdict::kSealed) starts_.push_back(end_);
  facts_.end = EndBytesOf(verdict);
  return absl::OkStatus();
}

// Looks once at everything behind the end, here and in later segments. Of images the tail's is
// enough: who writes the next one has published the seal before.
absl::Status Recovery::LookBehind(From from) {
  Witnesses& witnesses = from == From::kImages ? image_witnesses_ : file_witnesses_;
  const Address log_end(geometry_.Start(source_.count()));
  facts_.has_bytes_behind = false;
  const std::uint64_t behind_last =
      from == From::kImages ? std::min(tail_index() + 1, source_.count()) : source_.count();
  for (std::uint64_t index = tail_index(); index < behind_last; ++index) {
    absl::StatusOr<SegmentView> segment =
        from == From::kImages ? source_.Read(index) : source_.ReadFile(index);
    if (!segment.ok()) return segment.status();
    const std::uint64_t start = geometry_.Start(index);
    const std::uint64_t offset = end_.next.value() > start ? end_.next.value() - start : 0;
    FindWitnesses(*segment, geometry_, offset, end_.epoch, log_end, witnesses);
    if (BytesBehind(*segment).empty()) continue;
    facts_.has_bytes_behind = true;
    // Open removes what it does not go on with before it begins an epoch.
    const bool is_behind_seal = end_.next.value() <= geometry_.FirstFrame(index);
    if (is_behind_seal && source_.header(index).epoch < end_.epoch.value()) {
      return absl::DataLossError(
          FileOf(index) + " was written from epoch " + std::to_string(source_.header(index).epoch) +
          " on, but what is before it in epoch " + std::to_string(end_.epoch.value()) +
          ": the files are of several copies of this log; put the right "
          "file in its place");
    }
  }
  return absl::OkStatus();
}

std::span<const std::byte> Recovery::BytesBehind(const SegmentView& segment) const noexcept {
  const std::uint64_t first = std::max(end_.next.value(), geometry_.FirstFrame(segment.index));
  const auto bytes = segment.bytes.subspan(first - geometry_.Start(segment.index));
  return bytes.first(SizeWithoutZeroEnd(bytes));
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
  // Only what is not there is none. Marks that cannot be read may be all that tells of published
  // records: whoever goes on without them removes those. A hot directory that is done without
  // cannot be read.
  const bool is_done_without =
      directory != start_.images->directory() && directory != start_.images->log_directory();
  const bool is_none = absl::IsNotFound(mapping.status()) ||
                       (absl::IsFailedPrecondition(mapping.status()) && is_done_without);
  if (is_none) return std::nullopt;
  if (!mapping.ok()) return mapping.status();
  std::uint64_t magic = 0;
  std::memcpy(&magic, (*mapping)->data(), std::min(sizeof magic, (*mapping)->size()));
  // 0: an engine died when it had just made them.
  if (magic != kMarksMagic && magic != 0) {
    return absl::FailedPreconditionError(path + " is not the marks of a log: move it away");
  }
  if ((*mapping)->size() < sizeof(HotMarks)) return std::nullopt;
  const HotMarks& marks = *reinterpret_cast<const HotMarks*>((*mapping)->data());
  if (!AreOpen(marks, *start_.boot_id)) return std::nullopt;
  const bool is_ours = AreOf(marks, start_.manifest, start_.manifest_identity);
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

absl::Status Recovery::Refusal(RecoveryOutcome outcome) const {
  const std::uint64_t index = tail_index();
  const std::string place = FileOf(index) + " at offset " +
                            std::to_string(end_.next.value() - geometry_.Start(index)) +
                            ", behind position " + std::to_string(end_.position.value());
  switch (outcome) {
    case RecoveryOutcome::kUnknownFrame:
      return absl::FailedPreconditionError(
          place + ": a frame of a kind unknown to this library: open the log with a newer one");
    case RecoveryOutcome::kMalformedFrame:
      return absl::DataLossError(place + ": a whole frame whose commits contradict it" +
                                 kRepairHint);
    case RecoveryOutcome::kPublishedLost:
      return absl::DataLossError(place + ": the hot images in " + marks_->directory +
                                 " end here, but everything below address " +
                                 std::to_string(marks_->published) + " was published in this boot" +
                                 kRepairHint);
    case RecoveryOutcome::kImagesBehindFiles:
      return absl::DataLossError(place + ": the hot images in " + marks_->directory +
                                 " end here, but the files hold later frames, which no engine "
                                 "leaves behind" +
                                 kRepairHint);
    case RecoveryOutcome::kDurableLost:
      return absl::DataLossError(place + ": no valid frame, but everything below address " +
                                 std::to_string(KnownDurable().value()) + " (segment " +
                                 std::to_string(geometry_.IndexOf(KnownDurable().value())) +
                                 ") was durable" + kRepairHint);
    case RecoveryOutcome::kWhole:
    case RecoveryOutcome::kTornTail: break;
  }
  return absl::OkStatus();
}

void Recovery::FillReport() {
  const bool is_clean = evidence_.is_closed && !marks_.has_value() &&
                        geometry_.Normalised(evidence_.durable.value()) == end_.next.value();
  report_.reason = end_.position.value() == 0 ? EpochReason::kCreated
                   : is_clean                 ? EpochReason::kReopened
                                              : EpochReason::kRecovered;
  report_.last_position = end_.position;
  report_.end = end_.next;
  report_.used_hot_images = marks_.has_value();
  report_.frames_scanned = end_.frames;
  report_.segments_indexed = indexed_.size();
}

}  // namespace pawl::inline v0
