#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pawl::inline v0 {

// How a file system dies without a clean end; the values are the kernel's.
enum class ShutdownMode : std::uint32_t {
  kLogFlush = 1,    // what the journal has in memory is written first; data is not
  kNoLogFlush = 2,  // nothing is written any more
};

// A real ext4 on a loop device over a file in memory, mounted at a directory. Unmounted and
// detached with its owner. The image file has no name once the device holds it.
//   threads   one
class LoopExt4 {
 public:
  //   mount_point   made if it is not there
  //   errors        FAILED_PRECONDITION no loop device, no mkfs.ext4, no ext4: says which
  static absl::StatusOr<LoopExt4> Make(const std::string& image, const std::string& mount_point,
                                       std::uint64_t bytes);

  LoopExt4(LoopExt4&& other) noexcept;
  LoopExt4& operator=(LoopExt4&& other) noexcept;
  ~LoopExt4();

  absl::Status Mount();
  absl::Status Unmount();
  // Cuts the power of the mounted file system: no write reaches the device any more.
  absl::Status ShutDown(ShutdownMode mode) const;
  // Looks at every structure of the unmounted file system and changes none (e2fsck -n).
  //   errors    DATA_LOSS e2fsck found something
  absl::Status Check() const;

  const std::string& mount_point() const noexcept { return mount_point_; }

 private:
  LoopExt4(std::string mount_point, std::string device, int device_fd) noexcept;
  void Release() noexcept;

  std::string mount_point_;
  std::string device_;
  int device_fd_ = -1;  // keeps the device attached while nothing is mounted
  bool is_mounted_ = false;
};

}  // namespace pawl::inline v0
