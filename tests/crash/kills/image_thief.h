#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// The operating system's files, but images are used again though readers keep them: a planted
// fault.
class ImageThief final : public Storage {
 public:
  absl::Status CreateDirectory(const std::string& path) override {
    return real_.CreateDirectory(path);
  }
  absl::Status RemoveDirectory(const std::string& path) override {
    return real_.RemoveDirectory(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return real_.List(directory);
  }
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override {
    return real_.Open(path, mode);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return real_.Rename(from, to);
  }
  absl::Status Unlink(const std::string& path) override { return real_.Unlink(path); }
  absl::Status SyncDirectory(const std::string& path) override { return real_.SyncDirectory(path); }
  absl::StatusOr<FileIdentity> Identify(const std::string& path) override {
    return real_.Identify(path);
  }
  absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& directory) override {
    return real_.Lock(directory);
  }
  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override {
    return real_.MapImage(path, bytes);
  }
  absl::StatusOr<std::shared_ptr<Mapping>> MapFile(const std::string& path) override {
    return real_.MapFile(path);
  }
  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    real_.StoreFrame(image, offset, frame, bytes);
  }
  void StoreBytes(Mapping& image, std::uint64_t offset,
                  std::span<const std::byte> bytes) noexcept override {
    real_.StoreBytes(image, offset, bytes);
  }
  absl::StatusOr<BootId> ReadBootId() override { return real_.ReadBootId(); }
  std::uint64_t Random() override { return real_.Random(); }
  std::uint64_t WallClockNs() override { return real_.WallClockNs(); }

 private:
  Storage& real_ = PosixStorage();
};

}  // namespace pawl::inline v0
