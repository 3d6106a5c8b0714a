#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "pawl/check.h"
#include "pawl/engine.h"

namespace pawl {

// A folder for one log on the disk and one for its hot images in memory; both go away with it.
class TestDirectory {
 public:
  TestDirectory() : disk_(Make("/tmp")), memory_(Make("/dev/shm")) {}
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() {
    std::error_code ignored;  // what stays behind harms no test
    std::filesystem::remove_all(disk_, ignored);
    std::filesystem::remove_all(memory_, ignored);
  }

  const std::string& root() const { return disk_; }
  std::string log() const { return disk_ + "/log"; }
  std::string hot() const { return memory_ + "/hot"; }

  // Small limits, so that tests reach them.
  EngineOptions Options(Threads threads = Threads::kOwn) const {
    return {.directory = log(),
            .hot_directory = hot(),
            .segment_bytes = std::uint64_t{1} << 20,
            .undurable_bytes_max = std::uint64_t{4} << 20,
            .streams_max = 1024,
            .sessions_max = 8,
            .session_window = 256,
            .keys_max = 1024,
            .producers_max = 8,
            .agents_max = 8,
            .threads = threads};
  }

 private:
  static std::string Make(const std::string& parent) {
    std::string path = parent + "/pawl-test-XXXXXX";
    PAWL_CHECK(::mkdtemp(path.data()) != nullptr);
    return path;
  }

  const std::string disk_;
  const std::string memory_;
};

}  // namespace pawl
