#pragma once

#include "placement.h"

namespace pawl::inline v0::bench {

// How far two cores are apart: nanoseconds that a line takes from one to the other, by two threads
// that answer each other 20,000 times. Of a virtual machine it changes with the real cores that the
// host gives it, from second to second, and with it what every subject can reach.
//   returns   0: not known, since a core is any core, or both are the same
//   blocks    for some milliseconds
double CoreDistanceNs(int one, int other);
// Of the loop's core and the producer's.
inline double CoreDistanceNs(const Placement& placement) {
  return CoreDistanceNs(placement.producer_core, placement.loop_core);
}

}  // namespace pawl::inline v0::bench
