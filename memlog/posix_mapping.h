#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// See Storage::MapImage and Storage::MapFile.
absl::StatusOr<std::shared_ptr<Mapping>> MapPosixImage(const std::string& path,
                                                       std::uint64_t bytes);
absl::StatusOr<std::shared_ptr<Mapping>> MapPosixFile(const std::string& path);

}  // namespace pawl::inline v0
