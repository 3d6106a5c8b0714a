#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../memlog/forwarding_storage.h"

namespace pawl {

// The operating system's files behind a gate: durable writes that carry frames (anything but
// zeros) to segment files wait while it is shut, and fail while it is broken.
//   threads   any
class GateStorage final : public ForwardingStorage {
 public:
  void Shut() { Set({.is_shut = true}); }
  void Open() { Set({}); }
  // Writes that wait and those that come later end with EIO.
  void Break() { Set({.is_broken = true}); }
  // The same, on a disk without room for another segment file.
  void ShutFull() { Set({.is_shut = true, .is_full = true}); }
  void OpenFull() { Set({.is_full = true}); }

  // New images wait until Open(), and no image is used again, so that the next segment needs one.
  void HoldImages() {
    const std::lock_guard lock(mutex_);
    state_.are_images_held = true;
  }
  int images_waiting() const {
    const std::lock_guard lock(mutex_);
    return images_waiting_;
  }

  // Before the engine opens: nothing tells one boot from another.
  void ForgetBootId() { has_boot_id_ = false; }

  // Durable writes that wait at the gate now.
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }
  // Durable writes to segment files after the first that failed, zeros included.
  int writes_after_failure() const {
    const std::lock_guard lock(mutex_);
    return writes_after_failure_;
  }
  // The file of the first write that failed.
  std::string failed_path() const {
    const std::lock_guard lock(mutex_);
    return failed_path_;
  }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override {
    const bool is_segment = mode == FileMode::kDurable && path.ends_with(".seg");
    if (is_segment && IsFull()) {
      return absl::ResourceExhaustedError(path + ": No space left on device (errno 28)");
    }
    auto opened = below_.Open(path, mode);
    if (!opened.ok() || !is_segment) return opened;
    return std::unique_ptr<File>(std::make_unique<GateFile>(*this, path, *std::move(opened)));
  }

  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override {
    {
      std::unique_lock lock(mutex_);
      ++images_waiting_;
      moved_.wait(lock, [this] { return !state_.are_images_held; });
      --images_waiting_;
    }
    return below_.MapImage(path, bytes);
  }
  absl::Status RenameUnkept(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (state_.are_images_held) return absl::FailedPreconditionError(from + ": somebody keeps it");
    return below_.RenameUnkept(from, to);
  }
  absl::StatusOr<BootId> ReadBootId() override {
    if (!has_boot_id_) return absl::NotFoundError("boot_id: No such file or directory (errno 2)");
    return below_.ReadBootId();
  }

 private:
  class GateFile final : public File {
   public:
    GateFile(GateStorage& gate, std::string path, std::unique_ptr<File> below)
        : gate_(gate), path_(std::move(path)), below_(std::move(below)) {}

    absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> into) override {
      return below_->ReadAt(offset, into);
    }
    absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                         std::span<const std::byte> tail) override {
      if (absl::Status passed = gate_.Pass(path_, head, tail); !passed.ok()) return passed;
      return below_->WriteAt(offset, head, tail);
    }
    absl::Status Allocate(std::uint64_t bytes) override { return below_->Allocate(bytes); }
    absl::Status Sync() override { return below_->Sync(); }
    absl::StatusOr<std::uint64_t> Size() override { return below_->Size(); }
    bool is_direct() const noexcept override { return below_->is_direct(); }

   private:
    GateStorage& gate_;
    const std::string path_;
    const std::unique_ptr<File> below_;
  };

  static bool IsZeros(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  }

  absl::Status Pass(const std::string& path, std::span<const std::byte> head,
                    std::span<const std::byte> tail) {
    const bool is_zeros = IsZeros(head) && IsZeros(tail);
    std::unique_lock lock(mutex_);
    if (path == failed_path_) ++writes_after_failure_;
    if (is_zeros) return absl::OkStatus();
    ++waiting_;
    moved_.wait(lock, [this] { return !state_.is_shut; });
    --waiting_;
    if (!state_.is_broken) return absl::OkStatus();
    if (failed_path_.empty()) failed_path_ = path;
    return absl::UnknownError(path + ": write failed: Input/output error (errno 5)");
  }

  struct State {
    bool is_shut = false;
    bool is_broken = false;
    bool is_full = false;
    bool are_images_held = false;
  };

  void Set(const State& state) {
    {
      const std::lock_guard lock(mutex_);
      state_ = state;
    }
    moved_.notify_all();
  }
  bool IsFull() const {
    const std::lock_guard lock(mutex_);
    return state_.is_full;
  }

  bool has_boot_id_ = true;
  mutable std::mutex mutex_;
  std::condition_variable moved_;
  State state_;
  int images_waiting_ = 0;
  int waiting_ = 0;
  int writes_after_failure_ = 0;
  std::string failed_path_;
};

// Opens a gate at the end of a test, also of one that failed, so that nothing waits for ever.
class GateOpener {
 public:
  explicit GateOpener(GateStorage& gate) : gate_(gate) {}
  GateOpener(const GateOpener&) = delete;
  GateOpener& operator=(const GateOpener&) = delete;
  ~GateOpener() { gate_.Open(); }

 private:
  GateStorage& gate_;
};

}  // namespace pawl
