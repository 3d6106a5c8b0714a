#pragma once

#include <bit>
#include <cstddef>
#include <vector>

#include "pawl/check.h"
#include "producer_lane.h"

namespace pawl::inline v0 {

// The lanes with commands that wait to be decided, in the order of their turns: each is in it once
// while LoopSide::waiting is not 0. All memory is allocated by the constructor.
//   threads   loop only
class WaitingLanes {
 public:
  explicit WaitingLanes(std::size_t lanes_max)
      : lanes_(std::bit_ceil(lanes_max)), mask_(lanes_.size() - 1) {}

  bool empty() const noexcept { return head_ == tail_; }
  ProducerLane& front() const noexcept { return *lanes_[head_ & mask_]; }

  // Adds `count` commands of a lane; behind all others if it had none.
  void Add(ProducerLane& lane, std::uint32_t count) noexcept {
    if (lane.loop.waiting == 0) Append(lane);
    lane.loop.waiting += count;
  }
  // Takes `count` commands of the front lane away. It leaves if it has no more, else it goes behind
  // all others: between two turns of a lane every other one has had one.
  void Take(std::uint32_t count) noexcept {
    ProducerLane& lane = front();
    PAWL_DCHECK(count <= lane.loop.waiting);
    lane.loop.waiting -= count;
    ++head_;
    if (lane.loop.waiting != 0) Append(lane);
  }

 private:
  void Append(ProducerLane& lane) noexcept { lanes_[tail_++ & mask_] = &lane; }

  std::vector<ProducerLane*> lanes_;
  const std::size_t mask_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace pawl::inline v0
