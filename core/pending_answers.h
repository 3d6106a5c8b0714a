#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "pawl/check.h"
#include "pawl/position.h"
#include "producer_lane.h"

namespace pawl::inline v0 {

// Ranges of answers that wait for the durable mark, in log order. As large as all windows together,
// so that adding never fails. All memory is allocated by the constructor.
//   threads   loop only
class PendingAnswers {
 public:
  struct Entry {
    ProducerLane* lane;
    AnswerRange answers;
  };

  explicit PendingAnswers(std::uint32_t answers_max)
      : entries_(std::bit_ceil(std::uint64_t{answers_max} + 1)),
        turns_(entries_.size()),
        mask_(entries_.size() - 1) {}

  // Adds answers of the open turn.
  void Add(ProducerLane& lane, const AnswerRange& answers) noexcept {
    PAWL_DCHECK(entry_tail_ - entry_head_ < entries_.size());
    entries_[entry_tail_++ & mask_] = {&lane, answers};
  }

  // Ends the turn: its answers wait until the log is durable up to `end`.
  //   published_ns   when that was published; 0: not measured
  void EndTurn(Address end, std::uint64_t published_ns = 0) noexcept {
    if (entry_tail_ == turn_start_) return;
    turn_start_ = entry_tail_;
    if (turn_tail_ != turn_head_ && turns_[(turn_tail_ - 1) & mask_].end == end) {
      turns_[(turn_tail_ - 1) & mask_].entries_end = entry_tail_;
      return;
    }
    turns_[turn_tail_++ & mask_] = {end, entry_tail_, published_ns};
  }

  // Calls give(Entry&) for the ranges of all turns that end at or below `durable`, and
  // end_turn(published_ns) behind those of each.
  template <class Give, class EndTurn>
  int Release(Address durable, Give&& give, EndTurn&& end_turn) noexcept {
    int count = 0;
    for (; turn_head_ != turn_tail_ && turns_[turn_head_ & mask_].end <= durable; ++turn_head_) {
      for (; entry_head_ != turns_[turn_head_ & mask_].entries_end; ++entry_head_, ++count) {
        give(entries_[entry_head_ & mask_]);
      }
      end_turn(turns_[turn_head_ & mask_].published_ns);
    }
    return count;
  }

  bool empty() const noexcept { return entry_head_ == entry_tail_; }
  // Where the oldest waiting turn ends; only if there is one.
  Address front_end() const noexcept { return turns_[turn_head_ & mask_].end; }
  bool has_turn() const noexcept { return turn_head_ != turn_tail_; }

 private:
  struct Turn {
    Address end;
    std::uint64_t entries_end = 0;  // count of entries, this turn's included
    std::uint64_t published_ns = 0;
  };

  std::vector<Entry> entries_;
  std::vector<Turn> turns_;
  const std::uint64_t mask_;
  std::uint64_t entry_head_ = 0;
  std::uint64_t entry_tail_ = 0;
  std::uint64_t turn_start_ = 0;
  std::uint64_t turn_head_ = 0;
  std::uint64_t turn_tail_ = 0;
};

}  // namespace pawl::inline v0
