#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "pawl/check.h"

namespace pawl::inline v0 {

// Slots that one side of a lane writes and the other reads in place: commands on their way in,
// receipts on their way back. As large as the producer's window, whose credits alone say whose a
// slot is.
//
// Threads: a slot belongs to its writer until the writer hands it over (the producer by a ticket
// in the command queue, the loop by a range in the completion ring), then to its reader until the
// command's credit came back. Lifetime: fixed memory, allocated by the constructor. Every function
// is wait-free; none allocates.
//
// Memory ordering: the ring has no atomics of its own. What the writer wrote is ordered before the
// reader's reads by the way of the ticket or range. Reads are ordered before the next write of the
// slot by the credit: the window has one for command s + capacity only after s + 1 answers were
// polled and given back.
//   commands   the loop decides a lane's commands in order and answers only what it decided, so the
//              (s + 1)-th answer comes after it read slot s, and the producer's poll after both
//   receipts   answers of one level come in order, so that the receipt of a level's answer number n
//              is written again for its number n + capacity, which was sent after n was given back
template <class Slot>
class WindowRing {
 public:
  //   capacity   slots, a power of two; the producer's window
  //   memory     borrowed room for them; nullptr: the ring has its own
  explicit WindowRing(std::size_t capacity, Slot* memory = nullptr)
      : own_(memory == nullptr ? std::make_unique<Slot[]>(capacity) : nullptr),
        slots_(memory == nullptr ? own_.get() : memory),
        mask_(capacity - 1) {
    PAWL_CHECK(std::has_single_bit(capacity));
    if (memory != nullptr) std::uninitialized_value_construct_n(memory, capacity);
  }
  WindowRing(const WindowRing&) = delete;
  WindowRing& operator=(const WindowRing&) = delete;

  // The slot number `cursor`, counted from 0 for ever.
  Slot& At(std::uint64_t cursor) noexcept { return slots_[cursor & mask_]; }

  // Up to `wanted` slots from `cursor` on that lie side by side.
  std::span<Slot> From(std::uint64_t cursor, std::size_t wanted) noexcept {
    const std::size_t start = cursor & mask_;
    const std::size_t room = mask_ + 1 - start;
    return {slots_ + start, wanted < room ? wanted : room};
  }

 private:
  const std::unique_ptr<Slot[]> own_;
  Slot* const slots_;
  const std::size_t mask_;
};

}  // namespace pawl::inline v0
