#pragma once

#include "arguments.h"

namespace pawl::inline v0::bench {

// Question: how long after it was to be sent is a command to a sleeping engine visible to a reader
// that sleeps too, published, durable; and what does an engine cost that nobody uses?
// Returns the exit status: 0 when every run was made and verified and the engine did sleep.
int RunWakeScenario(Arguments& arguments);

}  // namespace pawl::inline v0::bench
