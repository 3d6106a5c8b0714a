#pragma once

#include <cstdint>
#include <string>

#include "pawl/key.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

// A command or timer that ended the process twice while it was decided or evolved: it is not
// executed any more. A command is answered as VerdictKind::kQuarantined, a timer stays set and does
// not fire. See core/QUARANTINE.md.
struct QuarantinedInput {
  std::string category{};  // of the aggregate it goes to
  std::string command{};   // its type, as the compiler names it
  Key key;                 // of the aggregate
  std::string session{};   // empty: a producer without one; then it is known by its bytes
  Sequence sequence;       // in its session
  Position timer_set{};    // of a timer: position of the record that set it; 0: it is a command
  std::uint32_t deaths = 0;
};

}  // namespace pawl::inline v0
