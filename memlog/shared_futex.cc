#include "shared_futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <limits>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

static_assert(std::endian::native == std::endian::little,
              "the kernel compares the first four bytes: the lower half of the mark");
static_assert(sizeof(std::atomic<std::uint64_t>) == sizeof(std::uint64_t));

}  // namespace

void WaitForMark(const std::atomic<std::uint64_t>& mark, std::uint64_t seen,
                 std::int64_t timeout_ns) noexcept {
  const timespec timeout{.tv_sec = static_cast<time_t>(timeout_ns / kNsPerSecond),
                         .tv_nsec = static_cast<long>(timeout_ns % kNsPerSecond)};
  // Not PRIVATE: who wakes may be another process, and is found by the file's page.
  const long rc = ::syscall(SYS_futex, &mark, FUTEX_WAIT, static_cast<std::uint32_t>(seen),
                            &timeout, nullptr, 0);
  // Anything else would turn every sleep into a silent spin. EFAULT: the file was cut short, which
  // the next look at the mark will show.
  PAWL_CHECK(rc == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT || errno == EFAULT);
}

void WakeWaitersOf(std::atomic<std::uint64_t>& mark) noexcept {
  const long rc = ::syscall(SYS_futex, &mark, FUTEX_WAKE, std::numeric_limits<int>::max());
  PAWL_DCHECK(rc >= 0);
  static_cast<void>(rc);
}

}  // namespace pawl::inline v0
