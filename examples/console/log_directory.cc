#include "log_directory.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <stdlib.h>

namespace console {

absl::StatusOr<LogDirectory> LogDirectory::Make(const std::string& named,
                                                const std::string& program) {
  if (!named.empty()) return LogDirectory(named, false);
  const char* const parent = std::getenv("TMPDIR");
  std::string path = absl::StrCat(parent == nullptr ? "/tmp" : parent, "/", program, "-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("no temporary folder ", path, ": ", std::strerror(errno),
                     "; name one with --directory, or set TMPDIR"));
  }
  return LogDirectory(std::move(path), true);
}

LogDirectory::LogDirectory(std::string path, bool is_temporary)
    : path_(std::move(path)), is_temporary_(is_temporary) {}

LogDirectory::LogDirectory(LogDirectory&& other) noexcept
    : path_(std::move(other.path_)), is_temporary_(std::exchange(other.is_temporary_, false)) {}

LogDirectory::~LogDirectory() {
  std::error_code ignored;  // what cannot be removed stays for the system's cleaner
  if (is_temporary_) std::filesystem::remove_all(path_, ignored);
}

}  // namespace console
