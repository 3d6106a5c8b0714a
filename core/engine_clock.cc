#include "engine_clock.h"

#include <algorithm>
#include <utility>

#include "pawl/check.h"

namespace pawl::inline v0 {

namespace {

constexpr std::uint64_t kWallMaxNs = INT64_MAX;

// a − b, or the nearest that fits.
std::int64_t Difference(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t far = a > b ? a - b : b - a;
  const auto bounded = static_cast<std::int64_t>(std::min<std::uint64_t>(far, INT64_MAX));
  return a > b ? bounded : -bounded;
}

}  // namespace

EngineClock::EngineClock(Clock& clock, std::uint64_t last_commit_ns) noexcept
    : clock_(clock), boot_ns_(clock.BootNs()) {
  const std::uint64_t wall = std::min(clock_.WallNs(), kWallMaxNs);
  now_ns_ = std::max(wall, last_commit_ns);
  behind_ns_ = Difference(wall, now_ns_);
}

void EngineClock::LookAtWall(std::uint64_t now_ns) noexcept {
  const std::uint64_t wall = std::min(clock_.WallNs(), kWallMaxNs);
  const std::uint64_t passed = std::exchange(since_look_ns_, 0);
  behind_ns_ = Difference(wall, now_ns);
  if (behind_ns_ <= kStepNs) {
    is_ahead_ = is_step_due_ = false;
    return;
  }
  const std::uint64_t lead = wall - boot_ns_;
  const auto moved = static_cast<std::int64_t>(lead - ahead_lead_ns_);
  if (is_ahead_ && moved >= -kStableWithinNs && moved <= kStableWithinNs) {
    stable_ns_ = Sum(stable_ns_, passed);
  } else {
    is_ahead_ = true;
    ahead_lead_ns_ = lead;
    stable_ns_ = 0;
  }
  is_step_due_ = stable_ns_ >= kStableNs;
}

ClockAdopted EngineClock::Adopt() noexcept {
  PAWL_CHECK(is_step_due());
  const ClockAdopted adopted{.held_ns = now_ns_,
                             .adopted_ns = Sum(now_ns_, static_cast<std::uint64_t>(behind_ns_)),
                             .stable_ns = stable_ns_};
  now_ns_ = adopted.adopted_ns;
  behind_ns_ = 0;
  is_ahead_ = is_step_due_ = false;
  return adopted;
}

}  // namespace pawl::inline v0
