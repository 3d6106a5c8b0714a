#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "evidence.h"
#include "frame_scan.h"
#include "hot_images.h"
#include "pawl/format.h"
#include "pawl/hot_marks.h"
#include "pawl/log.h"
#include "pawl/storage.h"
#include "recovery_table.h"
#include "segment_index.h"
#include "segment_source.h"

namespace pawl::inline v0 {

// Finds where a log ends and what that means (FORMAT.md, "Recovery").
//
// Examine() reads only: whatever it refuses stays as it was, byte for byte. Settle() then makes
// what was found durable and removes what is not part of it. The power may fail anywhere in it: the
// next Examine() finds the same end.
//   threads   one at a time, under the writer's lock
class Recovery {
 public:
  struct Start {
    Storage* storage = nullptr;
    std::string directory;
    Manifest manifest;
    FileIdentity manifest_identity;
    std::optional<BootId> boot_id;  // nothing: no hot images are believed
    HotImages* images = nullptr;
  };

  explicit Recovery(const Start& start);

  //   errors    DATA_LOSS what was known to be durable or published is not there;
  //             FAILED_PRECONDITION a newer format, or the hot images of another log are in the way
  absl::Status Examine();
  //   errors    RESOURCE_EXHAUSTED no space to keep the cut bytes or to rewrite the tail
  absl::Status Settle();

  // After Examine().
  const ScanCursor& end() const noexcept { return end_; }
  const EvidenceFound& evidence() const noexcept { return evidence_; }
  std::uint64_t tail_index() const noexcept { return geometry_.IndexOf(end_.next.value()); }
  Epoch newest_epoch() const noexcept { return newest_epoch_; }
  const RecoveryReport& report() const noexcept { return report_; }
  // The first segments, which have an index: they were not read.
  const std::vector<IndexedSegment>& indexed() const noexcept { return indexed_; }
  const SegmentHeader& header(std::uint64_t index) const { return source_.header(index); }
  // Where the first segment without an index begins.
  const ScanCursor& indexed_end() const { return starts_[indexed_.size()]; }
  // After Settle(): header of the tail segment, and its bytes from the header to the end.
  const SegmentHeader& tail_header() const noexcept { return tail_header_; }
  const std::vector<std::byte>& tail_bytes() const noexcept { return tail_bytes_; }

 private:
  struct Marks {
    Epoch epoch;
    std::uint64_t published = 0;
    std::uint64_t durable = 0;
    std::string directory;
  };
  enum class From { kFiles, kImages };

  absl::Status ExamineFiles();
  absl::Status ExamineImages();
  void ReadIndexes();
  bool HoldsSeal(std::uint64_t index, const IndexedSegment& indexed) const;
  absl::Status Scan(std::uint64_t index, From from);
  absl::Status LookBehind(From from);
  Epoch NewestEpochIn(const Witnesses& behind) const;
  absl::StatusOr<std::optional<Marks>> FindMarks() const;
  absl::StatusOr<std::optional<Marks>> ReadMarks(const std::string& directory) const;
  absl::Status Refusal(RecoveryOutcome outcome) const;
  void FillReport();
  Address KnownDurable() const noexcept;

  absl::Status KeepCutBytes();
  absl::Status KeepPiece(std::uint64_t address, std::span<const std::byte> bytes);
  absl::StatusOr<bool> IsKept(const std::string& path, std::span<const std::byte> bytes) const;
  absl::Status RewriteSegments();
  absl::Status RewriteSegment(std::uint64_t index);
  absl::Status RemoveLaterSegments();
  absl::Status RemoveDrafts();
  std::string FileOf(std::uint64_t index) const;
  // Bytes of a segment that are behind the end of the log, without the zeros at their end.
  std::span<const std::byte> BytesBehind(const SegmentView& segment) const noexcept;

  const Start start_;
  const SegmentGeometry geometry_;
  SegmentSource source_;
  EvidenceFound evidence_;
  Witnesses file_witnesses_;
  Witnesses image_witnesses_;
  std::vector<IndexedSegment> indexed_;
  std::vector<ScanCursor> starts_;  // of each segment that indexes or the scan of the files reached
  ScanCursor end_;
  RecoveryFacts facts_;
  std::optional<Marks> marks_;  // believed
  Epoch newest_epoch_;
  SegmentHeader tail_header_{};
  std::vector<std::byte> tail_bytes_;
  RecoveryReport report_;
};

}  // namespace pawl::inline v0
