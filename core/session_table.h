#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pawl/position.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

inline constexpr std::uint32_t kSessionNameBytesMax = 128;

// The named sessions and, for each, what became of its newest commands: a resend inside the window
// gets the first answer again and is not executed.
// All memory is allocated by the constructor.
//   threads   loop only
class SessionTable {
 public:
  // The answer to a sequence that was seen before.
  struct Answer {
    Verdict verdict;
    Position position;
    Version version;
  };

  // One session, while its commands are decided.
  class Session {
   public:
    std::uint32_t generation() const noexcept { return generation_; }
    Sequence last() const noexcept { return last_; }

    // Remembers the answers to sequences last() + 1, last() + 2…
    void RememberAccepted(std::span<const PackedReceipt> receipts) noexcept {
      if (entries_ == nullptr) {
        last_ = last_.Plus(receipts.size());
        return;
      }
      while (!receipts.empty()) {
        const std::size_t start = last_.Next().value() & mask_;
        const std::size_t count = std::min(receipts.size(), window() - start);
        std::memcpy(entries_ + start, receipts.data(), count * sizeof(Entry));
        last_ = last_.Plus(count);
        receipts = receipts.subspan(count);
      }
    }
    // Remembers the answer to sequence last() + 1.
    void RememberNotAccepted(Verdict verdict) noexcept {
      last_ = last_.Next();
      if (entries_ != nullptr) At(last_) = Pack(verdict);
    }

   private:
    friend class SessionTable;

    // An accepted answer's is its receipt, copied as it is (before the producer sees it and may
    // mark it as taken).
    struct Entry {
      std::uint64_t position;
      std::uint64_t version_and_code;  // accepted: version; else kind << 16 | code
      // Top bit of version_and_code: not accepted.
    };
    static_assert(sizeof(Entry) == sizeof(PackedReceipt) &&
                  offsetof(Entry, position) == offsetof(PackedReceipt, position));
    static constexpr std::uint64_t kNotAccepted = std::uint64_t{1} << 63;
    static Entry Pack(Verdict verdict) noexcept {
      return {0, kNotAccepted | static_cast<std::uint64_t>(verdict.kind()) << 16 | verdict.code()};
    }

    std::size_t window() const noexcept { return std::size_t{mask_} + 1; }
    Entry& At(Sequence sequence) const noexcept { return entries_[sequence.value() & mask_]; }

    std::uint32_t generation_ = 0;
    std::uint32_t mask_ = 0;  // window − 1
    Sequence last_;
    Entry* entries_ = nullptr;  // nullptr: the nameless session
    std::string name_;
  };
  SessionTable(std::uint32_t sessions_max, std::uint32_t window);
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  Session& At(std::uint32_t number) noexcept { return sessions_[number - 1]; }
  // Stands in for the session of a producer that has none, whose next command is `next`: generation
  // 0, remembers nothing.
  Session& Nameless(Sequence next) noexcept {
    nameless_.last_ = Sequence(next.value() - 1);
    return nameless_;
  }

  // Number of the session `name`, 1, 2, 3…; 0: there is none.
  std::uint32_t Find(std::string_view name) const noexcept;
  // Begins generation `generation` of session `number`, which is known or the next new one. False:
  // sessions_max is reached.
  bool Open(std::uint32_t number, std::string_view name, std::uint32_t generation) noexcept;

  std::uint32_t generation(std::uint32_t number) const noexcept {
    return sessions_[number - 1].generation();
  }
  std::string_view name(std::uint32_t number) const noexcept { return sessions_[number - 1].name_; }
  Sequence last(std::uint32_t number) const noexcept { return sessions_[number - 1].last(); }
  std::uint32_t count() const noexcept { return count_; }
  std::uint32_t window() const noexcept { return window_; }

  // Replay: `sequence_low` (32 bits) was accepted. Sequences between were refused: a session's
  // sequences are dense and decided in order, and refusals leave no record.
  void Restore(std::uint32_t number, std::uint32_t sequence_low, Position position,
               Version version) noexcept;

  // The answer to `sequence` ≤ last; kExpired if it left the window.
  Answer Recall(std::uint32_t number, Sequence sequence) const noexcept;

  std::size_t memory_bytes() const noexcept {
    return sessions_.size() * (sizeof(Session) + window_ * sizeof(Session::Entry));
  }

 private:
  const std::uint32_t window_;  // a power of two
  std::vector<Session> sessions_;
  std::unique_ptr<Session::Entry[]> entries_;
  Session nameless_;
  std::uint32_t count_ = 0;
};

}  // namespace pawl::inline v0
