#include "loop_ext4.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {
namespace {

// Of the kernel, but in none of its headers for programs (fs/ext4/ext4.h).
constexpr unsigned long kShutDownRequest = _IOR('X', 125, __u32);

absl::Status Failed(const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Runs a program of e2fsprogs with its words unheard. Returns its exit status, 127 if there is no
// such program.
int RunQuietly(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  int rc = ENOENT;
  for (const char* folder : {"/usr/sbin/", "/sbin/"}) {
    const std::string program = folder + words[0];
    rc = ::posix_spawn(&child, program.c_str(), &files, nullptr, arguments.data(), environment);
    if (rc == 0) break;
  }
  ::posix_spawn_file_actions_destroy(&files);
  if (rc != 0) return 127;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

absl::Status MakeImage(const std::string& image, std::uint64_t bytes) {
  const int fd = ::open(image.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Failed(absl::StrCat("open ", image));
  const int rc = ::ftruncate(fd, static_cast<off_t>(bytes));
  ::close(fd);
  if (rc != 0) return Failed(absl::StrCat("ftruncate ", image));
  // No block is kept for root, and nothing is initialised behind our back later.
  const int status = RunQuietly({"mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-N", "1024",
                                 "-E", "lazy_itable_init=0,lazy_journal_init=0", image});
  if (status == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(status == 127
                                           ? "mkfs.ext4 is not installed (package e2fsprogs)"
                                           : absl::StrCat("mkfs.ext4 ended with status ", status));
}

// Attaches the image to a free loop device. Between asking for a free one and taking it another
// process may have taken it.
absl::StatusOr<std::pair<std::string, int>> Attach(const std::string& image) {
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) return Failed("no loop devices: open /dev/loop-control");
  const int file = ::open(image.c_str(), O_RDWR | O_CLOEXEC);
  absl::Status why = file < 0 ? Failed(absl::StrCat("open ", image)) : absl::OkStatus();
  for (int tries = 0; file >= 0 && tries < 100; ++tries) {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) {
      why = Failed("no loop device is free");
      break;
    }
    std::string device = absl::StrCat("/dev/loop", number);
    const int fd = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) {
      why = Failed(absl::StrCat("no loop devices: open ", device));
      break;
    }
    loop_config config{};
    config.fd = static_cast<__u32>(file);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (::ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
      ::close(file);
      ::close(control);
      return std::pair(std::move(device), fd);
    }
    const bool is_taken = errno == EBUSY;
    why = Failed(absl::StrCat("attach ", device));
    ::close(fd);
    if (!is_taken) break;
  }
  if (file >= 0) ::close(file);
  ::close(control);
  return why;
}

}  // namespace

absl::StatusOr<LoopExt4> LoopExt4::Make(const std::string& image, const std::string& mount_point,
                                        std::uint64_t bytes) {
  if (::mkdir(mount_point.c_str(), 0700) != 0 && errno != EEXIST) {
    return Failed(absl::StrCat("mkdir ", mount_point));
  }
  absl::Status made = MakeImage(image, bytes);
  if (!made.ok()) {
    ::unlink(image.c_str());
    return made;
  }
  absl::StatusOr<std::pair<std::string, int>> attached = Attach(image);
  ::unlink(image.c_str());
  if (!attached.ok()) return attached.status();
  LoopExt4 disk(mount_point, attached->first, attached->second);
  if (absl::Status mounted = disk.Mount(); !mounted.ok()) return mounted;
  return disk;
}

LoopExt4::LoopExt4(std::string mount_point, std::string device, int device_fd) noexcept
    : mount_point_(std::move(mount_point)), device_(std::move(device)), device_fd_(device_fd) {}

LoopExt4::LoopExt4(LoopExt4&& other) noexcept
    : mount_point_(std::move(other.mount_point_)),
      device_(std::move(other.device_)),
      device_fd_(std::exchange(other.device_fd_, -1)),
      is_mounted_(std::exchange(other.is_mounted_, false)) {}

LoopExt4& LoopExt4::operator=(LoopExt4&& other) noexcept {
  if (this == &other) return *this;
  Release();
  mount_point_ = std::move(other.mount_point_);
  device_ = std::move(other.device_);
  device_fd_ = std::exchange(other.device_fd_, -1);
  is_mounted_ = std::exchange(other.is_mounted_, false);
  return *this;
}

LoopExt4::~LoopExt4() { Release(); }

void LoopExt4::Release() noexcept {
  // Detached from the tree even if somebody has a file open there.
  if (is_mounted_) ::umount2(mount_point_.c_str(), MNT_DETACH);
  if (device_fd_ >= 0) ::close(device_fd_);
  is_mounted_ = false;
  device_fd_ = -1;
}

absl::Status LoopExt4::Mount() {
  if (::mount(device_.c_str(), mount_point_.c_str(), "ext4", MS_NOATIME, "") != 0) {
    return Failed(absl::StrCat("mount ", device_, " as ext4"));
  }
  is_mounted_ = true;
  return absl::OkStatus();
}

absl::Status LoopExt4::Unmount() {
  if (::umount2(mount_point_.c_str(), 0) != 0) return Failed(absl::StrCat("umount ", mount_point_));
  is_mounted_ = false;
  return absl::OkStatus();
}

absl::Status LoopExt4::ShutDown(ShutdownMode mode) const {
  const int fd = ::open(mount_point_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed(absl::StrCat("open ", mount_point_));
  __u32 flags = static_cast<__u32>(mode);
  const int rc = ::ioctl(fd, kShutDownRequest, &flags);
  absl::Status done = rc == 0 ? absl::OkStatus() : Failed("ioctl EXT4_IOC_SHUTDOWN");
  ::close(fd);
  return done;
}

absl::Status LoopExt4::Check() const {
  const int status = RunQuietly({"e2fsck", "-n", "-f", device_});
  if (status == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("e2fsck -n ended with status ", status));
}

}  // namespace pawl::inline v0
