#include "watched_storage.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

bool IsDraft(const std::string& path) { return path.ends_with(".tmp"); }

// A file that is as long as it should be and has no blocks.
void MakeSparse(const std::string& path, std::uint64_t bytes) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  PAWL_CHECK(fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes)) == 0);
  ::close(fd);
}

// Like a durable write, but only into the page cache.
void WriteCached(const std::string& path, std::uint64_t offset, std::span<const std::byte> bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  PAWL_CHECK(written <= static_cast<ssize_t>(bytes.size()));
  ::close(fd);
}

}  // namespace

class WatchedStorage::WatchedFile final : public File {
 public:
  WatchedFile(const WatchedStorage& owner, std::string path, FileMode mode,
              std::unique_ptr<File> file)
      : owner_(owner), path_(std::move(path)), mode_(mode), file_(std::move(file)) {}

  absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> into) override {
    owner_.Hear();
    return file_->ReadAt(offset, into);
  }

  absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                       std::span<const std::byte> tail) override {
    owner_.Hear();
    if (mode_ == FileMode::kDurable && owner_.lies_.durable_write_is_cached) {
      WriteCached(path_, offset, head);
      WriteCached(path_, offset + head.size(), tail);
      return absl::OkStatus();
    }
    return file_->WriteAt(offset, head, tail);
  }

  absl::Status Allocate(std::uint64_t bytes) override {
    owner_.Hear();
    if (!owner_.lies_.segments_are_sparse) return file_->Allocate(bytes);
    MakeSparse(path_, bytes);
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    owner_.Hear();
    return owner_.lies_.sync_does_nothing ? absl::OkStatus() : file_->Sync();
  }

  absl::StatusOr<std::uint64_t> Size() override {
    owner_.Hear();
    return file_->Size();
  }

  bool is_direct() const noexcept override { return file_->is_direct(); }

 private:
  const WatchedStorage& owner_;
  const std::string path_;
  const FileMode mode_;
  const std::unique_ptr<File> file_;
};

absl::Status WatchedStorage::CreateDirectory(const std::string& path) {
  Hear();
  return os_.CreateDirectory(path);
}

absl::Status WatchedStorage::RemoveDirectory(const std::string& path) {
  Hear();
  return os_.RemoveDirectory(path);
}

absl::StatusOr<std::vector<std::string>> WatchedStorage::List(const std::string& directory) {
  Hear();
  return os_.List(directory);
}

absl::StatusOr<std::unique_ptr<File>> WatchedStorage::Open(const std::string& path, FileMode mode) {
  Hear();
  absl::StatusOr<std::unique_ptr<File>> file = os_.Open(path, mode);
  if (!file.ok()) return file;
  return std::unique_ptr<File>(new WatchedFile(*this, path, mode, *std::move(file)));
}

absl::Status WatchedStorage::Rename(const std::string& from, const std::string& to) {
  Hear();
  return os_.Rename(from, to);
}

absl::Status WatchedStorage::Unlink(const std::string& path) {
  Hear();
  if (lies_.drafts_stay && IsDraft(path) && ::access(path.c_str(), F_OK) == 0) {
    return os_.Rename(path, path + ".stays");
  }
  return os_.Unlink(path);
}

absl::Status WatchedStorage::SyncDirectory(const std::string& path) {
  Hear();
  return lies_.directory_sync_does_nothing ? absl::OkStatus() : os_.SyncDirectory(path);
}

absl::StatusOr<FileIdentity> WatchedStorage::Identify(const std::string& path) {
  Hear();
  return os_.Identify(path);
}

absl::StatusOr<std::unique_ptr<File>> WatchedStorage::Lock(const std::string& directory) {
  Hear();
  return os_.Lock(directory);
}

absl::StatusOr<std::shared_ptr<Mapping>> WatchedStorage::MapImage(const std::string& path,
                                                                  std::uint64_t bytes) {
  Hear();
  if (!lies_.images_are_sparse || bytes == 0) return os_.MapImage(path, bytes);
  static_cast<void>(os_.Unlink(path));
  MakeSparse(path, bytes);
  return os_.MapImage(path, 0);
}

absl::StatusOr<std::shared_ptr<Mapping>> WatchedStorage::MapFile(const std::string& path) {
  Hear();
  return os_.MapFile(path);
}

}  // namespace pawl::inline v0
