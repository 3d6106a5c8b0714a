#pragma once

#include <cstdint>
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

    // Remembers the answer to sequence last() + 1.
    void RememberAccepted(Position position, Version version) noexcept {
      Append({position.value(), version.value()});
    }
    void RememberNotAccepted(Verdict verdict) noexcept { Append(Pack(verdict)); }

   private:
    friend class SessionTable;

    // 16 bytes: an accepted answer has a position or is of a command that appended nothing.
    struct Entry {
      std::uint64_t position;
      std::uint64_t version_and_code;  // accepted: version; else kind << 16 | code
      // Top bit of version_and_code: not accepted.
    };
    static constexpr std::uint64_t kNotAccepted = std::uint64_t{1} << 63;
    static Entry Pack(Verdict verdict) noexcept {
      return {0, kNotAccepted | static_cast<std::uint64_t>(verdict.kind()) << 16 | verdict.code()};
    }

    void Append(const Entry& entry) noexcept {
      last_ = last_.Next();
      At(last_) = entry;
    }
    Entry& At(Sequence sequence) const noexcept { return entries_[sequence.value() & mask_]; }

    std::uint32_t generation_ = 0;
    std::uint32_t mask_ = 0;  // window − 1
    Sequence last_;
    Entry* entries_ = nullptr;
    std::string name_;
  };
  SessionTable(std::uint32_t sessions_max, std::uint32_t window);
  SessionTable(const SessionTable&) = delete;  // nameless_ points into it
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
  Session::Entry forgotten_{};  // the window of nameless_: one entry, never read
  Session nameless_;
  std::uint32_t count_ = 0;
};

}  // namespace pawl::inline v0
