#pragma once

#include <cstdint>

#include "pawl/stats.h"
#include "pawl/stats_layout.h"

namespace pawl::inline v0 {

// What the header of a block says, looked at once and found good.
struct StatsRows {
  std::uint32_t epoch;
  std::uint32_t pid;
  std::uint32_t lanes;
  std::uint32_t stores;
  std::uint32_t agents;
};

// Copies what stands in a block with that many rows, whatever its words say.
//   threads   any
EngineStats ReadBlock(const StatsBlock& block, const StatsRows& rows);

}  // namespace pawl::inline v0
