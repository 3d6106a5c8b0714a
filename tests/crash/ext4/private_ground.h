#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pawl::inline v0 {

// A place for file systems that nobody else sees: the process moves into a mount namespace of its
// own and mounts a memory file system over a new directory there. However the process ends,
// nothing stays mounted and no file stays behind; a process that was killed leaves the empty
// directory.
//   threads   the process has one when Enter() is called
class PrivateGround {
 public:
  //   errors    FAILED_PRECONDITION this machine does not let us: says what is missing
  static absl::StatusOr<std::unique_ptr<PrivateGround>> Enter();

  PrivateGround(const PrivateGround&) = delete;
  PrivateGround& operator=(const PrivateGround&) = delete;
  ~PrivateGround();

  std::string Path(const std::string& name) const { return root_ + "/" + name; }

 private:
  explicit PrivateGround(std::string root) : root_(std::move(root)) {}

  const std::string root_;
};

}  // namespace pawl::inline v0
