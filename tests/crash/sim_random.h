#pragma once

#include <cstdint>

namespace pawl::inline v0 {

// A seeded generator (splitmix64): the same seed gives the same numbers on every machine.
class SimRandom {
 public:
  explicit SimRandom(std::uint64_t seed) noexcept : state_(seed) {}

  // A generator for one purpose: numbers drawn from it do not move those of any other.
  static SimRandom For(std::uint64_t seed, std::uint64_t number, std::uint64_t purpose) noexcept {
    SimRandom mixed(seed ^ (number * 0xD1342543DE82EF95ULL));
    return SimRandom(mixed.Next() ^ (purpose * 0x9E3779B97F4A7C15ULL));
  }

  std::uint64_t Next() noexcept {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  // 0 … bound − 1; `bound` ≥ 1. The bias is below 2⁻³² for the bounds used here.
  std::uint64_t Below(std::uint64_t bound) noexcept { return Next() % bound; }

  bool OneIn(std::uint64_t n) noexcept { return Below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace pawl::inline v0
