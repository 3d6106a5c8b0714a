#pragma once

#include <cstdint>

namespace pawl::inline v0 {

// A wait by the wall clock. One that is set back does not make it longer than it was to be.
class WallTimer {
 public:
  void Set(std::uint64_t now_ns, std::uint64_t wait_ns) noexcept {
    due_ns_ = now_ns + wait_ns;
    wait_ns_ = wait_ns;
  }
  // Nanoseconds that are left; 0: it is over, or was never set.
  std::int64_t Left(std::uint64_t now_ns) const noexcept {
    if (now_ns >= due_ns_ || due_ns_ - now_ns > wait_ns_) return 0;
    return static_cast<std::int64_t>(due_ns_ - now_ns);
  }

 private:
  std::uint64_t due_ns_ = 0;
  std::uint64_t wait_ns_ = 0;
};

}  // namespace pawl::inline v0
