#include "pawl/parking.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t),
              "the kernel waits on the plain 32-bit word");
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace

bool KernelParking::Register() noexcept {
  static const bool is_registered =
      ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return is_registered;
}

bool KernelParking::HeavyBarrier() noexcept {
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void KernelParking::Wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                         std::int64_t deadline_ns) noexcept {
  if (deadline_ns < 0) return;
  const timespec deadline{.tv_sec = static_cast<time_t>(deadline_ns / kNsPerSecond),
                          .tv_nsec = static_cast<long>(deadline_ns % kNsPerSecond)};
  // WAIT_BITSET, because its time-out is a point of CLOCK_MONOTONIC: a signal cannot stretch it.
  const long rc =
      ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
                deadline_ns == kNoDeadline ? nullptr : &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
  // Anything else would turn every sleep into a silent spin.
  PAWL_CHECK(rc == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
}

void KernelParking::Wake(std::atomic<std::uint32_t>& word, int sleepers) noexcept {
  const long rc = ::syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, sleepers);
  PAWL_DCHECK(rc >= 0);
  static_cast<void>(rc);
}

void KernelParking::Signal(int event_fd) noexcept {
  constexpr std::uint64_t kOnce = 1;
  ssize_t written = -1;
  do written = ::write(event_fd, &kOnce, sizeof kOnce);
  while (written < 0 && errno == EINTR);
  // EAGAIN: at its largest count, hence readable. Anything else would lose a wake-up in silence.
  PAWL_CHECK(written == sizeof kOnce || errno == EAGAIN);
}

void KernelParking::Drain(int event_fd) noexcept {
  std::uint64_t count = 0;
  ssize_t got = -1;
  do got = ::read(event_fd, &count, sizeof count);
  while (got < 0 && errno == EINTR);
  PAWL_CHECK(got == sizeof count || errno == EAGAIN);  // EAGAIN: it was not readable
}

std::int64_t KernelParking::NowNs() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * kNsPerSecond + std::int64_t{now.tv_nsec};
}

}  // namespace pawl::inline v0
