#pragma once

#include <cstdint>

// Counts what a thread asks of the allocator and of mmap, while counting is on. The program that
// links allocation_counter.cc replaces malloc, calloc, realloc, aligned_alloc, posix_memalign,
// memalign, valloc, mmap and mremap; operator new and the growth of the heap end in those.
namespace pawl {

enum class CountedThread : int { kProducer, kLoop, kSync, kView, kOther };

// True: the replacement is in this binary. False under a sanitizer, which brings its own.
bool CanCountAllocations() noexcept;

// The calling thread is a producer from now on; the engine's are known by their names.
void RegisterProducerThread() noexcept;

void StartCounting() noexcept;  // from zero
void StopCounting() noexcept;
std::uint64_t AllocationsOf(CountedThread thread) noexcept;

}  // namespace pawl
