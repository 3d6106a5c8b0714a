#pragma once

// The two assertion macros of the house; no public header has another.
//
// PAWL_CHECK(condition)   always on: at borders and in recovery, where going on would damage data.
// PAWL_DCHECK(condition)  on unless NDEBUG is defined: inner invariants. Off, the condition is
//                         compiled but never evaluated.
// A failure writes "file:line: check failed: condition" to standard error and aborts.

namespace pawl::inline v0 {

// Cold and out of line, so that a check costs its caller one predicted branch. Allocates nothing,
// takes no lock: usable on any thread and with -fno-exceptions.
[[noreturn, gnu::cold, gnu::noinline]] void CheckFailed(const char* file, int line,
                                                        const char* condition) noexcept;

}  // namespace pawl::inline v0

#define PAWL_CHECK(...)                                  \
  (static_cast<bool>(__VA_ARGS__) ? static_cast<void>(0) \
                                  : ::pawl::CheckFailed(__FILE__, __LINE__, #__VA_ARGS__))

#ifdef NDEBUG
#define PAWL_DCHECK(...) static_cast<void>(false && static_cast<bool>(__VA_ARGS__))
#else
#define PAWL_DCHECK(...) PAWL_CHECK(__VA_ARGS__)
#endif
