#pragma once

#include <span>

#include <absl/status/status.h>

#include "pawl/stream_store.h"

namespace pawl::inline v0 {

// Whether one engine can be opened with these types together: what each of them is alone, the
// compiler has checked.
//   errors    INVALID_ARGUMENT a category that is empty, too long or there twice; two events of one
//             name and version with different layouts
absl::Status CheckAggregates(std::span<const AggregateTraits* const> aggregates);

}  // namespace pawl::inline v0
