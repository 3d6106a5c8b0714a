#pragma once

#include <cstdint>
#include <string>

namespace pawl::inline v0 {

// What came of the damages of one kind.
struct Outcomes {
  std::uint64_t count = 0;
  std::uint64_t refused = 0;
  std::uint64_t harmless = 0;  // all that was owed was recovered
  std::uint64_t unevidenced =
      0;  // taken for a torn tail: nothing says any more that it was durable
};

struct FlipTally {
  Outcomes flips;
  Outcomes truncations;
  std::uint64_t owed_flips = 0;        // in a frame that was acknowledged
  std::uint64_t owed_unevidenced = 0;  // of those, taken for a torn tail
  std::uint64_t lost = 0;  // accepted, with fewer records than the evidence proves whole
  std::uint64_t wrong_reads = 0;
  std::uint64_t refused_torn = 0;  // refused although nothing contradicts it, or with a wrong code
  std::uint64_t accepted_damage = 0;
  std::uint64_t changed_by_refusal = 0;

  bool is_clean() const noexcept {
    return lost + wrong_reads + refused_torn + accepted_damage + changed_by_refusal == 0;
  }
  void Add(const FlipTally& other);
  // One JSON object without its closing brace.
  std::string ToJson() const;
};

}  // namespace pawl::inline v0
