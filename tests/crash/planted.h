#pragma once

#include <span>
#include <string_view>

#include "power_cuts.h"

namespace pawl::inline v0 {

// A fault put in on purpose: a campaign that does not find it is worth nothing.
struct Planted {
  std::string_view name;
  std::string_view what;
  void (*plant)(PowerCutOptions&);  // null: a program of its own has the fault compiled in
};

std::span<const Planted> PlantedFaults();
// Faults of other logs that do no harm here, each with the reason.
std::span<const Planted> FaultsWithoutPlace();

}  // namespace pawl::inline v0
