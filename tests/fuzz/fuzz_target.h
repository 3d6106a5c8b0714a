#pragma once

#include <cstddef>
#include <cstdint>

#include "edit_script.h"
#include "pawl/check.h"

// What every target is made of: it defines the first two, edit_mutator.cc defines the third.
// A property that does not hold ends in PAWL_CHECK.
namespace pawl::inline v0 {
// Bit n: file n matters to the target, and edits of it are worth a run.
extern const std::uint32_t kTargetFiles;
}  // namespace pawl::inline v0
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed);
