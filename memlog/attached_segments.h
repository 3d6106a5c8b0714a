#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "file_follower.h"
#include "pawl/attached_log.h"
#include "pawl/format.h"
#include "pawl/hot_marks.h"
#include "readable_segments.h"
#include "reader_slots.h"

namespace pawl::inline v0 {

// The segments of a log that another process writes. With marks of this boot it reads the hot
// images, as they were left too if that process died; else the files.
//   threads   one at a time
//
// An image is found under its name and kept (Storage::MapKept): the engine then does not use it
// again. One that is not there while the marks are still those of the log was sealed and made
// durable before it went, so its file can be mapped: whoever opens the log anew takes the marks
// away first.
class AttachedSegments final : public ReadableSegments {
 public:
  struct Start {
    Storage* storage = nullptr;
    std::string directory;
    std::vector<std::string> hot_directories;  // where marks may be, the likeliest first
    std::string name;                          // for the list of readers
    Manifest manifest;
    FileIdentity manifest_identity;
    std::optional<BootId> boot_id;
  };

  explicit AttachedSegments(Start start);

  // Looks who writes the log now, and reads on in the files if nobody seems to.
  //   errors    as FileFollower::Advance()
  absl::Status Refresh();

  absl::StatusOr<Entered> Enter(std::uint64_t index) override;

  // Enter() found that another writer came: Refresh() is due.
  bool is_outdated() const noexcept { return is_outdated_; }
  LogSource source() const noexcept {
    return marks_ != nullptr ? LogSource::kHotImages : LogSource::kFiles;
  }
  // nullptr while it reads the files.
  const HotMarks* marks() const noexcept { return marks_; }
  ReaderSeat* seat() const noexcept { return seat_.get(); }  // nullptr: not listed
  const FileFollower& files() const noexcept { return files_; }
  const Manifest& manifest() const noexcept { return start_.manifest; }

 private:
  void BeginAnew();
  absl::Status FollowFiles();
  void FindMarks();
  absl::StatusOr<std::shared_ptr<Mapping>> MapMarks(const std::string& directory) const;
  bool AreMarksCurrent() const;
  void TakeSeat();
  void ReadIndexes();
  absl::StatusOr<std::shared_ptr<const Mapping>> Map(std::uint64_t index);
  absl::StatusOr<std::shared_ptr<const Mapping>> MapImage(std::uint64_t index) const;

  const Start start_;
  FileFollower files_;
  ScanCursor indexed_end_;  // behind the segments that have an index

  std::shared_ptr<Mapping> marks_mapping_;
  const HotMarks* marks_ = nullptr;
  std::string marks_directory_;
  FileIdentity marks_identity_;
  std::unique_ptr<ReaderSeat> seat_;
  bool is_outdated_ = false;

  // What this process's readers are in.
  std::map<std::uint64_t, std::weak_ptr<const Mapping>> mapped_;
};

}  // namespace pawl::inline v0
