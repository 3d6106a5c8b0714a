#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/format.h"
#include "pawl/storage.h"
#include "posix_status.h"

namespace pawl::inline v0 {

// A file of the operating system. Reads and durable writes go past the page cache where the file
// system allows it.
//   threads   one at a time
class PosixFile final : public File {
 public:
  // O_NOFOLLOW: a symlink in place of a file of the log is refused.
  static absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode);

  absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> into) override;
  absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                       std::span<const std::byte> tail) override;
  absl::Status Allocate(std::uint64_t bytes) override;
  absl::Status Sync() override;
  absl::StatusOr<std::uint64_t> Size() override;
  bool is_direct() const noexcept override { return is_direct_; }

 private:
  // What the kernel is given at once. It keeps the core until all of a write is on its way to the
  // disk, 100 ns for each 4 KiB of an image without huge pages and more for each request: the
  // threads that share the core wait for 300 µs behind 4 MB, and a pipeline of theirs runs dry
  // (measured: a seventh of the bank scenario's time). Of 4 KiB pages it is what one request of a
  // virtual disk holds (254 segments).
  static constexpr std::size_t kBurstBytes = 250 * kBlockBytes;

  PosixFile(std::string path, OwnedDescriptor fd, FileMode mode, bool is_direct) noexcept;
  absl::Status ReadDirect(std::uint64_t offset, std::span<std::byte> into);
  absl::Status Write(std::uint64_t offset, std::span<const std::byte> head,
                     std::span<const std::byte> tail, int flags);
  absl::Status WriteZeros(std::uint64_t bytes);

  const std::string path_;
  const OwnedDescriptor fd_;
  const FileMode mode_;
  const bool is_direct_;
};

// The writer's lock of a directory: an open-file-description lock on its file `lock`, and flock on
// the directory itself, so that deleting the file does not let a second writer in.
absl::StatusOr<std::unique_ptr<File>> LockDirectory(const std::string& directory);

}  // namespace pawl::inline v0
