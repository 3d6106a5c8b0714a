#include "allocation_counter.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define PAWL_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PAWL_SANITIZED 1
#endif

namespace pawl {
namespace {

// Writers: any thread that allocates. Reader: the test, after the threads are idle. Counts only.
std::array<std::atomic<std::uint64_t>, 5> counts;
// Writer: the test. Readers: all. Guards nothing: a count at the edge may be missed or taken.
std::atomic<bool> is_counting{false};

thread_local bool is_producer = false;

CountedThread ThisThread() noexcept {
  if (is_producer) return CountedThread::kProducer;
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  if (std::strcmp(name.data(), "pawl-loop") == 0) return CountedThread::kLoop;
  if (std::strcmp(name.data(), "pawl-sync") == 0) return CountedThread::kSync;
  if (std::strcmp(name.data(), "pawl-projector") == 0) return CountedThread::kView;
  return CountedThread::kOther;
}

[[maybe_unused]] void Count() noexcept {
  // Relaxed: see above.
  if (!is_counting.load(std::memory_order_relaxed)) return;
  // Relaxed: a count.
  counts[static_cast<std::size_t>(ThisThread())].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

bool CanCountAllocations() noexcept {
#if defined(PAWL_SANITIZED)
  return false;
#else
  return true;
#endif
}

void RegisterProducerThread() noexcept { is_producer = true; }

void StartCounting() noexcept {
  // Relaxed: the test starts it before the commands it counts, through the queue's own ordering.
  for (auto& count : counts) count.store(0, std::memory_order_relaxed);
  // Relaxed: as above.
  is_counting.store(true, std::memory_order_relaxed);
}
void StopCounting() noexcept {
  // Relaxed: all commands were answered before.
  is_counting.store(false, std::memory_order_relaxed);
}
std::uint64_t AllocationsOf(CountedThread thread) noexcept {
  // Relaxed: a count, read when the threads are idle.
  return counts[static_cast<std::size_t>(thread)].load(std::memory_order_relaxed);
}

}  // namespace pawl

#if !defined(PAWL_SANITIZED)

// glibc's own names, for those who replace the public ones.
extern "C" {
void* __libc_malloc(std::size_t bytes) noexcept;
void* __libc_calloc(std::size_t count, std::size_t bytes) noexcept;
void* __libc_realloc(void* memory, std::size_t bytes) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t bytes) noexcept;

void* malloc(std::size_t bytes) noexcept {
  pawl::Count();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) noexcept {
  pawl::Count();
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) noexcept {
  pawl::Count();
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  pawl::Count();
  return __libc_memalign(alignment, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  pawl::Count();
  return __libc_memalign(alignment, bytes);
}
void* valloc(std::size_t bytes) noexcept {
  pawl::Count();
  return __libc_memalign(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) noexcept {
  pawl::Count();
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
void* mmap(void* at, std::size_t bytes, int protection, int flags, int file,
           off_t offset) noexcept {
  pawl::Count();
  return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, file, offset));
}
void* mremap(void* old, std::size_t old_bytes, std::size_t bytes, int flags, ...) noexcept {
  pawl::Count();
  std::va_list more;
  va_start(more, flags);
  void* const at = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void*) : nullptr;
  va_end(more);
  return reinterpret_cast<void*>(::syscall(SYS_mremap, old, old_bytes, bytes, flags, at));
}
}  // extern "C"

#endif
