#include "live_image.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

constexpr std::size_t kPage = 4096;

bool IsZero(const std::byte* bytes, std::size_t size) noexcept {
  return bytes[0] == std::byte{0} && std::memcmp(bytes, bytes + 1, size - 1) == 0;
}

// Pages of zeros are left out: what a file system reads there are zeros, and half of a log is.
void WriteSparse(const std::string& path, std::span<const std::byte> bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  PAWL_CHECK(fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes.size())) == 0);
  for (std::size_t at = 0; at < bytes.size(); at += kPage) {
    const std::size_t size = std::min(kPage, bytes.size() - at);
    if (IsZero(bytes.data() + at, size)) continue;
    PAWL_CHECK(::pwrite(fd, bytes.data() + at, size, static_cast<off_t>(at)) ==
               static_cast<ssize_t>(size));
  }
  ::close(fd);
}

}  // namespace

// One file: its memory, and a copy of what was seen of it last.
class LiveImage::View {
 public:
  View(const std::string& path, const struct stat& facts)
      : path_(path), device_(facts.st_dev), inode_(facts.st_ino) {
    Map(static_cast<std::size_t>(facts.st_size));
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() { Unmap(); }

  bool Is(const struct stat& facts) const noexcept {
    return device_ == facts.st_dev && inode_ == facts.st_ino;
  }
  bool Resize(const std::string& path, std::size_t size) {
    path_ = path;
    if (size == size_) return false;
    Unmap();
    Map(size);
    return true;
  }
  bool HasChanged() const noexcept {
    return size_ > 0 && std::memcmp(memory_, seen_.data(), size_) != 0;
  }
  bool Look() {
    if (!HasChanged()) return false;
    std::memcpy(seen_.data(), memory_, size_);
    return true;
  }
  std::span<const std::byte> seen() const noexcept { return seen_; }
  std::uint64_t inode() const noexcept { return inode_; }
  std::uint64_t device() const noexcept { return device_; }

 private:
  void Map(std::size_t size) {
    size_ = size;
    seen_.resize(size);
    if (size == 0) return;
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    PAWL_CHECK(fd >= 0);
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    PAWL_CHECK(memory != MAP_FAILED);
    ::close(fd);
    memory_ = static_cast<const std::byte*>(memory);
    std::memcpy(seen_.data(), memory_, size);
  }
  void Unmap() noexcept {
    if (size_ > 0) ::munmap(const_cast<std::byte*>(memory_), size_);
    size_ = 0;
  }

  std::string path_;
  const std::uint64_t device_;
  const std::uint64_t inode_;
  const std::byte* memory_ = nullptr;
  std::size_t size_ = 0;
  std::vector<std::byte> seen_;
};

void LiveImage::Walk(const std::string& folder,
                     std::map<std::string, std::shared_ptr<View>>& found) {
  DIR* const open = ::opendir((root_ + "/" + folder).c_str());
  if (open == nullptr) return;
  folders_.insert(folder);
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = folder + "/" + entry->d_name;
    const std::string path = root_ + "/" + name;
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    const auto known = std::find_if(files_.begin(), files_.end(),
                                    [&](const auto& file) { return file.second->Is(facts); });
    found[name] = known != files_.end() ? known->second : std::make_shared<View>(path, facts);
    found[name]->Resize(path, static_cast<std::size_t>(facts.st_size));
  }
  ::closedir(open);
}

bool LiveImage::LookAtAll(pid_t victim) {
  std::map<std::string, std::pair<std::uint64_t, std::size_t>> before;
  for (const auto& [name, view] : files_) before[name] = {view->inode(), view->seen().size()};
  const std::set<std::string> folders_before = std::exchange(folders_, {});
  std::map<std::string, std::shared_ptr<View>> found;
  for (const char* folder : {"log", "hot"}) Walk(folder, found);
  files_ = std::move(found);

  bool has_changed = folders_before != folders_ || before.size() != files_.size();
  const std::set<std::uint64_t> inodes = InodesMappedBy(victim);
  mapped_.clear();
  for (const auto& [name, view] : files_) {
    const auto known = before.find(name);
    if (known == before.end() || known->second != std::pair(view->inode(), view->seen().size())) {
      has_changed = true;
    }
    if (view->Look()) has_changed = true;
    if (inodes.contains(view->inode())) mapped_.push_back(view.get());
  }
  return has_changed;
}

// Lines of /proc/<pid>/maps: addresses, rights, offset, device, inode, path.
std::set<std::uint64_t> LiveImage::InodesMappedBy(pid_t victim) const {
  std::set<std::uint64_t> inodes;
  std::ifstream maps("/proc/" + std::to_string(victim) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    char rights[8] = {};
    unsigned long long inode = 0;
    if (std::sscanf(line.c_str(), "%*s %7s %*s %*s %llu", rights, &inode) != 2) continue;
    if (rights[1] == 'w' && rights[3] == 's') inodes.insert(inode);
  }
  return inodes;
}

bool LiveImage::LookAtMapped() {
  bool has_changed = false;
  for (View* view : mapped_) {
    if (view->Look()) has_changed = true;
  }
  return has_changed;
}

bool LiveImage::HasOtherChange() const {
  return std::any_of(files_.begin(), files_.end(),
                     [](const auto& file) { return file.second->HasChanged(); });
}

std::span<const std::byte> LiveImage::Bytes(const std::string& name) const {
  const auto file = files_.find(name);
  return file == files_.end() ? std::span<const std::byte>() : file->second->seen();
}

std::uint64_t LiveImage::Inode(const std::string& name) const {
  const auto file = files_.find(name);
  return file == files_.end() ? 0 : file->second->inode();
}

std::uint64_t LiveImage::Device(const std::string& name) const {
  const auto file = files_.find(name);
  return file == files_.end() ? 0 : file->second->device();
}

void LiveImage::CopyTo(const std::string& to) const {
  for (const std::string& folder : folders_) {
    PAWL_CHECK(::mkdir((to + "/" + folder).c_str(), 0700) == 0);
  }
  for (const auto& [name, view] : files_) WriteSparse(to + "/" + name, view->seen());
}

}  // namespace pawl::inline v0
