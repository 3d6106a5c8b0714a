#pragma once

#include <cstdint>
#include <vector>

namespace pawl::inline v0 {

// Timers by (due, order), the first one on top: a heap with four children a node, which knows where
// each timer stands, so that any of them can be removed at once. Never allocates.
//   threads   one
class TimerHeap {
 public:
  struct Entry {
    std::uint64_t due_ns;
    std::uint64_t order;  // of those that are due together
    std::uint32_t timer;

    bool IsBefore(const Entry& other) const noexcept {
      return due_ns != other.due_ns ? due_ns < other.due_ns : order < other.order;
    }
  };

  //   timers    numbers of timers are below
  explicit TimerHeap(std::uint32_t timers) : places_(timers) { entries_.reserve(timers); }

  bool empty() const noexcept { return entries_.empty(); }
  const Entry& top() const noexcept { return entries_.front(); }

  // A timer that is not there.
  void Push(const Entry& entry) noexcept {
    entries_.push_back(entry);  // within the reserved room
    Rise(static_cast<std::uint32_t>(entries_.size() - 1), entry);
  }
  // A timer that is there.
  void Remove(std::uint32_t timer) noexcept;

 private:
  static constexpr std::uint32_t kChildren = 4;

  void PutAt(std::uint32_t place, const Entry& entry) noexcept {
    entries_[place] = entry;
    places_[entry.timer] = place;
  }
  void Rise(std::uint32_t place, const Entry& entry) noexcept;
  void Sink(std::uint32_t place, const Entry& entry) noexcept;

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> places_;  // by timer
};

}  // namespace pawl::inline v0
