#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "pawl/receipt.h"
#include "producer_lane.h"
#include "waiting_lanes.h"

namespace pawl::inline v0 {

// Whose turn it is among the producers' lanes that wait, those of control and those of bulk apart:
// while both wait, 192 commands of control are followed by 64 of bulk, wherever turns of the loop
// begin and end; while only one does, it has all. Within each, lanes take turns.
//   threads   loop only
class LaneTurns {
 public:
  static constexpr std::array<std::uint32_t, kSessionLanes> kShares{192, 64};

  explicit LaneTurns(std::size_t lanes_max)
      : waiting_{WaitingLanes(lanes_max), WaitingLanes(lanes_max)} {}

  bool empty() const noexcept { return control().empty() && bulk().empty(); }
  // Adds `count` commands of a lane.
  void Add(ProducerLane& lane, std::uint32_t count) noexcept {
    waiting_[static_cast<std::size_t>(lane.session_lane())].Add(lane, count);
  }
  // The lane whose turn it is, unless empty().
  ProducerLane& front() const noexcept { return waiting_[Turn()].front(); }
  // How many of its commands are in turn, at most `most`.
  std::uint32_t Room(std::uint32_t most) const noexcept {
    const std::uint32_t waiting = std::min(most, front().loop.waiting);
    return BothWait() ? std::min(waiting, left_[Turn()]) : waiting;
  }
  // Takes `count` commands of the front lane away.
  void Take(std::uint32_t count) noexcept {
    const std::size_t turn = Turn();
    waiting_[turn].Take(count);
    left_[turn] -= std::min(count, left_[turn]);
    // Who was alone had no share, and who has come to an end leaves the other one alone.
    if (!BothWait() || (left_[0] == 0 && left_[1] == 0)) left_ = kShares;
  }

 private:
  const WaitingLanes& control() const noexcept { return waiting_[0]; }
  const WaitingLanes& bulk() const noexcept { return waiting_[1]; }
  bool BothWait() const noexcept { return !bulk().empty() && !control().empty(); }
  std::size_t Turn() const noexcept {
    if (bulk().empty()) return 0;
    return control().empty() || left_[0] == 0 ? 1 : 0;
  }

  std::array<WaitingLanes, kSessionLanes> waiting_;
  std::array<std::uint32_t, kSessionLanes> left_ = kShares;  // of this round, while both wait
};

}  // namespace pawl::inline v0
