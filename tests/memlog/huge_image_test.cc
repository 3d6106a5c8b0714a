#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "log_fixture.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kHugePageBytes = std::uint64_t{2} << 20;
constexpr int kCollapse = 25;  // MADV_COLLAPSE

// Bytes of the mapping that begins at `data` which are mapped by huge pages of memory files.
std::uint64_t HugeBytesAt(const std::byte* data) {
  std::ifstream maps("/proc/self/smaps");
  const std::string wanted = "ShmemPmdMapped:";
  bool is_it = false;
  for (std::string line; std::getline(maps, line);) {
    std::size_t digits = 0;
    if (line.find('-') != std::string::npos && line.find(':') > line.find('-')) {
      is_it = std::stoull(line, &digits, 16) == reinterpret_cast<std::uintptr_t>(data);
    } else if (is_it && line.starts_with(wanted)) {
      return std::stoull(line.substr(wanted.size())) << 10;
    }
  }
  return 0;
}

// What the image's maker does, on memory of this test's own.
bool KernelGivesHugePages() {
  void* const room =
      ::mmap(nullptr, 2 * kHugePageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto* const begin = static_cast<std::byte*>(room);
  std::byte* const aligned = begin + -reinterpret_cast<std::uintptr_t>(begin) % kHugePageBytes;
  const bool is_mapped = ::mmap(aligned, kHugePageBytes, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == aligned;
  if (is_mapped) *aligned = std::byte{1};
  const bool is_given = is_mapped && ::madvise(aligned, kHugePageBytes, kCollapse) == 0;
  ::munmap(room, 2 * kHugePageBytes);
  return is_given;
}

class HugeImageTest : public ::testing::Test {
 protected:
  std::shared_ptr<Mapping> Make(std::uint64_t bytes) {
    absl::StatusOr<std::shared_ptr<Mapping>> image = storage_.MapImage(path_, bytes);
    EXPECT_TRUE(image.ok()) << image.status();
    return image.ok() ? *std::move(image) : nullptr;
  }

  const ScratchDirectory directory_;
  const std::string path_ = directory_.path() + "/image";
  Storage& storage_ = PosixStorage();
};

TEST_F(HugeImageTest, AnImageHasHugePagesWhereTheKernelGivesThem) {
  if (!KernelGivesHugePages()) GTEST_SKIP() << "this kernel gives no huge pages (MADV_COLLAPSE)";
  const std::shared_ptr<Mapping> image = Make(3 * kHugePageBytes + 65536);
  ASSERT_NE(image, nullptr);
  EXPECT_EQ(HugeBytesAt(image->data()), 3 * kHugePageBytes);
}

TEST_F(HugeImageTest, AllOfItIsThereAndZero) {
  for (const std::uint64_t bytes : {std::uint64_t{65536}, kHugePageBytes, kHugePageBytes + 65536}) {
    const std::shared_ptr<Mapping> image = Make(bytes);
    ASSERT_NE(image, nullptr);
    ASSERT_EQ(image->size(), bytes);
    struct stat facts {};
    ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
    EXPECT_EQ(static_cast<std::uint64_t>(facts.st_size), bytes);
    EXPECT_GE(static_cast<std::uint64_t>(facts.st_blocks) * 512, bytes) << "room is set aside";
    EXPECT_TRUE(std::all_of(image->data(), image->data() + bytes,
                            [](std::byte byte) { return byte == std::byte{0}; }));
  }
}

TEST_F(HugeImageTest, OpenedAgainItHoldsWhatWasWritten) {
  constexpr std::uint64_t kBytes = 2 * kHugePageBytes;
  std::shared_ptr<Mapping> image = Make(kBytes);
  ASSERT_NE(image, nullptr);
  for (std::uint64_t at = 0; at < kBytes; at += 4096) {
    image->data()[at] = static_cast<std::byte>(at >> 12U);
  }
  image.reset();
  image = Make(0);
  ASSERT_NE(image, nullptr);
  ASSERT_EQ(image->size(), kBytes);
  for (std::uint64_t at = 0; at < kBytes; at += 4096) {
    ASSERT_EQ(image->data()[at], static_cast<std::byte>(at >> 12U)) << at;
  }
}

}  // namespace
}  // namespace pawl::inline v0
