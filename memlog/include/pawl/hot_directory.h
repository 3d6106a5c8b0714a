#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// Where the engine of the log in `directory` keeps its hot images if it was not told otherwise; for
// other processes, which know the log only. It need not be there.
//   errors    NOT_FOUND no log there; DATA_LOSS its manifest is damaged; FAILED_PRECONDITION a
//   newer
//             format, or no permission
absl::StatusOr<std::string> DefaultHotDirectoryOf(Storage& storage, const std::string& directory);

}  // namespace pawl::inline v0
