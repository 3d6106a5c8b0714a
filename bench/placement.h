#pragma once

#include <sched.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace pawl::inline v0::bench {

// A thread that may run anywhere.
inline constexpr int kAnyCore = -1;

// Which core each thread of a scenario stays on. The same for every subject of a run.
struct Placement {
  int producer_core = kAnyCore;
  int loop_core = kAnyCore;
  int projector_core = kAnyCore;
};

// What a thread does when it finds no work. The same for every subject of a run.
enum class Idle : int {
  kSpin,   // Never gives its core away; needs a core per thread.
  kYield,  // Gives its core to the thread it shares it with.
};

// Keeps the calling thread on `core` (kAnyCore: leaves it as it is). Ends the process when the
// core does not exist: a measurement on another placement than the printed one is worthless.
inline void PinThisThread(int core) {
  if (core == kAnyCore) return;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0) {
    std::fprintf(stderr, "bench: cannot pin a thread to core %d\n", core);
    std::exit(1);
  }
}

// One turn of a busy wait: tells the core that nothing happens.
inline void SpinOnce() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// One empty round of a thread.
inline void IdleOnce(Idle idle) {
  if (idle == Idle::kYield) {
    sched_yield();
  } else {
    SpinOnce();
  }
}

}  // namespace pawl::inline v0::bench
