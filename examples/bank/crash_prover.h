#pragma once

#include <cstdint>
#include <string>

#include "crash_oracle.h"

namespace bank {

// Opens what a killed victim left, compares it with `oracle`, and adds what it finds to
// oracle.findings; says each finding on standard error. Then makes the oracle ready for the next
// victim: what the log does not hold and nobody answered is to be sent again.
//   is_last      closes the bank cleanly; else it leaves without closing, like a crash
//   returns   false: the bank could not be opened or read
bool Prove(CrashOracle& oracle, const std::string& directory, bool is_last);

}  // namespace bank
