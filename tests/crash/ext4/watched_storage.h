#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// What a planted fault makes of the storage's promises.
struct StorageLies {
  bool durable_write_is_cached = false;  // returns when the page cache has it
  bool sync_does_nothing = false;        // of files
  bool directory_sync_does_nothing = false;
  bool drafts_stay = false;          // a half-made file is not removed
  bool segments_are_sparse = false;  // without blocks
  bool images_are_sparse = false;    // without memory
};

// The operating system's files, with an ear at every operation, a clock that can be moved, and a
// boot id that is told.
//   threads   as of Storage; the ear is called on the thread of the operation
class WatchedStorage final : public Storage {
 public:
  WatchedStorage(const StorageLies& lies, BootId boot_id) : lies_(lies), boot_id_(boot_id) {}

  // Called before each operation on a file or a name. Set before the storage is used.
  std::function<void()> on_operation;

  void AdvanceClock(std::uint64_t ns) noexcept {
    // Relaxed: a clock.
    ahead_ns_.fetch_add(ns, std::memory_order_relaxed);
  }

  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Unlink(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<FileIdentity> Identify(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& directory) override;
  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override;
  absl::StatusOr<std::shared_ptr<Mapping>> MapFile(const std::string& path) override;
  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    os_.StoreFrame(image, offset, frame, bytes);
  }
  void StoreBytes(Mapping& image, std::uint64_t offset,
                  std::span<const std::byte> bytes) noexcept override {
    os_.StoreBytes(image, offset, bytes);
  }
  absl::StatusOr<BootId> ReadBootId() override { return boot_id_; }
  std::uint64_t Random() override { return os_.Random(); }
  std::uint64_t WallClockNs() override {
    // Relaxed: a clock.
    return os_.WallClockNs() + ahead_ns_.load(std::memory_order_relaxed);
  }

 private:
  class WatchedFile;
  void Hear() const {
    if (on_operation) on_operation();
  }

  Storage& os_ = PosixStorage();
  const StorageLies lies_;
  const BootId boot_id_;
  // Writer and readers: any thread. Guards nothing; only grows.
  std::atomic<std::uint64_t> ahead_ns_{0};
};

}  // namespace pawl::inline v0
