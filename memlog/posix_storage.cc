#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "pawl/check.h"
#include "pawl/storage.h"
#include "posix_file.h"
#include "posix_mapping.h"
#include "posix_status.h"

namespace pawl::inline v0 {
namespace {

struct ClosedDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

FileIdentity::Kind KindOf(mode_t mode) noexcept {
  if (S_ISREG(mode)) return FileIdentity::Kind::kRegular;
  if (S_ISDIR(mode)) return FileIdentity::Kind::kDirectory;
  return S_ISLNK(mode) ? FileIdentity::Kind::kLink : FileIdentity::Kind::kOther;
}

class PosixStorageFiles final : public Storage {
 public:
  absl::Status CreateDirectory(const std::string& path) override {
    const bool is_new = ::mkdir(path.c_str(), 0700) == 0;
    if (!is_new && errno != EEXIST) return ErrnoStatus("mkdir", path, errno);
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0) return ErrnoStatus("stat", path, errno);
    if (!S_ISDIR(facts.st_mode)) {
      return absl::FailedPreconditionError(path + " is not a directory: move it away");
    }
    // Whatever the umask took away.
    const bool is_narrow = is_new && (facts.st_mode & 0700U) != 0700U;
    if (is_narrow && ::chmod(path.c_str(), 0700) != 0) return ErrnoStatus("chmod", path, errno);
    return absl::OkStatus();
  }

  absl::Status RemoveDirectory(const std::string& path) override {
    if (::rmdir(path.c_str()) == 0) return absl::OkStatus();
    const bool is_used = errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY;
    const absl::Status failed = ErrnoStatus("rmdir", path, errno);
    return is_used ? absl::FailedPreconditionError(failed.message()) : failed;
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    const std::unique_ptr<DIR, ClosedDirectory> open(::opendir(directory.c_str()));
    if (open == nullptr) return ErrnoStatus("opendir", directory, errno);
    std::vector<std::string> names;
    for (errno = 0; const dirent* entry = ::readdir(open.get()); errno = 0) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    if (errno != 0) return ErrnoStatus("readdir", directory, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override {
    return PosixFile::Open(path, mode);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoStatus("rename", from, errno);
    return absl::OkStatus();
  }

  absl::Status Unlink(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return ErrnoStatus("unlink", path, errno);
    return absl::OkStatus();
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const OwnedDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open()) return ErrnoStatus("open", path, errno);
    if (::fsync(fd.get()) != 0) return ErrnoStatus("fsync", path, errno);
    return absl::OkStatus();
  }

  absl::StatusOr<FileIdentity> Identify(const std::string& path) override {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0) return ErrnoStatus("stat", path, errno);
    return FileIdentity{.device = facts.st_dev,
                        .inode = facts.st_ino,
                        .kind = KindOf(facts.st_mode),
                        .owner = facts.st_uid,
                        .is_ours = facts.st_uid == ::geteuid(),
                        .is_writable_by_all = (facts.st_mode & S_IWOTH) != 0};
  }

  absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& directory) override {
    return LockDirectory(directory);
  }

  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override {
    return MapPosixImage(path, bytes);
  }

  absl::StatusOr<std::shared_ptr<Mapping>> MapFile(const std::string& path) override {
    return MapPosixFile(path);
  }

  absl::StatusOr<std::shared_ptr<Mapping>> MapKept(const std::string& path) override {
    return MapPosixKept(path);
  }

  absl::Status RenameUnkept(const std::string& from, const std::string& to) override {
    return RenamePosixUnkept(from, to);
  }

  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    PAWL_DCHECK(offset + bytes <= image.size() && bytes >= sizeof(FrameHeader));
    std::byte* const at = image.data() + offset;
    std::memcpy(at + 8, frame + 8, bytes - 8);
    std::uint64_t first = 0;
    std::memcpy(&first, frame, sizeof first);
    // Release: the frame before its length. Pairs with the published mark's acquire in readers,
    // and with recovery, which reads the image of a process that died anywhere in here.
    std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(at))
        .store(first, std::memory_order_release);
  }

  void StoreBytes(Mapping& image, std::uint64_t offset,
                  std::span<const std::byte> bytes) noexcept override {
    PAWL_CHECK(offset + bytes.size() <= image.size());
    if (!bytes.empty()) std::memcpy(image.data() + offset, bytes.data(), bytes.size());
  }

  absl::StatusOr<BootId> ReadBootId() override;

  std::uint64_t Random() override {
    std::uint64_t value = 0;
    ssize_t n = 0;
    do {
      n = ::getrandom(&value, sizeof value, 0);
    } while (n < 0 && errno == EINTR);
    PAWL_CHECK(n == static_cast<ssize_t>(sizeof value));
    return value;
  }

  std::uint64_t WallClockNs() override {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
  }
};

int HexDigit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

absl::StatusOr<BootId> PosixStorageFiles::ReadBootId() {
  const std::string path = "/proc/sys/kernel/random/boot_id";
  const OwnedDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return ErrnoStatus("open", path, errno);
  char text[64] = {};
  const ssize_t n = ::read(fd.get(), text, sizeof text - 1);
  if (n < 0) return ErrnoStatus("read", path, errno);
  BootId id{};
  std::size_t digits = 0;
  for (ssize_t i = 0; i < n && digits < 2 * id.size(); ++i) {
    const int value = HexDigit(text[i]);
    if (value < 0) continue;
    id[digits / 2] = static_cast<std::uint8_t>((id[digits / 2] << 4) | value);
    ++digits;
  }
  if (digits != 2 * id.size()) return absl::FailedPreconditionError(path + " holds no boot id");
  return id;
}

}  // namespace

Storage& PosixStorage() {
  // Never destroyed: handles may outlive static destruction.
  static PosixStorageFiles* const files = new PosixStorageFiles;
  return *files;
}

}  // namespace pawl::inline v0
