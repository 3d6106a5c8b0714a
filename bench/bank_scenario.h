#pragma once

#include "arguments.h"

namespace pawl::inline v0::bench {

// Question: how many 64-byte commands a second go from one producer through the loop into the log
// and into a view, beside the same work by hand and by databases?
// Returns the exit status: 0 when every run was made and verified.
int RunBankScenario(Arguments& arguments);

}  // namespace pawl::inline v0::bench
