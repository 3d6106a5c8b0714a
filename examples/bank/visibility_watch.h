#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

#include <pawl/histogram.h>
#include <pawl/position.h>

namespace bank {

// Measures how long commands take until a view shows them.
//
// Where a command went is known when it is answered, and with Ack::kDurable that is after the view
// showed it. So the watch remembers when it saw the view reach which position, and looks a command
// up there once its receipt is known.
//   threads   one at a time
class VisibilityWatch {
 public:
  explicit VisibilityWatch(pawl::Histogram& latency) : latency_(latency) {}

  // The view is seen at `position` at `now_ns`. Call it often: it is the resolution of the result.
  void Observe(pawl::Position position, std::int64_t now_ns) {
    if (!seen_.empty() && position <= seen_.back().position) return;
    seen_.push_back({position, now_ns});
    if (seen_.size() > kSeenMax) seen_.pop_front();
    while (!awaited_.empty() && awaited_.front().position <= position) {
      latency_.Record(now_ns - awaited_.front().ns);
      awaited_.pop_front();
    }
  }

  // A command that was sent at `sent_ns` is at `position`. Positions come in ascending order.
  void Expect(pawl::Position position, std::int64_t sent_ns) {
    if (seen_.empty() || seen_.back().position < position) {
      awaited_.push_back({position, sent_ns});
      return;
    }
    const auto first = std::partition_point(
        seen_.begin(), seen_.end(), [position](const Sight& s) { return s.position < position; });
    latency_.Record(first->ns - sent_ns);
  }

  bool is_waiting() const noexcept { return !awaited_.empty(); }

 private:
  struct Sight {
    pawl::Position position;
    std::int64_t ns;
  };
  // Sights kept. If a command was shown before the oldest, its latency is counted too long, not too
  // short.
  static constexpr std::size_t kSeenMax = 65'536;

  pawl::Histogram& latency_;
  std::deque<Sight> seen_;
  std::deque<Sight> awaited_;
};

}  // namespace bank
