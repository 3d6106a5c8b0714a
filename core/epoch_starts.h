#pragma once

#include <optional>
#include <vector>

#include "pawl/position.h"

namespace pawl::inline v0 {

// Which positions each incarnation of the log wrote, as far as they are still there: what says
// whether a receipt's record was cut and its position used again. 16 bytes an epoch.
//   threads   any; constant once the log was replayed
class EpochStarts {
 public:
  // Positions of an epoch.
  struct Range {
    Position first;  // its record "epoch began"
    Position last;   // for the newest epoch: the highest that there can be
  };

  // Replay: the next epoch's. False: epoch or position does not follow.
  bool Add(Position first, Epoch epoch);

  // The epoch that wrote the position; 0: none did.
  Epoch Of(Position position) const noexcept;
  // None: the log knows no such epoch.
  std::optional<Range> RangeOf(Epoch epoch) const noexcept;

 private:
  struct Start {
    Position first;
    Epoch epoch;
  };
  std::vector<Start> starts_;  // ascending in both
};

}  // namespace pawl::inline v0
