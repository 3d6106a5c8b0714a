#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace pawl::inline v0::bench {

// A folder, to be made by its user, that disappears with the run.
class TemporaryDirectory {
 public:
  TemporaryDirectory(const std::string& parent, std::string_view name)
      : path_(parent + "/" + std::string(name) + "." + std::to_string(getpid())) {}
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;  // Nothing to be done about it, and the figures stand.
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace pawl::inline v0::bench
