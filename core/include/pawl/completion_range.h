#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "pawl/position.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

// What the answers to commands sent one behind the other have in common. Only accepted commands
// share a range; any other answer stands alone in one.
struct AnswerRange {
  Sequence first{};
  std::uint32_t count = 0;
  Epoch epoch{};
  Verdict verdict{};
  Ack asked = Ack::kPublished;    // which order the answers came in, and where their receipts are
  Ack reached = Ack::kPublished;  // less than `asked` after a failure
  bool is_duplicate = false;

  // The same commands, whose outcome is open because a sync failed. What was not executed stays so.
  AnswerRange AsUnknown() const noexcept {
    AnswerRange unknown = *this;
    unknown.reached = Ack::kPublished;
    const bool was_executed = verdict.kind() != VerdictKind::kUnavailable &&
                              verdict.kind() != VerdictKind::kFenced &&
                              verdict.kind() != VerdictKind::kSessionUnknown;
    if (was_executed) {
      unknown.verdict = Verdict(VerdictKind::kUnknown, 0);
    }
    return unknown;
  }
};
static_assert(sizeof(AnswerRange) == 24);

// Answers to the commands first(), first() + 1, … of one producer, which have all the same verdict.
//   lifetime  receipts are read in place: until the callback that it was given to returns
class CompletionRange {
 public:
  CompletionRange() noexcept = default;
  //   receipts  one for each answer
  CompletionRange(const AnswerRange& answers, std::span<const PackedReceipt> receipts) noexcept
      : answers_(answers), receipts_(receipts) {}

  Sequence first() const noexcept { return answers_.first; }
  std::uint32_t count() const noexcept { return answers_.count; }
  bool empty() const noexcept { return answers_.count == 0; }
  Verdict verdict() const noexcept { return answers_.verdict; }
  Ack level() const noexcept { return answers_.reached; }
  Ack asked() const noexcept { return answers_.asked; }  // level() is less after a failure
  bool is_duplicate() const noexcept { return answers_.is_duplicate; }

  // Of the command first() + i, i < count(). Fetches its line from the loop's core.
  Receipt receipt(std::uint32_t i) const noexcept {
    const PackedReceipt& packed = receipts_[i];
    return {.position = Position(packed.position),
            .version = packed.version(),
            .epoch = answers_.epoch,
            .level = answers_.reached,
            .is_duplicate = answers_.is_duplicate};
  }
  // The same answers with their receipts copied into `room`, which has at least count() places.
  CompletionRange CopyTo(std::span<PackedReceipt> room) const noexcept {
    std::copy(receipts_.begin(), receipts_.end(), room.begin());
    return {answers_, room.first(receipts_.size())};
  }
  Completion operator[](std::uint32_t i) const noexcept {
    return {.sequence = first().Plus(i), .verdict = verdict(), .receipt = receipt(i)};
  }

 private:
  AnswerRange answers_{};
  std::span<const PackedReceipt> receipts_{};
};

}  // namespace pawl::inline v0
