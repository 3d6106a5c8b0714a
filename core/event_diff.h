#pragma once

#include <span>
#include <string>

#include "pawl/decision_stage.h"

namespace pawl::inline v0::testing {

// "bank.withdrawn{cents: 300}"; the version too if it is not the first: "bank.withdrawn v2{…}".
std::string EventText(const Fact& fact);

// What the events of one stream lack of those expected, one line each; empty: they are the same.
// Events that are the same in both stay in line, however many are missing or too many before them.
std::string DiffEvents(std::span<const Fact> expected, std::span<const Fact> actual);

}  // namespace pawl::inline v0::testing
