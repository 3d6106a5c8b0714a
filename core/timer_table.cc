#include "timer_table.h"

#include <cstring>
#include <random>
#include <utility>

#include "pawl/check.h"

namespace pawl::inline v0 {

TimerTable::TimerTable(const Setup& setup)
    : timers_max_(setup.timers_max),
      payload_bytes_max_((std::size_t{setup.payload_bytes_max} + 7) / 8 * 8),
      queue_(setup.timers_max + setup.spare, setup.now_ns),
      names_(setup.timers_max + setup.spare),
      streams_(setup.timers_max + setup.spare),
      timers_(std::size_t{setup.timers_max} + setup.spare),
      owners_(timers_.size()),
      payloads_(std::make_unique<std::byte[]>(timers_.size() * payload_bytes_max_)) {
  std::random_device random;
  // Of two factors, neither 0.
  std::uniform_int_distribution<std::uint64_t> words(1);
  seed_ = Key(words(random), words(random));
  for (auto i = static_cast<std::uint32_t>(timers_.size()); i-- > 0;) {
    timers_[i].next = std::exchange(free_, i);
    owners_[i].next = std::exchange(free_owner_, i);
  }
}

// --- names ---

std::uint32_t TimerTable::Find(const TimerName& name) const noexcept {
  return names_.Find(HashOf(name), [&](std::uint32_t timer) noexcept {
    const TimerName& other = timers_[timer].name;
    return other.number == name.number && other.type == name.type && other.id == name.id;
  });
}

std::uint32_t TimerTable::Make(const TimerName& name, std::uint64_t due_ns, std::uint64_t order,
                               std::span<const std::byte> payload) noexcept {
  PAWL_DCHECK(payload.size() <= payload_bytes_max_ && name.number != 0);
  if (live_ == timers_max_) return kNoTimer;
  if (free_ == kNoTimer) ClearDropped(1);  // they are out of count, so that there is one
  PAWL_CHECK(free_ != kNoTimer);
  const std::uint32_t timer = free_;
  free_ = timers_[timer].next;
  timers_[timer] = {.name = name,
                    .due_ns = due_ns,
                    .order = order,
                    .owner = kNoTimer,
                    .next = kNoTimer,
                    .previous = kNoTimer,
                    .payload_bytes = static_cast<std::uint16_t>(payload.size())};
  // A timer without fields has no bytes, and memcpy takes no null.
  if (!payload.empty()) {
    std::memcpy(payloads_.get() + timer * payload_bytes_max_, payload.data(), payload.size());
  }
  Show(timer);
  return timer;
}

void TimerTable::Show(std::uint32_t number) noexcept {
  Timer& timer = timers_[number];
  names_.Insert(HashOf(timer.name), number);
  timer.owner = OwnerFor(timer.name.number);
  Owner& owner = owners_[timer.owner];
  timer.previous = kNoTimer;
  timer.next = owner.first;
  if (timer.next != kNoTimer) timers_[timer.next].previous = number;
  owner.first = number;
  ++owner.count;
  ++live_;
}

void TimerTable::Hide(std::uint32_t number) noexcept {
  const Timer& timer = timers_[number];
  names_.Erase(HashOf(timer.name), number);
  Owner& owner = owners_[timer.owner];
  if (timer.next != kNoTimer) timers_[timer.next].previous = timer.previous;
  if (timer.previous != kNoTimer) {
    timers_[timer.previous].next = timer.next;
  } else {
    owner.first = timer.next;
  }
  --owner.count;
  if (!owner.is_dropped) --live_;
  if (owner.count == 0) FreeOwner(timer.owner);
}

void TimerTable::Free(std::uint32_t timer) noexcept {
  timers_[timer].next = std::exchange(free_, timer);
}

// --- what is due ---

std::uint32_t TimerTable::FirstDue(std::uint64_t now_ns, std::uint32_t& clears) noexcept {
  for (;; --clears) {
    const std::uint32_t timer = queue_.FirstDue(now_ns);
    if (timer == kNoTimer || !owners_[timers_[timer].owner].is_dropped) return timer;
    if (clears == 0) return kNoTimer;
    Clear(timer);
  }
}

// --- streams ---

std::uint32_t TimerTable::FindOwner(std::uint32_t stream) const noexcept {
  return streams_.Find(HashOfStream(stream), [&](std::uint32_t owner) noexcept {
    return owners_[owner].stream == stream;
  });
}

std::uint32_t TimerTable::OwnerFor(std::uint32_t stream) noexcept {
  std::uint32_t number = FindOwner(stream);
  if (number != kNoTimer) return number;
  // There are as many as timers, and each in use has one at least.
  PAWL_CHECK(free_owner_ != kNoTimer);
  number = free_owner_;
  free_owner_ = owners_[number].next;
  owners_[number] = {.stream = stream};
  streams_.Insert(HashOfStream(stream), number);
  return number;
}

void TimerTable::FreeOwner(std::uint32_t number) noexcept {
  Owner& owner = owners_[number];
  if (owner.is_dropped) {
    if (owner.next != kNoTimer) owners_[owner.next].previous = owner.previous;
    (owner.previous != kNoTimer ? owners_[owner.previous].next : dropped_) = owner.next;
  }
  streams_.Erase(HashOfStream(owner.stream), number);
  owner.stream = 0;
  owner.next = std::exchange(free_owner_, number);
}

void TimerTable::DropStream(std::uint32_t stream) noexcept {
  const std::uint32_t number = FindOwner(stream);
  if (number == kNoTimer) return;
  Owner& owner = owners_[number];
  PAWL_CHECK(!owner.is_dropped);
  owner.is_dropped = true;
  owner.previous = kNoTimer;
  owner.next = std::exchange(dropped_, number);
  if (owner.next != kNoTimer) owners_[owner.next].previous = number;
  live_ -= owner.count;
}

void TimerTable::Clear(std::uint32_t timer) noexcept {
  Disarm(timer);
  Hide(timer);
  Free(timer);
}

std::uint32_t TimerTable::ClearDropped(std::uint32_t clears_max) noexcept {
  std::uint32_t clears = 0;
  for (; dropped_ != kNoTimer && clears != clears_max; ++clears) Clear(owners_[dropped_].first);
  return clears;
}

std::size_t TimerTable::memory_bytes() const noexcept {
  // Of the queue: a node, an entry of the heap, and where that stands.
  constexpr std::size_t kQueueBytes = 32 + sizeof(TimerHeap::Entry) + sizeof(std::uint32_t);
  return timers_.size() * (sizeof(Timer) + sizeof(Owner) + payload_bytes_max_ + kQueueBytes) +
         names_.memory_bytes() + streams_.memory_bytes();
}

}  // namespace pawl::inline v0
