#pragma once

#include "arguments.h"

namespace pawl::inline v0::bench {

// Question: what do sessions, conditions and checksums cost? The rival is the same engine without
// them. Instructions are counted by valgrind, times are measured without it. Returns the exit
// status: 0 when every run was made and verified.
int RunFeaturesScenario(Arguments& arguments);

}  // namespace pawl::inline v0::bench
