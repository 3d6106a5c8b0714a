#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "timer_heap.h"

namespace pawl::inline v0 {

// In place of a timer's number: there is none.
inline constexpr std::uint32_t kNoTimer = UINT32_MAX;

// Timers, which are numbers, in the order in which they become due: (due, order), to the
// nanosecond.
//
// Those of the next hours wait in a wheel: four levels of 64 slots, a slot of the first as long as
// a tick (1 ms), of each other one as long as all of the level before. To set and to cancel them is
// a few stores, whatever their number. When the time of a slot comes, its timers move on: down the
// wheel, in the end into a heap, which puts those of one tick into order. In the heap are also
// those that were due when they came, and those further off than the wheel reaches.
// Moving is work in small pieces: while a slot is being emptied nothing of its time is due yet, so
// that the order holds however many timers it has. Never allocates.
//   threads   one
//   source    slots by the highest bit in which due and now differ: tokio src/runtime/time/wheel
class TimerQueue {
 public:
  static constexpr int kTickBits = 20;  // 2^20 ns: between two ticks the heap knows the order

  //   timers    numbers of timers are below
  //   now_ns    engine time; what is due then waits in the heap
  TimerQueue(std::uint32_t timers, std::uint64_t now_ns);

  // A timer that is not there.
  //   order     of those that are due together; unique
  void Add(std::uint32_t timer, std::uint64_t due_ns, std::uint64_t order) noexcept;
  // A timer that is there.
  void Remove(std::uint32_t timer) noexcept;

  // Moves timers on whose time came, at most so many.
  //   returns   how many: fewer than moves_max means that all that is due by now_ns can be taken
  std::uint32_t Advance(std::uint64_t now_ns, std::uint32_t moves_max) noexcept;
  // The first of those that are due and were moved on; kNoTimer: there is none.
  std::uint32_t FirstDue(std::uint64_t now_ns) const noexcept;
  // Until then neither Advance() nor FirstDue() finds anything; UINT64_MAX: never.
  std::uint64_t wake_ns() const noexcept;

 private:
  static constexpr int kSlotBits = 6;
  static constexpr std::uint32_t kSlots = 1U << kSlotBits;
  static constexpr int kLevels = 4;  // 2^24 ticks: 4.9 hours
  static constexpr std::uint32_t kInHeap = UINT32_MAX;

  struct Node {
    std::uint64_t due_ns;
    std::uint64_t order;
    std::uint32_t slot;  // of the wheel, level × kSlots + which; or kInHeap
    std::uint32_t next;  // in the slot
    std::uint32_t previous;
  };

  static std::uint64_t TickOf(std::uint64_t ns) noexcept { return ns >> kTickBits; }
  // The first slot of the wheel that has timers; kInHeap: none has.
  std::uint32_t FirstSlot() const noexcept;
  std::uint64_t StartOf(std::uint32_t slot) const noexcept;
  void Place(std::uint32_t timer) noexcept;
  void Link(std::uint32_t timer, std::uint32_t slot) noexcept;
  void Unlink(std::uint32_t timer) noexcept;

  std::vector<Node> nodes_;  // by timer
  TimerHeap heap_;
  std::array<std::uint32_t, kLevels * kSlots> first_;  // timer of each slot; kNoTimer
  std::array<std::uint64_t, kLevels> occupied_{};      // bits: slots with timers
  // Ticks below, and this one too unless a slot is being emptied, are in the heap. Every timer in
  // the wheel but those of that slot is due in a later tick.
  std::uint64_t tick_;
  std::uint32_t emptying_ = kInHeap;  // the slot that begins with tick_; kInHeap: none
};

}  // namespace pawl::inline v0
