#include "hog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

std::uint64_t SizeOf(int fd) {
  struct stat facts {};
  PAWL_CHECK(::fstat(fd, &facts) == 0);
  return static_cast<std::uint64_t>(facts.st_size);
}

}  // namespace

void Hog::Squeeze(std::uint64_t blocks) const {
  // Blocks that were freed count as free once the journal says so.
  SyncFileSystem();
  const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  PAWL_CHECK(fd >= 0);
  for (std::uint64_t step = std::uint64_t{64} << 20; step >= kBlockBytes; step /= 2) {
    while (::fallocate(fd, 0, static_cast<off_t>(SizeOf(fd)), static_cast<off_t>(step)) == 0) {
    }
    PAWL_CHECK(errno == ENOSPC);
  }
  const std::uint64_t size = SizeOf(fd);
  PAWL_CHECK(::ftruncate(fd, static_cast<off_t>(size - std::min(size, blocks * kBlockBytes))) == 0);
  ::close(fd);
  SyncFileSystem();
}

void Hog::Leave() const {
  PAWL_CHECK(::unlink(path_.c_str()) == 0 || errno == ENOENT);
  SyncFileSystem();
}

std::uint64_t Hog::FreeBlocks() const {
  SyncFileSystem();
  struct statvfs facts {};
  PAWL_CHECK(::statvfs(path_.substr(0, path_.rfind('/')).c_str(), &facts) == 0);
  return facts.f_bfree * facts.f_frsize / kBlockBytes;
}

void Hog::SyncFileSystem() const {
  const int fd = ::open(path_.substr(0, path_.rfind('/')).c_str(), O_RDONLY | O_CLOEXEC);
  PAWL_CHECK(fd >= 0 && ::syncfs(fd) == 0);
  ::close(fd);
}

}  // namespace pawl::inline v0
