#include "epoch_starts.h"

#include <algorithm>
#include <cstdint>

namespace pawl::inline v0 {

bool EpochStarts::Add(Position first, Epoch epoch) {
  const Start before = starts_.empty() ? Start{} : starts_.back();
  if (first <= before.first || epoch <= before.epoch) return false;
  starts_.push_back({first, epoch});
  return true;
}

Epoch EpochStarts::Of(Position position) const noexcept {
  const auto behind =
      std::upper_bound(starts_.begin(), starts_.end(), position,
                       [](Position value, const Start& start) { return value < start.first; });
  return behind == starts_.begin() ? Epoch() : (behind - 1)->epoch;
}

std::optional<EpochStarts::Range> EpochStarts::RangeOf(Epoch epoch) const noexcept {
  const auto at =
      std::lower_bound(starts_.begin(), starts_.end(), epoch,
                       [](const Start& start, Epoch value) { return start.epoch < value; });
  if (at == starts_.end() || at->epoch != epoch) return std::nullopt;
  const bool is_newest = at + 1 == starts_.end();
  return Range{.first = at->first,
               .last = Position(is_newest ? UINT64_MAX : (at + 1)->first.value() - 1)};
}

}  // namespace pawl::inline v0
