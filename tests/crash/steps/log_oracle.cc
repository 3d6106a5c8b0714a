#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "oracle.h"
#include "stepped_storage.h"

namespace pawl::inline v0 {

Judgement LogOracle::Recover(const LiveImage& image, const std::string& root) {
  CopyStorage storage({image.Device("log/manifest"), image.Inode("log/manifest")});
  const absl::StatusOr<std::unique_ptr<Log>> log =
      Log::Open({.directory = root + "/log",
                 .hot_directory = root + "/hot",
                 .segment_bytes = kSegmentBytesMin,
                 .undurable_bytes_max = 4 * kSegmentBytesMin,
                 .storage = &storage});
  if (!log.ok()) return {Finding::kRefused, log.status().ToString()};
  Judgement judgement = JudgeEnd((*log)->recovery());
  if (!judgement.is_good()) return judgement;
  if ((*log)->durable() != (*log)->published()) {
    return {Finding::kWrong, "the epoch is not durable after Open()"};
  }
  Recovered recovered;
  judgement = ReadAll(**log, recovered);
  if (judgement.is_good()) {
    Extend();
    judgement = Compare(recovered);
  }
  if (HasJustOpened()) Adopt(std::move(recovered));
  return judgement;
}

Judgement LogOracle::ReadAll(const Log& log, Recovered& recovered) {
  LogReader reader = log.NewReader();
  while (const FrameHeader* frame = reader.NextFrame(log.published())) {
    if (frame->first_position != recovered.records.size() + 1) {
      return {Finding::kWrong,
              absl::StrCat("the frame at ", frame->address, " begins with ", frame->first_position,
                           " behind position ", recovered.records.size())};
    }
    ForEachRecord(*frame, [&](const RecordView& record) {
      recovered.records.push_back(ContentOf(record.header, record.payload()));
      recovered.is_epoch.push_back(record.header.kind == RecordKind::kEpochBegan);
    });
  }
  if (reader.status().ok()) return {};
  return {Finding::kWrong, absl::StrCat("reader: ", reader.status().ToString())};
}

// While the next life opens the log, what the life before was told counts.
void LogOracle::BeginLife() {
  Extend();
  is_opening_ = true;
}

// Takes up the commits that were handed to the engine since the last time.
void LogOracle::Extend() {
  if (HasJustOpened() || is_opening_) return;
  const std::uint64_t begun = Told(progress_->begun);
  while (first_commit_ + behind_.size() < begun) {
    for (const PlannedRecord& record : PlannedCommit(seed_, first_commit_ + behind_.size())) {
      given_.push_back(ContentOf(record));
    }
    behind_.push_back(given_.size());
  }
  const std::uint32_t ends = Told(progress_->frame_ends);
  for (; ends_taken_ < ends; ++ends_taken_) {
    frame_ends_.insert(PositionBehind(Told(progress_->frame_end[ends_taken_])));
  }
}

// What the copy's own life added is its epoch, one record.
void LogOracle::Adopt(Recovered recovered) {
  given_ = std::move(recovered.records);
  if (!given_.empty()) given_.pop_back();
  base_ = given_.size();
  first_commit_ = Told(progress_->first_commit);
  behind_.clear();
  frame_ends_.clear();
  ends_taken_ = 0;
  life_ = Told(progress_->life);
  is_opening_ = false;
}

std::uint64_t LogOracle::PositionBehind(std::uint64_t commits) const {
  return commits <= first_commit_ ? base_ : behind_[commits - first_commit_ - 1];
}

bool LogOracle::IsFrameEnd(std::uint64_t position) const {
  return position <= base_ || frame_ends_.contains(position);
}

// A prefix of what was given that ends with a frame and has all that was published, then the epoch
// of the copy's own life, before it perhaps that of a life that was still opening the log.
Judgement LogOracle::Compare(const Recovered& recovered) const {
  const auto differs = std::mismatch(given_.begin(), given_.end(), recovered.records.begin(),
                                     recovered.records.end());
  const std::uint64_t kept = static_cast<std::uint64_t>(differs.first - given_.begin());
  const std::uint64_t epochs = recovered.records.size() - kept;
  const std::uint64_t owed = PositionBehind(Told(progress_->published));
  const std::string counts =
      absl::StrCat("recovered ", recovered.records.size(), " records, ", kept, " of the ",
                   given_.size(), " given, ", owed, " owed");
  for (std::uint64_t i = kept; i < recovered.records.size(); ++i) {
    if (!recovered.is_epoch[i]) {
      return {Finding::kWrong, absl::StrCat(counts, ": position ", i + 1, " was never written so")};
    }
  }
  if (kept < owed) return {Finding::kLost, counts};
  if (epochs == 0 || epochs > (is_opening_ ? 2U : 1U)) {
    return {Finding::kWrong, absl::StrCat(counts, ": ", epochs, " epochs behind")};
  }
  if (!IsFrameEnd(kept)) return {Finding::kWrong, counts + ": not at the end of a frame"};
  return {};
}

}  // namespace pawl::inline v0
