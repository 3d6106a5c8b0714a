#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/format.h"
#include "pawl/hot_marks.h"
#include "pawl/storage.h"
#include "segment_set.h"

namespace pawl::inline v0 {

inline constexpr const char* kMarksName = "marks";
inline constexpr const char* kReadersName = "readers";
// Core's; ours to refuse what is not, and to remove what a dead engine left.
inline constexpr const char* kStatisticsName = "stats";
inline constexpr const char* kFlightNoteName = "flight";
inline constexpr const char* kDeathsName = "quarantine";

// Where an engine keeps them unless told otherwise.
std::string DefaultHotDirectory(const LogId& log_id);

// True for marks that an engine of this boot made and did not close.
bool AreOpen(const HotMarks& marks, const BootId& boot_id) noexcept;
// True for marks of this log in this directory, not of a copy of it.
bool AreOf(const HotMarks& marks, const Manifest& manifest,
           const FileIdentity& manifest_identity) noexcept;

// The files of the hot directory: images and marks. What finds no room or no permission there
// lives in the log directory instead, with one notice; the code is the same.
//
// An image is made under a draft name and gets its own when header and content are in it, so that
// whatever has the name of an image is one, also after a kill.
//   threads   one at a time
class HotImages {
 public:
  using Notice = std::function<void(std::string_view)>;

  HotImages(Storage* storage, std::string hot_directory, std::string log_directory, Notice notice);
  HotImages(const HotImages&) = delete;
  HotImages& operator=(const HotImages&) = delete;
  ~HotImages();  // removes a directory that Prepare() made and nothing was put into

  // Creates the hot directory if it can be, and locks it: two logs in one would remove each
  // other's images. One that cannot be made is done without; but what stands in its place may
  // hide images of the life before.
  //   errors    FAILED_PRECONDITION another engine uses it, or it is not ours
  absl::Status Prepare(bool allow_shared);

  // A zeroed image for segment `index` under its draft name.
  //   errors    RESOURCE_EXHAUSTED neither directory has room
  absl::StatusOr<SegmentSet::Image> NewDraft(std::uint64_t index, std::uint64_t bytes);
  // Gives a retired image the draft name for segment `index`; its content is for the caller.
  //   errors    FAILED_PRECONDITION a reader in another process keeps it: drop it
  absl::Status MakeDraft(SegmentSet::Image& image, std::uint64_t index);
  // The draft is complete: it gets its name.
  absl::Status NameDraft(SegmentSet::Image& image, std::uint64_t index);
  absl::Status Drop(const SegmentSet::Image& image);

  // Marks as zeros, in the directory of the images.
  absl::StatusOr<std::shared_ptr<Mapping>> NewMarks();
  // The slots of reader processes as zeros, likewise.
  absl::StatusOr<std::shared_ptr<Mapping>> NewReaders(std::uint64_t bytes);

  // Removes images, drafts, marks and slots of earlier lives, marks first: without marks no image
  // is believed, here or in a reader process.
  absl::Status RemoveAll();
  // After RemoveAll(): the lock too, and the hot directory, if it can be (files of others in it, a
  // mount).
  absl::Status RemoveDirectory();

  // Where images and marks may be; the first one is preferred.
  std::vector<std::string> Directories() const;
  const std::string& log_directory() const noexcept { return log_directory_; }
  const std::string& directory() const noexcept { return directory_; }

 private:
  absl::StatusOr<std::shared_ptr<Mapping>> MapNew(const std::string& name, std::uint64_t bytes,
                                                  std::string& path);
  void FallBack(const absl::Status& why);

  Storage* const storage_;
  const std::string hot_directory_;
  const std::string log_directory_;
  const Notice notice_;
  std::unique_ptr<File> lock_;  // of the hot directory
  bool is_unused_ = false;      // Prepare() made it, and nothing is in it
  std::string directory_;       // hot_directory_, or log_directory_ after the fallback
};

}  // namespace pawl::inline v0
