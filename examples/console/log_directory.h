#pragma once

#include <string>

#include <absl/status/statusor.h>

namespace console {

// Where an example keeps its log: a folder that the user named, which stays, or a fresh temporary
// one, which goes away with this object.
class LogDirectory {
 public:
  // `named` may be empty: a temporary folder in $TMPDIR (or /tmp) whose name begins with `program`.
  static absl::StatusOr<LogDirectory> Make(const std::string& named, const std::string& program);

  LogDirectory(LogDirectory&& other) noexcept;
  LogDirectory& operator=(LogDirectory&&) = delete;
  ~LogDirectory();

  // Leaves it where it is, for somebody to look into.
  void Keep() noexcept { is_temporary_ = false; }

  const std::string& path() const noexcept { return path_; }
  bool is_temporary() const noexcept { return is_temporary_; }

 private:
  LogDirectory(std::string path, bool is_temporary);

  std::string path_;
  bool is_temporary_;
};

}  // namespace console
