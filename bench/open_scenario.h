#pragma once

#include "arguments.h"

namespace pawl::inline v0::bench {

// Question: does opening a log take longer the longer it is? Rival `scan` opens the same log
// without its indexes. Returns the exit status: 0 when every run was made and verified.
int RunOpenScenario(Arguments& arguments);

}  // namespace pawl::inline v0::bench
