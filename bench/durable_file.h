#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "or_fail.h"

namespace pawl::inline v0::bench {

inline constexpr std::size_t kDiskBlockBytes = 4096;
inline constexpr std::size_t kDiskWriteBytesMax = std::size_t{1} << 20;

struct FreedMemory {
  void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
};
using DiskBytes = std::unique_ptr<std::byte[], FreedMemory>;

// Memory that direct I/O takes: `bytes` zeros, a multiple of a block.
inline DiskBytes NewDiskBytes(std::size_t bytes) {
  DiskBytes memory(static_cast<std::byte*>(std::aligned_alloc(kDiskBlockBytes, bytes)));
  if (memory == nullptr) Fail("no memory");
  std::memset(memory.get(), 0, bytes);
  return memory;
}

// A bare file for those who measure the disk without the engine: written with zeros beforehand,
// gone with its object. Ends the process when the disk does not do as it is told.
//   threads   one at a time
class DurableFile {
 public:
  enum class Writes { kDurable, kBuffered };

  // `bytes`: a multiple of 1 MiB.
  DurableFile(const std::string& directory, std::string_view name, std::uint64_t bytes,
              Writes writes)
      : path_(directory + "/" + std::string(name) + "." + std::to_string(getpid())), bytes_(bytes) {
    WriteZeros();
    if (writes == Writes::kDurable) {
      file_ = open(path_.c_str(), O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
      is_direct_ = file_ >= 0;
      if (!is_direct_) file_ = open(path_.c_str(), O_RDWR | O_DSYNC | O_CLOEXEC);
    } else {
      file_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);
    }
    if (file_ < 0) FailOf("open");
  }
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;
  ~DurableFile() {
    close(file_);
    unlink(path_.c_str());
  }

  // kDurable: memory, offset and size are aligned to blocks, and it is durable on return.
  void Write(std::uint64_t at, const std::byte* from, std::size_t bytes) const {
    if (pwrite(file_, from, bytes, static_cast<off_t>(at)) != static_cast<ssize_t>(bytes)) {
      FailOf("write");
    }
  }
  void Sync() const {
    if (fdatasync(file_) != 0) FailOf("fdatasync");
  }
  void Read(std::uint64_t at, std::byte* into, std::size_t bytes) const {
    if (pread(file_, into, bytes, static_cast<off_t>(at)) != static_cast<ssize_t>(bytes)) {
      FailOf("read");
    }
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // False: the file system refused O_DIRECT, and writes went through the page cache.
  [[nodiscard]] bool is_direct() const { return is_direct_; }

 private:
  [[noreturn]] void FailOf(const char* what) const {
    Fail(std::string(what) + " " + path_ + ": " + std::strerror(errno));
  }

  void WriteZeros() {
    file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file_ < 0) FailOf("create");
    const DiskBytes zeros = NewDiskBytes(kDiskWriteBytesMax);
    for (std::uint64_t at = 0; at < bytes_; at += kDiskWriteBytesMax) {
      Write(at, zeros.get(), kDiskWriteBytesMax);
    }
    if (fsync(file_) != 0) FailOf("fsync");
    static_cast<void>(posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED));  // A hint.
    close(file_);
  }

  const std::string path_;
  const std::uint64_t bytes_;
  int file_ = -1;
  bool is_direct_ = false;
};

}  // namespace pawl::inline v0::bench
