#include "hot_images.h"

#include <utility>

#include "block_file.h"
#include "log_names.h"
#include "manifest.h"

namespace pawl::inline v0 {
namespace {

std::string DraftName(std::uint64_t index) { return ImageName(index) + ".tmp"; }

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

std::string DefaultHotDirectory(const LogId& log_id) { return "/dev/shm/pawl-" + HexOf(log_id); }

bool AreOpen(const HotMarks& marks, const BootId& boot_id) noexcept {
  // Acquire: pairs with the release of the process that opened the log; what it stored before is in
  // this memory, also after its death.
  const bool is_open =
      marks.state.load(std::memory_order_acquire) == static_cast<std::uint32_t>(MarksState::kOpen);
  return is_open && marks.magic == kMarksMagic && marks.format_version == kFormatVersion &&
         marks.boot_id == boot_id;
}

bool AreOf(const HotMarks& marks, const Manifest& manifest,
           const FileIdentity& manifest_identity) noexcept {
  return marks.log_id == manifest.log_id && marks.manifest_device == manifest_identity.device &&
         marks.manifest_inode == manifest_identity.inode;
}

HotImages::HotImages(Storage* storage, std::string hot_directory, std::string log_directory,
                     Notice notice)
    : storage_(storage),
      hot_directory_(std::move(hot_directory)),
      log_directory_(std::move(log_directory)),
      notice_(std::move(notice)),
      directory_(hot_directory_) {}

HotImages::~HotImages() {
  // Who removed nothing leaves an empty directory behind; it is used again or harms nobody.
  if (is_unused_) static_cast<void>(RemoveDirectory());
}

absl::Status HotImages::Prepare(bool allow_shared) {
  if (hot_directory_ == log_directory_) return absl::OkStatus();
  const absl::StatusOr<FileIdentity> found = storage_->Identify(hot_directory_);
  if (!found.ok()) {
    // Not there, or not to be reached.
    const bool is_absent = absl::IsNotFound(found.status());
    if (!is_absent && !absl::IsFailedPrecondition(found.status())) return found.status();
    const absl::Status made =
        is_absent ? storage_->CreateDirectory(hot_directory_) : found.status();
    if (!made.ok()) {
      FallBack(made);
      return absl::OkStatus();
    }
    is_unused_ = true;
  }
  absl::Status own = CheckDirectory(*storage_, hot_directory_, allow_shared, true);
  if (own.ok()) own = CheckNames(*storage_, hot_directory_, &IsHotName);
  if (!own.ok()) return own;
  absl::StatusOr<std::unique_ptr<File>> locked = storage_->Lock(hot_directory_);
  if (!locked.ok()) {
    return Explained(locked.status(), "this log needs another hot_directory");
  }
  lock_ = *std::move(locked);
  return absl::OkStatus();
}

void HotImages::FallBack(const absl::Status& why) {
  if (directory_ == log_directory_) return;
  directory_ = log_directory_;
  if (notice_) {
    notice_("hot images live in " + log_directory_ +
            ", with longer latency tails: " + std::string(why.message()));
  }
}

absl::StatusOr<std::shared_ptr<Mapping>> HotImages::MapNew(const std::string& name,
                                                           std::uint64_t bytes, std::string& path) {
  path = directory_ + "/" + name;
  is_unused_ = false;
  absl::StatusOr<std::shared_ptr<Mapping>> image = storage_->MapImage(path, bytes);
  if (image.ok() || directory_ == log_directory_) return image;
  FallBack(image.status());
  path = directory_ + "/" + name;
  return storage_->MapImage(path, bytes);
}

absl::StatusOr<SegmentSet::Image> HotImages::NewDraft(std::uint64_t index, std::uint64_t bytes) {
  std::string path;
  absl::StatusOr<std::shared_ptr<Mapping>> image = MapNew(DraftName(index), bytes, path);
  if (!image.ok()) return image.status();
  return SegmentSet::Image{*std::move(image), path};
}

absl::Status HotImages::MakeDraft(SegmentSet::Image& image, std::uint64_t index) {
  const std::string draft = DirectoryOf(image.path) + "/" + DraftName(index);
  const absl::Status renamed = storage_->RenameUnkept(image.path, draft);
  if (renamed.ok()) image.path = draft;
  return renamed;
}

absl::Status HotImages::NameDraft(SegmentSet::Image& image, std::uint64_t index) {
  const std::string path = DirectoryOf(image.path) + "/" + ImageName(index);
  const absl::Status renamed = storage_->Rename(image.path, path);
  if (renamed.ok()) image.path = path;
  return renamed;
}

absl::Status HotImages::Drop(const SegmentSet::Image& image) {
  return UnlinkIfThere(*storage_, image.path);
}

absl::StatusOr<std::shared_ptr<Mapping>> HotImages::NewMarks() {
  std::string path;
  return MapNew(kMarksName, kBlockBytes, path);
}

absl::StatusOr<std::shared_ptr<Mapping>> HotImages::NewReaders(std::uint64_t bytes) {
  return storage_->MapImage(directory_ + "/" + kReadersName, bytes);
}

absl::Status HotImages::RemoveAll() {
  for (const std::string& directory : Directories()) {
    const absl::StatusOr<std::vector<std::string>> names = storage_->List(directory);
    if (absl::IsNotFound(names.status()) || absl::IsFailedPrecondition(names.status())) continue;
    if (!names.ok()) return names.status();
    const absl::Status no_marks = UnlinkIfThere(*storage_, directory + "/" + kMarksName);
    if (!no_marks.ok()) return no_marks;
    for (const std::string& name : *names) {
      if (!IsImageName(name) && name != kReadersName) continue;
      const absl::Status gone = UnlinkIfThere(*storage_, directory + "/" + name);
      if (!gone.ok()) return gone;
    }
  }
  return absl::OkStatus();
}

absl::Status HotImages::RemoveDirectory() {
  if (lock_ == nullptr) return absl::OkStatus();
  is_unused_ = false;
  const absl::Status unlocked = UnlinkIfThere(*storage_, hot_directory_ + "/lock");
  if (!unlocked.ok()) return unlocked;
  lock_ = nullptr;
  // Of an engine that died, and was opened since as a log only.
  for (const char* const left : {kStatisticsName, kFlightNoteName}) {
    const absl::Status gone = UnlinkIfThere(*storage_, hot_directory_ + "/" + left);
    if (!gone.ok()) return gone;
  }
  const absl::Status removed = storage_->RemoveDirectory(hot_directory_);
  // Files of others are in it, or it is a volume of its own: it stays.
  const bool is_done = absl::IsNotFound(removed) || absl::IsFailedPrecondition(removed);
  return is_done ? absl::OkStatus() : removed;
}

std::vector<std::string> HotImages::Directories() const {
  if (hot_directory_ == log_directory_) return {log_directory_};
  return {hot_directory_, log_directory_};
}

}  // namespace pawl::inline v0
