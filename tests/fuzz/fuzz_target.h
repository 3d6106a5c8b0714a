#pragma once

#include <cstddef>
#include <cstdint>

#include "edit_script.h"
#include "pawl/check.h"

// What every target is made of: it defines the first function, edit_mutator.cc defines the second.
// A property that does not hold ends in PAWL_CHECK.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed);
