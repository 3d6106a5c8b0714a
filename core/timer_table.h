#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "number_index.h"
#include "pawl/key.h"
#include "pawl/stream_store.h"
#include "timer_queue.h"

namespace pawl::inline v0 {

// By what a timer is known: at most one of each name is set.
struct TimerName {
  StreamSlot* stream;
  StreamStore* store;    // of the stream
  std::uint32_t number;  // of the stream: its slot may be another one's when this is cleared
  std::uint16_t type;    // index in the aggregate's Timers
  std::uint64_t id;      // the user's
};

// All timers that are set: their names, their bytes, and the order in which they become due. All
// memory is allocated, and touched, when the table is made.
//
// A timer is named or not, and armed or not, each by itself: what a command does to timers shows at
// once by name, while the queue changes only when the command was accepted. Those of a stream that
// is dropped are out of count at once and taken out one by one (ClearDropped), since there may be
// many.
//   threads   one
class TimerTable {
 public:
  struct Setup {
    std::uint32_t timers_max;         // named at a time
    std::uint32_t spare;              // of those that lost their name, and wait for Free()
    std::uint32_t payload_bytes_max;  // of one timer
    std::uint64_t now_ns;             // engine time
  };

  struct Timer {
    TimerName name;
    std::uint64_t due_ns;
    std::uint64_t order;  // position of the record that set it
    std::uint32_t owner;
    std::uint32_t next;  // of the stream, or free
    std::uint32_t previous;
    std::uint16_t payload_bytes;
    bool is_held = false;  // named, and never armed
  };

  explicit TimerTable(const Setup& setup);
  TimerTable(const TimerTable&) = delete;
  TimerTable& operator=(const TimerTable&) = delete;

  // Number of the timer with that name; kNoTimer: none is set.
  std::uint32_t Find(const TimerName& name) const noexcept;
  // Makes a timer and gives it its name, which no other has; it is not armed.
  //   returns   kNoTimer: timers_max reached
  std::uint32_t Make(const TimerName& name, std::uint64_t due_ns, std::uint64_t order,
                     std::span<const std::byte> payload) noexcept;
  // Takes the name away, and gives it back.
  void Hide(std::uint32_t timer) noexcept;
  void Show(std::uint32_t timer) noexcept;
  void Arm(std::uint32_t timer) noexcept {
    queue_.Add(timer, timers_[timer].due_ns, timers_[timer].order);
  }
  // One that is held is not armed.
  void Disarm(std::uint32_t timer) noexcept {
    if (!timers_[timer].is_held) queue_.Remove(timer);
  }
  // An armed timer stays set and is never due.
  void Hold(std::uint32_t timer) noexcept {
    Disarm(timer);
    timers_[timer].is_held = true;
  }
  // A timer without name that is not armed.
  void Free(std::uint32_t timer) noexcept;

  const Timer& At(std::uint32_t timer) const noexcept { return timers_[timer]; }
  const std::byte* payload(std::uint32_t timer) const noexcept {
    return payloads_.get() + timer * payload_bytes_max_;
  }
  std::uint32_t live() const noexcept { return live_; }
  bool has_dropped() const noexcept { return dropped_ != kNoTimer; }
  bool is_empty() const noexcept { return live_ == 0 && !has_dropped(); }
  std::uint32_t timers_max() const noexcept { return timers_max_; }

  // As TimerQueue.
  std::uint32_t Advance(std::uint64_t now_ns, std::uint32_t moves_max) noexcept {
    return queue_.Advance(now_ns, moves_max);
  }
  std::uint64_t wake_ns() const noexcept { return queue_.wake_ns(); }
  // The first timer that is due. Those of dropped streams before it are cleared, at most so many.
  //   clears    how many may be cleared; less those that were
  //   returns   kNoTimer: there is none, or more are to be cleared first
  std::uint32_t FirstDue(std::uint64_t now_ns, std::uint32_t& clears) noexcept;

  // The stream is no more: its timers are not found, counted or due any more. A stream of this
  // number gets no timer again.
  void DropStream(std::uint32_t stream) noexcept;
  // Takes out timers of dropped streams, at most so many.
  //   returns   how many
  std::uint32_t ClearDropped(std::uint32_t clears_max) noexcept;

  // Calls f(number) for each timer that is set, in no order. Cold.
  template <class F>
  void ForEach(F&& f) const {
    for (const Owner& owner : owners_) {
      if (owner.stream == 0 || owner.is_dropped) continue;
      for (std::uint32_t timer = owner.first; timer != kNoTimer; timer = timers_[timer].next) {
        f(timer);
      }
    }
  }

  std::size_t memory_bytes() const noexcept;

 private:
  // A stream that has timers, at least one.
  struct Owner {
    std::uint32_t stream = 0;  // number; 0: free
    std::uint32_t first = kNoTimer;
    std::uint32_t count = 0;
    std::uint32_t next = kNoTimer;  // free, or dropped
    std::uint32_t previous = kNoTimer;
    bool is_dropped = false;
  };

  std::uint64_t Hash(std::uint64_t a, std::uint64_t b) const noexcept {
    __extension__ using Product = unsigned __int128;
    const Product product = static_cast<Product>(a ^ seed_.low) * (b ^ seed_.high);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  std::uint64_t HashOf(const TimerName& name) const noexcept {
    return Hash(std::uint64_t{name.number} << 16 | name.type, name.id);
  }
  std::uint64_t HashOfStream(std::uint32_t stream) const noexcept { return Hash(stream, 0); }
  std::uint32_t FindOwner(std::uint32_t stream) const noexcept;
  std::uint32_t OwnerFor(std::uint32_t stream) noexcept;
  void FreeOwner(std::uint32_t owner) noexcept;
  void Clear(std::uint32_t timer) noexcept;

  const std::uint32_t timers_max_;
  const std::size_t payload_bytes_max_;
  Key seed_;  // ids are chosen by clients
  TimerQueue queue_;
  NumberIndex names_;
  NumberIndex streams_;  // numbers of owners
  std::vector<Timer> timers_;
  std::vector<Owner> owners_;
  std::unique_ptr<std::byte[]> payloads_;
  std::uint32_t free_ = kNoTimer;
  std::uint32_t free_owner_ = kNoTimer;
  std::uint32_t dropped_ = kNoTimer;  // owner
  std::uint32_t live_ = 0;
};

}  // namespace pawl::inline v0
