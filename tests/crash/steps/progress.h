#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pawl::inline v0 {

// Phase of a life: what is stepped, or one of these.
inline constexpr std::uint32_t kPhaseUnstepped = 0;  // gets the log to where the next phase begins
inline constexpr std::uint32_t kPhaseOver = 255;     // the life is over: the tracer kills it

// What the victim tells the tracer besides the files, in memory that both map. It is what a client
// of the engine would know, and it is kept outside of the engine.
//
// Memory ordering: the tracer looks while the victim stands still between two instructions, so the
// order of the program is all there is; Tell() keeps the compiler from changing it.
struct Progress {
  static constexpr std::size_t kFrameEndsMax = 8000;

  std::atomic<std::uint32_t> phase;
  std::atomic<std::uint32_t> life;          // that has opened the log; the first is 1
  std::atomic<std::uint64_t> first_commit;  // of this life; numbers go on over all lives
  std::atomic<std::uint64_t> begun;         // commits handed to the engine, in all lives
  std::atomic<std::uint64_t> published;     // of those, the ones that it has said to be published
  std::atomic<std::uint64_t> durable;       // … and durable
  std::atomic<std::uint32_t> frame_ends;    // of this life
  // Commits at which the log may end: a frame ends behind them.
  std::array<std::atomic<std::uint64_t>, kFrameEndsMax> frame_end;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

template <class T, class V>
void Tell(std::atomic<T>& word, V value) noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  word.store(static_cast<T>(value), std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

template <class T>
T Told(const std::atomic<T>& word) noexcept {
  return word.load(std::memory_order_relaxed);
}

// Where the tracer gets hold of the victim. Not for other processes: nobody would go on.
inline void Mark(Progress& progress, std::uint32_t phase) noexcept {
  Tell(progress.phase, phase);
  asm volatile("int3" ::: "memory");
}

// Descriptor under which the victim finds that memory.
inline constexpr int kProgressDescriptor = 3;

}  // namespace pawl::inline v0
