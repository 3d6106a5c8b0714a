#pragma once

#include "json_writer.h"
#include "placement.h"

namespace pawl::inline v0::bench {

// Number of cores this process may use.
int CoresOnline();

// Writes the objects "machine" and "flags" that no published number goes without.
void WriteMachineFacts(JsonWriter& json, const Placement& placement);

}  // namespace pawl::inline v0::bench
