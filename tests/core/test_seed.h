#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace pawl {

// The seed of a randomized test: PAWL_SEED if it is set, else a new one; printed, so that a failure
// can be repeated.
inline std::uint64_t SeedOfTest() {
  const char* const given = std::getenv("PAWL_SEED");
  const std::uint64_t seed = given == nullptr ? std::random_device{}() : std::stoull(given);
  std::cout << "PAWL_SEED=" << seed << "\n";
  return seed;
}

}  // namespace pawl
