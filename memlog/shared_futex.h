#pragma once

#include <atomic>
#include <cstdint>

namespace pawl::inline v0 {

// Sleeping until a mark moves that another process may write. Stateless; any thread.
//
// Sleeps while the lower half of `mark` is that of `seen`; may return early for no reason. The
// mark's memory is shared and may be read-only here.
//   timeout_ns   0 or more
void WaitForMark(const std::atomic<std::uint64_t>& mark, std::uint64_t seen,
                 std::int64_t timeout_ns) noexcept;

// Wakes all that sleep on the mark, in every process. One system call.
void WakeWaitersOf(std::atomic<std::uint64_t>& mark) noexcept;

}  // namespace pawl::inline v0
