#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "progress.h"
#include "stepped_storage.h"

namespace pawl::inline v0 {

// What a victim is told.
struct VictimOrders {
  std::string root;  // holds log/ and hot/
  std::uint64_t seed = 1;
  SteppedStorage* storage = nullptr;
  Progress* progress = nullptr;
};

// A scripted use of the engine in several lives, each a process that ends by SIGKILL.
struct Scenario {
  const char* name = nullptr;
  // Phase p is phases[p − 1]. In those called killed_… the tracer kills, at a drawn change of the
  // image, and the next life goes on with that.
  std::span<const char* const> phases;
  std::uint32_t lives = 0;
  void (*live)(std::uint32_t life, const VictimOrders& orders);
};

// memlog by itself: every call of LogWriter and Log, on one thread.
extern const Scenario kLogScenario;
// The whole engine on one thread: Submit, Poll, published.
extern const Scenario kEngineScenario;

}  // namespace pawl::inline v0
