#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <absl/status/status.h>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// Writes `<name>.tmp`, syncs it, renames it to `name`, syncs the directory: after a power cut the
// directory has the old file or the new one, whole.
//   errors    RESOURCE_EXHAUSTED no space (nothing is left behind); UNKNOWN otherwise
absl::Status ReplaceFile(Storage& storage, const std::string& directory, const std::string& name,
                         std::span<const std::byte> bytes);

// Unlinks a file that may be absent.
absl::Status UnlinkIfThere(Storage& storage, const std::string& path);

// The same status with more said.
absl::Status Explained(const absl::Status& status, const std::string& more);

template <class Block>
std::span<const std::byte> BytesOf(const Block& block) noexcept {
  return std::as_bytes(std::span<const Block, 1>(&block, 1));
}

}  // namespace pawl::inline v0
