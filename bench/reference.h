#pragma once

#include "bank_subject.h"

namespace pawl::inline v0::bench {

// The hand-rolled reference: what a good programmer writes for this one scenario with nothing but
// a queue, an array and a mapped file. FROZEN: the bar for the engine is a ratio to it, so it
// changes only when it is shown to be slower than it honestly can be.
//
// What it leaves out: checksums, versions, sessions, completions, frames, recovery, the disk.
extern const BankSubject kReference;

}  // namespace pawl::inline v0::bench
