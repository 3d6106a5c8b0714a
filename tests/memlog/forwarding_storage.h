#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// The operating system's files, for storages of tests that change a few calls.
class ForwardingStorage : public Storage {
 public:
  absl::Status CreateDirectory(const std::string& path) override {
    return below_.CreateDirectory(path);
  }
  absl::Status RemoveDirectory(const std::string& path) override {
    return below_.RemoveDirectory(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return below_.List(directory);
  }
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override {
    return below_.Open(path, mode);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return below_.Rename(from, to);
  }
  absl::Status Unlink(const std::string& path) override { return below_.Unlink(path); }
  absl::Status SyncDirectory(const std::string& path) override {
    return below_.SyncDirectory(path);
  }
  absl::StatusOr<FileIdentity> Identify(const std::string& path) override {
    return below_.Identify(path);
  }
  absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& directory) override {
    return below_.Lock(directory);
  }
  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override {
    return below_.MapImage(path, bytes);
  }
  absl::StatusOr<std::shared_ptr<Mapping>> MapFile(const std::string& path) override {
    return below_.MapFile(path);
  }
  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    below_.StoreFrame(image, offset, frame, bytes);
  }
  void StoreBytes(Mapping& image, std::uint64_t offset,
                  std::span<const std::byte> bytes) noexcept override {
    below_.StoreBytes(image, offset, bytes);
  }
  absl::StatusOr<BootId> ReadBootId() override { return below_.ReadBootId(); }
  std::uint64_t Random() override { return below_.Random(); }
  std::uint64_t WallClockNs() override { return below_.WallClockNs(); }

 protected:
  Storage& below_ = PosixStorage();
};

}  // namespace pawl::inline v0
