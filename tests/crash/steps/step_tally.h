#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "oracle.h"
#include "program_text.h"

namespace pawl::inline v0 {

// What a campaign counted.
class StepTally {
 public:
  std::uint64_t steps = 0;     // boundaries covered: see StepRun
  std::uint64_t judged = 0;    // images recovered
  std::uint64_t unjudged = 0;  // changed images that were not: outside of the window
  std::uint64_t lives = 0;     // processes
  std::uint64_t looks = 0;     // times that all bytes were compared
  std::map<Finding, std::uint64_t> found;

  // An instruction was stepped in a phase, a number below 64.
  void Note(std::uint64_t address, std::uint32_t phase, bool has_changed) {
    ++steps;
    ++phases_[phase].steps;
    if (has_changed) ++phases_[phase].changes;
    addresses_[address] |= std::uint64_t{1} << phase;
  }
  void Name(std::uint32_t phase, std::string_view name) { names_[phase] = name; }
  std::uint64_t failures() const;
  // One JSON object without its closing brace. `text` may be null: then no totals are known.
  std::string ToJson(const ProgramText* text) const;

 private:
  struct Extent {
    std::uint64_t stepped = 0;  // distinct instructions of the engine
    std::uint64_t exist = 0;    // in the functions that they are of
  };
  Extent ExtentOf(std::uint64_t phases, const ProgramText& text,
                  const std::vector<std::uint64_t>& instructions) const;
  std::uint64_t Distinct(std::uint64_t phases) const;
  std::uint64_t FoundOf(Finding finding) const;

  struct Phase {
    std::uint64_t steps = 0;
    std::uint64_t changes = 0;  // of the image
  };
  std::map<std::uint32_t, Phase> phases_;
  std::map<std::uint32_t, std::string> names_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> addresses_;  // to a bit for each phase
};

}  // namespace pawl::inline v0
