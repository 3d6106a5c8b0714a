#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

// The three ways that write_path.cc compares.
namespace pawl::inline v0::bench {

inline constexpr std::size_t kBlockBytes = 4096;         // O_DIRECT granularity of usual disks.
inline constexpr std::size_t kSyncBytesMax = 1U << 20U;  // One pwrite of the agent: best GB/s.

[[noreturn]] inline void Fail(const std::string& what) {
  std::fprintf(stderr, "write_path: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

inline void Require(bool is_true, const std::string& what) {
  if (!is_true) Fail(what);
}

// A file that disappears with its descriptor.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& directory, std::size_t bytes)
      : path_(directory + "/write_path." + std::to_string(getpid())), bytes_(bytes) {
    descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    Require(descriptor_ >= 0, "create " + path_);
    Require(posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes)) == 0, "allocate " + path_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    close(descriptor_);
    unlink(path_.c_str());
  }

  void WriteZeros() const {
    const std::vector<char> zeros(kSyncBytesMax);
    for (std::size_t at = 0; at < bytes_; at += zeros.size()) {
      Require(pwrite(descriptor_, zeros.data(), zeros.size(), static_cast<off_t>(at)) ==
                  static_cast<ssize_t>(zeros.size()),
              "write zeros to " + path_);
    }
    Require(fsync(descriptor_) == 0, "fsync " + path_);
    Require(posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED) == 0, "drop " + path_);
  }

  // Every page is faulted in for writing.
  [[nodiscard]] std::byte* MapWarm() const {
    void* start = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
    Require(start != MAP_FAILED, "map " + path_);
    Require(madvise(start, bytes_, MADV_POPULATE_WRITE) == 0, "populate " + path_);
    return static_cast<std::byte*>(start);
  }

  [[nodiscard]] int OpenAgain(int flags) const {
    const int descriptor = open(path_.c_str(), flags | O_CLOEXEC);
    Require(descriptor >= 0, "open " + path_);
    return descriptor;
  }

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::string path_;
  std::size_t bytes_;
  int descriptor_ = -1;
};

// One way to write. Addresses are offsets in the region; a range never wraps.
class WritePath {
 public:
  virtual ~WritePath() = default;
  virtual void Store(std::size_t offset, const std::byte* frame, std::size_t bytes) = 0;  // Loop.
  virtual void Sync(std::size_t begin, std::size_t end) = 0;                              // Agent.
};

class MappingPath final : public WritePath {
 public:
  explicit MappingPath(const TemporaryFile& file) : bytes_(file.bytes()), start_(file.MapWarm()) {
    Require(fdatasync(file.descriptor()) == 0, "fdatasync");
    Require(madvise(start_, bytes_, MADV_POPULATE_WRITE) == 0, "populate");
  }
  ~MappingPath() override { munmap(start_, bytes_); }
  void Store(std::size_t offset, const std::byte* frame, std::size_t bytes) override {
    std::memcpy(start_ + offset, frame, bytes);
  }
  void Sync(std::size_t begin, std::size_t end) override {
    begin -= begin % kBlockBytes;
    Require(msync(start_ + begin, end - begin, MS_SYNC) == 0, "msync");
  }

 private:
  std::size_t bytes_;
  std::byte* start_;
};

class PwritePath final : public WritePath {
 public:
  explicit PwritePath(const TemporaryFile& file) : descriptor_(file.descriptor()) {}
  void Store(std::size_t offset, const std::byte* frame, std::size_t bytes) override {
    Require(pwrite(descriptor_, frame, bytes, static_cast<off_t>(offset)) ==
                static_cast<ssize_t>(bytes),
            "pwrite");
  }
  void Sync(std::size_t, std::size_t) override {
    Require(fdatasync(descriptor_) == 0, "fdatasync");
  }

 private:
  int descriptor_;
};

class HotImagePath final : public WritePath {
 public:
  HotImagePath(const TemporaryFile& file, const TemporaryFile& image)
      : bytes_(image.bytes()),
        image_(image.MapWarm()),
        descriptor_(file.OpenAgain(O_WRONLY | O_DIRECT | O_DSYNC)) {}
  HotImagePath(const HotImagePath&) = delete;
  HotImagePath& operator=(const HotImagePath&) = delete;
  ~HotImagePath() override {
    close(descriptor_);
    munmap(image_, bytes_);
  }
  void Store(std::size_t offset, const std::byte* frame, std::size_t bytes) override {
    std::memcpy(image_ + offset, frame, bytes);
  }
  // The block that holds `end` is written from a copy: the loop stores behind `end` meanwhile.
  void Sync(std::size_t begin, std::size_t end) override {
    begin -= begin % kBlockBytes;
    const std::size_t rest = end % kBlockBytes;
    const std::size_t whole = end - rest;
    while (begin < whole) {
      const std::size_t bytes = std::min(whole - begin, kSyncBytesMax);
      Write(image_ + begin, bytes, begin);
      begin += bytes;
    }
    if (rest == 0) return;
    std::memcpy(bounce_, image_ + whole, rest);
    std::memset(bounce_ + rest, 0, kBlockBytes - rest);
    Write(bounce_, kBlockBytes, whole);
  }

 private:
  void Write(const std::byte* from, std::size_t bytes, std::size_t at) {
    Require(pwrite(descriptor_, from, bytes, static_cast<off_t>(at)) == static_cast<ssize_t>(bytes),
            "direct pwrite");
  }

  alignas(kBlockBytes) std::byte bounce_[kBlockBytes];
  std::size_t bytes_;
  std::byte* image_;
  int descriptor_;
};

}  // namespace pawl::inline v0::bench
