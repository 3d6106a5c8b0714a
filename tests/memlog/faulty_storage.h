#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "forwarding_storage.h"

namespace pawl::inline v0 {

// The operating system's files with hooks: a hook that returns an error does so in place of the
// call. Hooks are set while no agent runs; they run on the caller's thread.
class FaultyStorage final : public ForwardingStorage {
 public:
  // path, offset of a durable write
  std::function<absl::Status(const std::string&, std::uint64_t)> on_durable_write;
  std::function<absl::Status(const std::string&)> on_allocate;
  std::function<absl::Status(const std::string&)> on_sync;
  std::function<absl::Status(const std::string&)> on_sync_directory;
  std::function<absl::Status(const std::string&)> on_new_image;
  std::function<absl::Status(const std::string&)> on_create_directory;
  std::function<absl::Status(const std::string&)> on_map_file;
  std::function<void(const std::byte*)> on_store_frame;
  std::uint64_t durable_writes = 0;
  std::uint64_t new_images = 0;
  bool is_direct = true;

  absl::Status CreateDirectory(const std::string& path) override {
    const absl::Status hooked = Ask(on_create_directory, path);
    return hooked.ok() ? below_.CreateDirectory(path) : hooked;
  }
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override {
    absl::StatusOr<std::unique_ptr<File>> file = below_.Open(path, mode);
    if (!file.ok()) return file;
    return std::unique_ptr<File>(new FaultyFile(*this, path, mode, *std::move(file)));
  }
  absl::Status SyncDirectory(const std::string& path) override {
    const absl::Status hooked = Ask(on_sync_directory, path);
    return hooked.ok() ? below_.SyncDirectory(path) : hooked;
  }
  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override {
    if (bytes > 0) {
      if (const absl::Status hooked = Ask(on_new_image, path); !hooked.ok()) return hooked;
      ++new_images;
    }
    return below_.MapImage(path, bytes);
  }
  absl::StatusOr<std::shared_ptr<Mapping>> MapFile(const std::string& path) override {
    const absl::Status hooked = Ask(on_map_file, path);
    return hooked.ok() ? below_.MapFile(path) : hooked;
  }
  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    if (on_store_frame) on_store_frame(frame);
    below_.StoreFrame(image, offset, frame, bytes);
  }
  // Stands still unless moved: back-off and idle time are the test's to pass.
  std::uint64_t WallClockNs() override { return now_ns; }

  std::uint64_t now_ns = 1'000'000'000'000;

 private:
  class FaultyFile final : public File {
   public:
    FaultyFile(FaultyStorage& owner, std::string path, FileMode mode, std::unique_ptr<File> file)
        : owner_(owner), path_(std::move(path)), mode_(mode), file_(std::move(file)) {}

    absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> into) override {
      return file_->ReadAt(offset, into);
    }
    absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                         std::span<const std::byte> tail) override {
      if (mode_ == FileMode::kDurable) {
        ++owner_.durable_writes;
        if (owner_.on_durable_write) {
          const absl::Status hooked = owner_.on_durable_write(path_, offset);
          if (!hooked.ok()) return hooked;
        }
      }
      return file_->WriteAt(offset, head, tail);
    }
    absl::Status Allocate(std::uint64_t bytes) override {
      const absl::Status hooked = Ask(owner_.on_allocate, path_);
      return hooked.ok() ? file_->Allocate(bytes) : hooked;
    }
    absl::Status Sync() override {
      const absl::Status hooked = Ask(owner_.on_sync, path_);
      return hooked.ok() ? file_->Sync() : hooked;
    }
    absl::StatusOr<std::uint64_t> Size() override { return file_->Size(); }
    bool is_direct() const noexcept override { return owner_.is_direct && file_->is_direct(); }

   private:
    FaultyStorage& owner_;
    const std::string path_;
    const FileMode mode_;
    const std::unique_ptr<File> file_;
  };

  static absl::Status Ask(const std::function<absl::Status(const std::string&)>& hook,
                          const std::string& path) {
    return hook ? hook(path) : absl::OkStatus();
  }
};

inline bool IsSegment(const std::string& path) { return path.find(".seg") != std::string::npos; }

}  // namespace pawl::inline v0
