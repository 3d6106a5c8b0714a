#pragma once

#include <cstdint>
#include <string>

#include "damage.h"
#include "flip_tally.h"

namespace pawl::inline v0 {

// Opens and reads one damaged log and judges what came of it.
//   returns   what is wrong; empty if nothing is
std::string TryDamage(const Damage& damage, std::uint64_t number, FlipTally& tally);

}  // namespace pawl::inline v0
