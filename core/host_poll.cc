#include "host_poll.h"

#include <algorithm>

namespace pawl::inline v0 {

void HostPoll::Remove(const Agent& agent) noexcept {
  const auto found = std::find(agents_.begin(), agents_.end(), &agent);
  if (found == agents_.end()) return;
  const auto index = static_cast<std::size_t>(found - agents_.begin());
  agents_.erase(found);
  if (next_ > index) --next_;
}

int HostPoll::Poll(std::uint64_t budget_ns) noexcept {
  const std::uint64_t begun_ns = clock_.BootNs();
  const Deadline deadline(clock_, begun_ns + std::min(budget_ns, UINT64_MAX - begun_ns));
  int total = 0;
  bool is_late = false;
  for (std::size_t idle = 0; idle < agents_.size();) {
    if (next_ >= agents_.size()) next_ = 0;
    Agent& agent = *agents_[next_++];
    const int work = agent.DoWorkUntil(deadline);
    total += work;
    idle = work == 0 ? idle + 1 : 0;
    const std::uint64_t now_ns = clock_.BootNs();
    if (now_ns < deadline.end_ns()) continue;
    if (!is_late && now_ns - deadline.end_ns() > allowance_ns_) {
      is_late = true;
      TakeOverrun(agent, now_ns - deadline.end_ns());
    }
    if (total != 0) break;
  }
  return total;
}

int HostPoll::Round() noexcept {
  int total = 0;
  for (Agent* agent : agents_) total += agent->DoWork();
  return total;
}

void HostPoll::TakeOverrun(const Agent& agent, std::uint64_t over_ns) noexcept {
  ++overruns_.count;
  if (over_ns <= overruns_.longest_ns) return;
  overruns_.longest_ns = over_ns;
  overruns_.longest_by = agent.name();
}

}  // namespace pawl::inline v0
