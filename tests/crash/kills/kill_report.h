#pragma once

#include <atomic>
#include <cstdint>

#include "shared_report.h"

namespace pawl::inline v0 {

// What the engine that is killed tells. It lives on: the next one goes on with it.
//   Memory ordering: written by the victim, read by the parent and by readers while it lives; each
//   word release and acquire.
struct VictimReport : TellReport {
  std::atomic<std::uint64_t> given{0};      // highest number submitted; before it is
  std::atomic<std::uint64_t> published{0};  // highest number acknowledged as published
  std::atomic<std::uint64_t> durable{0};    // as durable
  std::atomic<std::uint64_t> kept{0};       // recovered by the life that runs
  std::atomic<std::uint32_t> lives{0};      // that recovered; after `kept`
};

// What a reader process tells.
struct ReaderReport : TellReport {
  std::atomic<std::uint64_t> seen{0};   // highest number read
  std::atomic<std::uint64_t> reads{0};  // looks at the log
  std::atomic<std::uint64_t> from_files{0};
  std::atomic<std::uint64_t> not_now{0};  // looks that an error ended which is to pass
};

}  // namespace pawl::inline v0
