#pragma once

#include "arguments.h"

namespace pawl::inline v0::bench {

// Question: how near does `durable` come to what the machine allows: under load to the slower of
// loop and disk, alone to one append and the hand-offs to it and back; and is the loop held up
// while the disk is kept busy? Returns the exit status: 0 when every run was made and verified.
int RunDurableScenario(Arguments& arguments);

}  // namespace pawl::inline v0::bench
