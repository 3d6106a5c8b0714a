#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// See Storage::MapImage, MapFile, MapKept and RenameUnkept. Who keeps a file holds a shared
// flock(2) on it: the kernel ends it with the process, whatever namespace that lives in.
absl::StatusOr<std::shared_ptr<Mapping>> MapPosixImage(const std::string& path,
                                                       std::uint64_t bytes);
absl::StatusOr<std::shared_ptr<Mapping>> MapPosixFile(const std::string& path);
absl::StatusOr<std::shared_ptr<Mapping>> MapPosixKept(const std::string& path);
absl::Status RenamePosixUnkept(const std::string& from, const std::string& to);

}  // namespace pawl::inline v0
