#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// The operating system's storage, as it is, but for what would differ from run to run (time and
// random numbers), and for what a derived one changes on purpose.
class SteppedStorage : public Storage {
 public:
  explicit SteppedStorage(std::uint64_t seed) noexcept : random_(seed) {}

  // Time stands still in between.
  void AdvanceClock(std::uint64_t ns) noexcept { clock_ns_ += ns; }

  absl::Status CreateDirectory(const std::string& path) override {
    return posix_.CreateDirectory(path);
  }
  absl::Status RemoveDirectory(const std::string& path) override {
    return posix_.RemoveDirectory(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return posix_.List(directory);
  }
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override {
    return posix_.Open(path, mode);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return posix_.Rename(from, to);
  }
  absl::Status Unlink(const std::string& path) override { return posix_.Unlink(path); }
  absl::Status SyncDirectory(const std::string& path) override {
    return posix_.SyncDirectory(path);
  }
  absl::StatusOr<FileIdentity> Identify(const std::string& path) override {
    return posix_.Identify(path);
  }
  absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& directory) override {
    return posix_.Lock(directory);
  }
  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override {
    return posix_.MapImage(path, bytes);
  }
  absl::StatusOr<std::shared_ptr<Mapping>> MapFile(const std::string& path) override {
    return posix_.MapFile(path);
  }
  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    posix_.StoreFrame(image, offset, frame, bytes);
  }
  void StoreBytes(Mapping& image, std::uint64_t offset,
                  std::span<const std::byte> bytes) noexcept override {
    posix_.StoreBytes(image, offset, bytes);
  }
  absl::StatusOr<BootId> ReadBootId() override { return posix_.ReadBootId(); }
  std::uint64_t Random() override;
  std::uint64_t WallClockNs() override { return clock_ns_; }

 private:
  Storage& posix_ = PosixStorage();
  std::uint64_t random_;
  std::uint64_t clock_ns_ = 1'800'000'000'000'000'000;
};

// What the judge opens copies with: a copy says that it is the original, whose marks name device
// and inode of its manifest.
class CopyStorage final : public SteppedStorage {
 public:
  explicit CopyStorage(FileIdentity original) : SteppedStorage(1), original_(original) {}
  absl::StatusOr<FileIdentity> Identify(const std::string& path) override {
    absl::StatusOr<FileIdentity> found = SteppedStorage::Identify(path);
    if (!found.ok()) return found;
    found->device = original_.device;
    found->inode = original_.inode;
    return found;
  }

 private:
  const FileIdentity original_;
};

// A fault put in on purpose: a campaign that does not find it is worth nothing.
struct PlantedStep {
  std::string_view name;
  std::string_view what;
  bool is_unchecked;  // in a program that checks no checksums, where recovery alone must find it
};
const std::vector<PlantedStep>& PlantedSteps();

// The victim's storage; `planted` may be empty. Ends the program if it knows no such fault.
std::unique_ptr<SteppedStorage> NewVictimStorage(std::uint64_t seed, std::string_view planted);

}  // namespace pawl::inline v0
