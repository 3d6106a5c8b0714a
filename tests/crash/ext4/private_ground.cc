#include "private_ground.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <stdlib.h>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {
namespace {

absl::Status Missing(const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateGround>> PrivateGround::Enter() {
  if (::geteuid() != 0) return absl::FailedPreconditionError("mounting file systems needs root");
  if (::unshare(CLONE_NEWNS) != 0) return Missing("no mount namespace of its own");
  // What is mounted here is not to be seen in the namespace outside.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return Missing("the mount namespace cannot be made private");
  }
  const char* const told = ::getenv("TMPDIR");
  std::string root = absl::StrCat(told != nullptr ? told : "/tmp", "/pawl-ext4-XXXXXX");
  if (::mkdtemp(root.data()) == nullptr) return Missing(absl::StrCat("mkdtemp ", root));
  if (::mount("tmpfs", root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") != 0) {
    absl::Status missing = Missing("no tmpfs can be mounted");
    ::rmdir(root.c_str());
    return missing;
  }
  return std::unique_ptr<PrivateGround>(new PrivateGround(root));
}

PrivateGround::~PrivateGround() {
  ::umount2(root_.c_str(), MNT_DETACH);
  ::rmdir(root_.c_str());
}

}  // namespace pawl::inline v0
