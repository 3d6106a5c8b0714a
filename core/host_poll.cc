#include "host_poll.h"

#include <algorithm>

namespace pawl::inline v0 {

void HostPoll::Remove(const Agent& agent) noexcept {
  const auto found = std::find_if(agents_.begin(), agents_.end(), [&agent](const Member& member) {
    return member.agent == &agent;
  });
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
    const Member& member = agents_[next_++];
    member.words->BeginRound();
    const int work = member.agent->DoWorkUntil(deadline);
    member.words->EndRound();
    total += work;
    idle = work == 0 ? idle + 1 : 0;
    const std::uint64_t now_ns = clock_.BootNs();
    if (work != 0) LookIfDue(now_ns);
    if (now_ns < deadline.end_ns()) continue;
    if (!is_late && now_ns - deadline.end_ns() > allowance_ns_) {
      is_late = true;
      TakeOverrun(*member.agent, now_ns - deadline.end_ns());
    }
    if (total != 0) return total;
  }
  if (watch_ != nullptr) watch_->DoWork();
  return total;
}

int HostPoll::Round() noexcept {
  const std::uint64_t ticked_ns = engine_clock_ != nullptr ? engine_clock_->boot_ns() : 0;
  int total = 0;
  for (const Member& member : agents_) {
    member.words->BeginRound();
    total += member.agent->DoWork();
    member.words->EndRound();
  }
  if (watch_ == nullptr) return total;
  // While the loop decides it says how late it is, and a look now and then will do.
  const std::uint64_t now_ns = engine_clock_->boot_ns();
  if (now_ns == ticked_ns) {
    watch_->DoWork();
  } else {
    LookIfDue(now_ns);
  }
  return total;
}

// A look now and then will do for a host that is busy.
void HostPoll::LookIfDue(std::uint64_t now_ns) noexcept {
  if (watch_ == nullptr) return;
  if (now_ns - watch_->looked_ns() >= HealthWatch::kBusyNs) watch_->DoWork();
}

void HostPoll::TakeOverrun(const Agent& agent, std::uint64_t over_ns) noexcept {
  ++overruns_.count;
  if (over_ns > overruns_.longest_ns) {
    overruns_.longest_ns = over_ns;
    overruns_.longest_by = agent.name();
  }
  if (words_ == nullptr) return;
  // Relaxed, both: one writer, guards nothing.
  words_->poll_overruns.store(overruns_.count, std::memory_order_relaxed);
  words_->longest_overrun_ns.store(overruns_.longest_ns, std::memory_order_relaxed);
}

}  // namespace pawl::inline v0
