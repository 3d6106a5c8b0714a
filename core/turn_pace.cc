#include "turn_pace.h"

#include <utility>

namespace pawl::inline v0 {

void TurnPace::LookAtClock() noexcept {
  const std::uint64_t now_ns = clock_.BootNs();
  const std::uint64_t took_ns = now_ns > since_ns_ ? now_ns - since_ns_ : 0;
  since_ns_ = now_ns;
  has_looked_ = true;
  if (budget_ns_ != 0 && took_ns > budget_ns_) TakeSlow(took_ns);
  const std::uint32_t decided = std::exchange(decided_, 0);
  if (deadline_ == nullptr) return;
  if (took_ns > kSliceNs) {
    // Commands like these, as many as fit.
    const std::uint64_t fitting = decided * kSliceNs / took_ns;
    slice_ = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, fitting));
  } else if (took_ns <= kSliceNs / 2 && decided == slice_) {
    slice_ = std::min(2 * slice_, turn_max_);
  }
  host_slice_ = slice_;
  is_over_ = now_ns >= deadline_->end_ns();
}

void TurnPace::TakeSlow(std::uint64_t took_ns) noexcept {
  ++slow_turns_;
  if (newest_.size() != decided_) return;  // others were among them
  const CommandSlot& first = newest_.front();
  for (const CommandSlot& slot : newest_) {
    if (slot.aggregate != first.aggregate || slot.command_index() != first.command_index()) return;
  }
  // Of several: one of them took that at most.
  Find({1, took_ns, first.aggregate, first.command_index(), false});
}

void TurnPace::Find(Found slow) noexcept {
  slow.count = found_.count + 1;
  found_.count = slow.count;
  if (slow.longest_ns > found_.longest_ns) found_ = slow;
}

void TurnPace::EndOwnTurn(std::uint64_t looked_ns) noexcept {
  if (search_turns_ != 0) {
    if (--search_turns_ != 0) return;
    next_rest_ = found_.count != found_before_ ? 1 : std::min(2 * next_rest_, kRestMax);
    rest_turns_ = next_rest_;
    return;
  }
  const std::uint64_t now_ns = looked_ns != 0 ? looked_ns : clock_.BootNs();
  if (now_ns <= since_ns_ || now_ns - since_ns_ <= budget_ns_) return;
  ++slow_turns_;
  if (lone_.count != 0) {
    lone_.longest_ns = now_ns - since_ns_;
    Find(lone_);
  }
  if (rest_turns_ != 0 && --rest_turns_ != 0) return;
  search_turns_ = kSearchTurns;
  found_before_ = found_.count;
}

}  // namespace pawl::inline v0
