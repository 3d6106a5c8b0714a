#include "log_judge.h"

#include <algorithm>

#include "pawl/check.h"
#include "pawl/hot_marks.h"

namespace pawl::inline v0 {
namespace {

using Frames = std::vector<FrameWalk::Frame>;

Bytes FilledUp(const Bytes& bytes, std::uint64_t segment_bytes) {
  Bytes filled = bytes;
  filled.resize(segment_bytes);
  return filled;
}

// Looks for a way through the files, and the images if they were believed, on which the walk ends
// where the log ended and finds the same frames.
class Explanation {
 public:
  Explanation(const LogFiles& files, const Log& log, const Frames& recovered)
      : files_(files),
        recovery_(log.recovery()),
        segment_bytes_(log.segment_bytes()),
        recovered_(recovered) {}

  bool IsFound() const { return Follow(FrameWalk(segment_bytes_), 0); }

 private:
  bool IsTheLog(const FrameWalk& walk) const {
    Frames frames = walk.frames();
    std::erase_if(frames, [](const FrameWalk::Frame& frame) { return frame.is_seal; });
    return walk.end() == recovery_.end.value() &&
           walk.position() == recovery_.last_position.value() &&
           walk.evidence() <= recovery_.end.value() && frames == recovered_;
  }

  std::vector<Bytes> Sources(std::uint64_t index) const {
    std::vector<Bytes> sources;
    if (index >= kSegmentsMax) return sources;
    const auto& file = files_[kFirstSegment + index];
    if (file) sources.push_back(FilledUp(*file, segment_bytes_));
    if (!recovery_.used_hot_images) return sources;
    for (const std::size_t first : {kFirstImage, kFirstLogImage}) {
      const auto& image = files_[first + index];
      if (!image || image->size() != segment_bytes_) continue;
      if (std::find(sources.begin(), sources.end(), *image) == sources.end()) {
        sources.push_back(*image);
      }
    }
    return sources;
  }

  bool Follow(const FrameWalk& before, std::uint64_t index) const {
    const std::vector<Bytes> sources = Sources(index);
    // Where there is no file, an image with a wrong header is as good as none.
    const bool may_end_here = index >= kSegmentsMax || !files_[kFirstSegment + index];
    if (may_end_here && IsTheLog(before)) return true;
    return std::any_of(sources.begin(), sources.end(), [&](const Bytes& source) {
      FrameWalk walk = before;
      const FrameWalk::Stop stop = walk.Follow(source, index);
      if (stop == FrameWalk::Stop::kSealed) return Follow(walk, index + 1);
      return stop == FrameWalk::Stop::kNoFrame && IsTheLog(walk);
    });
  }

  const LogFiles& files_;
  const RecoveryReport& recovery_;
  const std::uint64_t segment_bytes_;
  const Frames& recovered_;
};

// Both slots count, whichever is the newer one.
void CheckEvidence(const LogFiles& files, const Log& log) {
  if (!files[kManifestFile]) return;  // the log is new and has evidence of its own
  PAWL_CHECK(files[kEvidenceFile].has_value());
  const Bytes slots = FilledUp(*files[kEvidenceFile], 2 * kBlockBytes);
  int valid = 0;
  for (std::size_t at = 0; at < slots.size(); at += kBlockBytes) {
    const auto slot = LoadAt<EvidenceSlot>(slots, at);
    if (slot.magic != kEvidenceMagic || slot.log_id != log.id()) continue;
    if (slot.round % 2 != at / kBlockBytes || slot.round == ~std::uint64_t{0}) continue;
    if (!FrameWalk::IsBlock(std::span(slots).subspan(at, kBlockBytes))) continue;
    ++valid;
    PAWL_CHECK(slot.durable_address <= log.recovery().end.value());
  }
  PAWL_CHECK(valid > 0);
}

void CheckPublished(const LogFiles& files, const Log& log) {
  const auto& hot = files[kMarksFile];
  const auto& beside = files[kLogMarksFile];
  if (!log.recovery().used_hot_images || hot.has_value() == beside.has_value()) return;
  const Bytes& marks = hot ? *hot : *beside;
  PAWL_CHECK(LoadAt<std::uint64_t>(marks, offsetof(HotMarks, published)) <=
             log.recovery().end.value());
}

}  // namespace

std::vector<FrameWalk::Frame> ReadFrames(const Log& log) {
  Frames frames;
  LogReader reader = log.NewReader();
  std::uint64_t position = 0;
  while (const FrameHeader* frame = reader.NextFrame(log.published())) {
    std::uint32_t records = 0;
    ForEachRecord(*frame, [&](const RecordView& record) {
      PAWL_CHECK(record.position.value() == ++position);
      PAWL_CHECK(record.header.payload_bytes() <= frame->payload_bytes);
      ++records;
    });
    PAWL_CHECK(records == frame->records);
    frames.push_back({frame->address, frame->length, frame->checksum, records, false});
  }
  PAWL_CHECK(reader.status().ok());
  PAWL_CHECK(reader.position().value() == position);
  return frames;
}

void CheckRecovered(const LogFiles& files, const Log& log) {
  Frames recovered = ReadFrames(log);
  // The newest frame is the epoch's own.
  PAWL_CHECK(!recovered.empty() && recovered.back().address >= log.recovery().end.value());
  PAWL_CHECK(recovered.back().records == 1);
  PAWL_CHECK(log.durable() == log.published());
  recovered.pop_back();
  PAWL_CHECK(Explanation(files, log, recovered).IsFound());
  CheckEvidence(files, log);
  CheckPublished(files, log);
}

bool IsNoLog(const LogFiles& files) {
  return !files[kManifestFile] &&
         std::none_of(files.begin() + kFirstSegment, files.begin() + kFirstImage,
                      [](const std::optional<Bytes>& file) { return file.has_value(); });
}

}  // namespace pawl::inline v0
