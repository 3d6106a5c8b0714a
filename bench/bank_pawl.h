#pragma once

#include "bank_subject.h"

namespace pawl::inline v0::bench {

// The engine, used as its README says: batches of commands at ack level published, every check on,
// the sync agent working behind; segments made ready before the clock, with room for the whole run
// in hot images.
extern const BankSubject kPawl;

}  // namespace pawl::inline v0::bench
