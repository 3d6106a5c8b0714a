#include "pawl/fault_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "guarded_ranges.h"
#include "posix_status.h"

namespace pawl::inline v0 {
namespace {

// Constant once the handler is installed.
struct sigaction g_before {};
std::uintptr_t g_page_bytes = 0;

// A SIGBUS that is not ours.
void PassOn(int signal, siginfo_t* info, void* context) noexcept {
  if ((g_before.sa_flags & SA_SIGINFO) != 0) return g_before.sa_sigaction(signal, info, context);
  if (g_before.sa_handler != SIG_DFL && g_before.sa_handler != SIG_IGN) {
    return g_before.sa_handler(signal);
  }
  // The instruction runs again, and ends the process as if nobody had been here. (A SIGBUS that is
  // ignored ends it too.)
  struct sigaction none {};
  none.sa_handler = SIG_DFL;
  ::sigaction(SIGBUS, &none, nullptr);
}

// Zeros in place of what is gone; then the instruction runs again. What the kernel calls a hardware
// memory error (BUS_MCEERR_AR) is passed on.
//   source    an anonymous page mapped over the fault, as systemd's sigbus.c does
void OnSigbus(int signal, siginfo_t* info, void* context) noexcept {
  const int error = errno;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const bool is_ours = info->si_code == BUS_ADRERR && GuardedRanges::Get().Damage(info->si_addr);
  void* const page = reinterpret_cast<void*>(at & ~(g_page_bytes - 1));
  // Marked before: who reads zeros finds the mark.
  if (!is_ours || ::mmap(page, g_page_bytes, PROT_READ | PROT_WRITE,
                         MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) {
    PassOn(signal, info, context);
  }
  errno = error;
}

absl::Status Install() {
  g_page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction ours {};
  ours.sa_sigaction = OnSigbus;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&ours.sa_mask);
  // Looked up before ours is there: a fault in between must find it.
  if (::sigaction(SIGBUS, nullptr, &g_before) != 0 || ::sigaction(SIGBUS, &ours, nullptr) != 0) {
    return ErrnoStatus("sigaction", "SIGBUS", errno);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status InstallFaultGuard() {
  static const absl::Status installed = Install();
  return installed;
}

GuardedRanges& GuardedRanges::Get() noexcept {
  static constinit GuardedRanges ranges;
  return ranges;
}

void GuardedRanges::Add(Mapping& mapping) noexcept {
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    Range& range = ranges_[i];
    std::uintptr_t expected = kFree;
    // Relaxed look first; acquire when claimed: after the one before was removed. Pairs with the
    // release in Remove().
    if (range.begin.load(std::memory_order_relaxed) != kFree ||
        !range.begin.compare_exchange_strong(expected, kClaimed, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
      continue;
    }
    const auto begin = reinterpret_cast<std::uintptr_t>(mapping.data());
    // Relaxed, both: the release below publishes them.
    range.end.store(begin + mapping.size(), std::memory_order_relaxed);
    range.mapping.store(&mapping, std::memory_order_relaxed);
    // Relaxed: a bound that the handler reads after `begin` was published, or finds too small for a
    // mapping that nobody was given yet.
    std::size_t used = used_.load(std::memory_order_relaxed);
    while (used <= i && !used_.compare_exchange_weak(used, i + 1, std::memory_order_relaxed)) {
    }
    // Release: the range before its begin. Pairs with the acquire in Damage().
    range.begin.store(begin, std::memory_order_release);
    return;
  }
}

void GuardedRanges::Remove(const Mapping& mapping) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(mapping.data());
  // Relaxed: who removes a mapping has seen it added.
  const std::size_t used = used_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < used; ++i) {
    if (ranges_[i].begin.load(std::memory_order_relaxed) != begin) continue;
    // Release: our use of the range before the next one's. Pairs with the acquire in Add().
    ranges_[i].begin.store(kFree, std::memory_order_release);
    return;
  }
}

bool GuardedRanges::Damage(const void* address) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  // Relaxed: see Add().
  const std::size_t used = used_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < used; ++i) {
    const Range& range = ranges_[i];
    // Acquire: the rest of the range. Pairs with the release in Add().
    const std::uintptr_t begin = range.begin.load(std::memory_order_acquire);
    if (begin == kFree || begin == kClaimed || at < begin ||
        at >= range.end.load(std::memory_order_relaxed)) {
      continue;
    }
    range.mapping.load(std::memory_order_relaxed)->SetDamaged();
    return true;
  }
  return false;
}

}  // namespace pawl::inline v0
