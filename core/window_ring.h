#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "pawl/check.h"

namespace pawl::inline v0 {

// Where a lane's commands stand from the moment they are submitted until they are decided: written
// once by the producer, read in place by the loop, never copied. As large as the producer's window.
//
// Threads: a slot belongs to the producer until the command queue takes a ticket for it, then to
// the loop until it has answered as many commands as had been sent up to and with it, then to the
// producer again. Lifetime: fixed memory, allocated by the constructor. Every function is
// wait-free; none allocates.
//
// Memory ordering: the ring has no atomics of its own. What the producer wrote is ordered before
// the loop's reads by the ticket's way through the command queue. The loop's reads are ordered
// before the producer's next write of the slot by the completion ring: the window has a credit for
// command s + capacity only after s + 1 completions were polled; the loop decides a lane's commands
// in order and pushes an answer only after it decided the command, so the (s + 1)-th push comes
// after it decided command s.
template <class Slot>
class CommandRing {
 public:
  //   capacity   slots, a power of two; the producer's window
  explicit CommandRing(std::size_t capacity)
      : slots_(std::make_unique<Slot[]>(capacity)), mask_(capacity - 1) {
    PAWL_CHECK(std::has_single_bit(capacity));
  }
  CommandRing(const CommandRing&) = delete;
  CommandRing& operator=(const CommandRing&) = delete;

  // The slot of the lane's command number `cursor`, counted from 0 for ever.
  Slot& At(std::uint64_t cursor) noexcept { return slots_[cursor & mask_]; }

  // Up to `wanted` slots from `cursor` on that lie side by side.
  std::span<Slot> From(std::uint64_t cursor, std::size_t wanted) noexcept {
    const std::size_t start = cursor & mask_;
    const std::size_t room = mask_ + 1 - start;
    return {slots_.get() + start, wanted < room ? wanted : room};
  }

 private:
  const std::unique_ptr<Slot[]> slots_;
  const std::size_t mask_;
};

}  // namespace pawl::inline v0
