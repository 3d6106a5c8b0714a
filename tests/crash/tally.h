#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace pawl::inline v0 {

// What a campaign counted. Sums of several workers are equal whatever their number.
struct Tally {
  std::uint64_t states = 0;             // numbered power-cut states
  std::uint64_t images = 0;             // crash images recovered and judged, with the later lives
  std::uint64_t exhaustive_states = 0;  // of small cases with every subset
  std::uint64_t lost = 0;
  std::uint64_t wrong_reads = 0;
  std::uint64_t refused_torn = 0;
  std::uint64_t violations = 0;  // of the storage interface's rules
  std::uint64_t kills = 0;       // images of a process that died
  std::uint64_t kill_lost = 0;   // of those, with published records missing
  std::uint64_t flips = 0;       // bits flipped in what was durable
  std::uint64_t flips_refused = 0;
  std::uint64_t flips_harmless = 0;     // all that was durable was recovered
  std::uint64_t flips_unevidenced = 0;  // taken for a torn tail: no evidence of the end survived
  std::uint64_t accepted_damage = 0;    // evidence survived, and yet a shorter log was accepted
  // How often rare paths were met. A campaign that never meets one proves nothing about it.
  std::map<std::string, std::uint64_t> met;

  bool is_clean() const noexcept {
    return lost + wrong_reads + refused_torn + violations + kill_lost + accepted_damage == 0;
  }
  void Add(const Tally& other);
  // One JSON object without its closing brace, so that the caller can add to it.
  std::string ToJson() const;
};

}  // namespace pawl::inline v0
