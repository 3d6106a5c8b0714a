#include "pawl/hot_directory.h"

#include "hot_images.h"
#include "manifest.h"

namespace pawl::inline v0 {

absl::StatusOr<std::string> DefaultHotDirectoryOf(Storage& storage, const std::string& directory) {
  const absl::StatusOr<Manifest> manifest = ReadManifest(storage, directory);
  if (!manifest.ok()) return manifest.status();
  return DefaultHotDirectory(manifest->log_id);
}

}  // namespace pawl::inline v0
