#include "block_file.h"

#include <memory>

namespace pawl::inline v0 {
namespace {

absl::Status WriteSynced(Storage& storage, const std::string& path,
                         std::span<const std::byte> bytes) {
  absl::StatusOr<std::unique_ptr<File>> file = storage.Open(path, FileMode::kCreate);
  if (!file.ok()) return file.status();
  if (const absl::Status written = (*file)->WriteAt(0, bytes, {}); !written.ok()) return written;
  return (*file)->Sync();
}

}  // namespace

absl::Status UnlinkIfThere(Storage& storage, const std::string& path) {
  const absl::Status unlinked = storage.Unlink(path);
  return unlinked.code() == absl::StatusCode::kNotFound ? absl::OkStatus() : unlinked;
}

absl::Status Explained(const absl::Status& status, const std::string& more) {
  return absl::Status(status.code(), std::string(status.message()) + ": " + more);
}

absl::Status ReplaceFile(Storage& storage, const std::string& directory, const std::string& name,
                         std::span<const std::byte> bytes) {
  const std::string path = directory + "/" + name;
  const std::string draft = path + ".tmp";
  if (const absl::Status gone = UnlinkIfThere(storage, draft); !gone.ok()) return gone;
  if (absl::Status written = WriteSynced(storage, draft, bytes); !written.ok()) {
    // The first error is the one to tell; a draft that stays is ignored and replaced.
    static_cast<void>(storage.Unlink(draft));
    return written;
  }
  if (const absl::Status renamed = storage.Rename(draft, path); !renamed.ok()) return renamed;
  return storage.SyncDirectory(directory);
}

}  // namespace pawl::inline v0
