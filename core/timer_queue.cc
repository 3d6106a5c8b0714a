#include "timer_queue.h"

#include <algorithm>
#include <bit>

#include "pawl/check.h"

namespace pawl::inline v0 {

// --- heap ---

void TimerHeap::Rise(std::uint32_t place, const Entry& entry) noexcept {
  while (place != 0) {
    const std::uint32_t parent = (place - 1) / kChildren;
    if (!entry.IsBefore(entries_[parent])) break;
    PutAt(place, entries_[parent]);
    place = parent;
  }
  PutAt(place, entry);
}

void TimerHeap::Sink(std::uint32_t place, const Entry& entry) noexcept {
  const auto size = static_cast<std::uint32_t>(entries_.size());
  for (;;) {
    const std::uint32_t begin = place * kChildren + 1;
    if (begin >= size) break;
    const std::uint32_t end = std::min(begin + kChildren, size);
    std::uint32_t first = begin;
    for (std::uint32_t child = begin + 1; child < end; ++child) {
      if (entries_[child].IsBefore(entries_[first])) first = child;
    }
    if (!entries_[first].IsBefore(entry)) break;
    PutAt(place, entries_[first]);
    place = first;
  }
  PutAt(place, entry);
}

void TimerHeap::Remove(std::uint32_t timer) noexcept {
  const std::uint32_t place = places_[timer];
  PAWL_DCHECK(place < entries_.size() && entries_[place].timer == timer);
  const Entry last = entries_.back();
  entries_.pop_back();
  if (last.timer == timer) return;
  if (place != 0 && last.IsBefore(entries_[(place - 1) / kChildren])) {
    Rise(place, last);
  } else {
    Sink(place, last);
  }
}

// --- wheel ---

TimerQueue::TimerQueue(std::uint32_t timers, std::uint64_t now_ns)
    : nodes_(timers), heap_(timers), tick_(TickOf(now_ns)) {
  first_.fill(kNoTimer);
}

void TimerQueue::Add(std::uint32_t timer, std::uint64_t due_ns, std::uint64_t order) noexcept {
  nodes_[timer].due_ns = due_ns;
  nodes_[timer].order = order;
  Place(timer);
}

void TimerQueue::Place(std::uint32_t timer) noexcept {
  Node& node = nodes_[timer];
  const std::uint64_t tick = TickOf(node.due_ns);
  if (tick > tick_) {
    // Above the highest bit in which the two differ they are the same: a slot of that level.
    const int level = (63 - std::countl_zero(tick ^ tick_)) / kSlotBits;
    if (level < kLevels) {
      const auto which = static_cast<std::uint32_t>(tick >> (level * kSlotBits)) % kSlots;
      return Link(timer, static_cast<std::uint32_t>(level) * kSlots + which);
    }
  }
  node.slot = kInHeap;
  heap_.Push({.due_ns = node.due_ns, .order = node.order, .timer = timer});
}

void TimerQueue::Link(std::uint32_t timer, std::uint32_t slot) noexcept {
  Node& node = nodes_[timer];
  node.slot = slot;
  node.previous = kNoTimer;
  node.next = first_[slot];
  if (node.next != kNoTimer) nodes_[node.next].previous = timer;
  first_[slot] = timer;
  occupied_[slot / kSlots] |= std::uint64_t{1} << slot % kSlots;
}

void TimerQueue::Unlink(std::uint32_t timer) noexcept {
  const Node& node = nodes_[timer];
  if (node.next != kNoTimer) nodes_[node.next].previous = node.previous;
  if (node.previous != kNoTimer) {
    nodes_[node.previous].next = node.next;
    return;
  }
  first_[node.slot] = node.next;
  if (node.next != kNoTimer) return;
  occupied_[node.slot / kSlots] &= ~(std::uint64_t{1} << node.slot % kSlots);
}

void TimerQueue::Remove(std::uint32_t timer) noexcept {
  if (nodes_[timer].slot == kInHeap) return heap_.Remove(timer);
  Unlink(timer);
}

// All slots with timers are behind now, and those of a lower level before those of a higher one.
std::uint32_t TimerQueue::FirstSlot() const noexcept {
  for (std::uint32_t level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    return level * kSlots + static_cast<std::uint32_t>(std::countr_zero(occupied_[level]));
  }
  return kInHeap;
}

// The tick with which a slot begins.
std::uint64_t TimerQueue::StartOf(std::uint32_t slot) const noexcept {
  const int shift = static_cast<int>(slot / kSlots) * kSlotBits;
  const std::uint64_t above = tick_ >> (shift + kSlotBits) << (shift + kSlotBits);
  return above | std::uint64_t{slot % kSlots} << shift;
}

std::uint32_t TimerQueue::Advance(std::uint64_t now_ns, std::uint32_t moves_max) noexcept {
  std::uint32_t moves = 0;
  for (;;) {
    if (emptying_ != kInHeap) {
      for (; first_[emptying_] != kNoTimer; ++moves) {
        if (moves == moves_max) return moves;
        const std::uint32_t timer = first_[emptying_];
        Unlink(timer);
        Place(timer);
      }
      emptying_ = kInHeap;
    }
    const std::uint32_t slot = FirstSlot();
    if (slot == kInHeap || StartOf(slot) > TickOf(now_ns)) break;
    tick_ = StartOf(slot);
    emptying_ = slot;
  }
  tick_ = std::max(tick_, TickOf(now_ns));
  return moves;
}

std::uint32_t TimerQueue::FirstDue(std::uint64_t now_ns) const noexcept {
  if (heap_.empty() || heap_.top().due_ns > now_ns) return kNoTimer;
  const std::uint64_t tick = TickOf(heap_.top().due_ns);
  const bool is_known = emptying_ == kInHeap ? tick <= tick_ : tick < tick_;
  return is_known ? heap_.top().timer : kNoTimer;
}

std::uint64_t TimerQueue::wake_ns() const noexcept {
  const std::uint64_t due_ns = heap_.empty() ? UINT64_MAX : heap_.top().due_ns;
  const std::uint32_t slot = emptying_ != kInHeap ? emptying_ : FirstSlot();
  return slot == kInHeap ? due_ns : std::min(due_ns, StartOf(slot) << kTickBits);
}

}  // namespace pawl::inline v0
