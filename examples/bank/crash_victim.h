#pragma once

#include <cstdint>
#include <string>

#include "crash_oracle.h"

namespace bank {

// Opens the bank and sends commands as fast as they are taken, writing down in `oracle` what it
// sends and is told, until somebody kills it.
//   returns   only if something fails, after saying what on standard error
void BeVictim(CrashOracle& oracle, const std::string& directory, std::uint64_t seed);

}  // namespace bank
