#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "pawl/position.h"
#include "pawl/receipt.h"
#include "receipt_pages.h"

namespace pawl::inline v0 {

inline constexpr std::uint32_t kSessionNameBytesMax = 128;
// Rows of two lanes each, numbered in 32 bits.
inline constexpr std::uint32_t kSessionsMaxMax = std::uint32_t{1} << 24;
// Their pages are numbered in 32 bits.
inline constexpr std::uint64_t kReceiptsMaxMax = std::uint64_t{1} << 36;

// The named sessions and, for each of their lanes, what became of its newest commands: a resend
// inside the window gets the first answer again and is not executed.
//
// A session's number is its row. A row that was closed is given to another session; no generation
// is given twice for one number, since every session begins above all those that were closed.
// All memory is allocated by the constructor; every function is O(1) but for Close(), which frees
// the pages of a window, and Restore(), which fills a gap of at most one.
//   threads   loop only
class SessionTable {
 public:
  // The answer to a sequence that was seen before.
  struct Answer {
    Verdict verdict;
    Position position;
    Version version;
  };

  // One lane of a session, while its commands are decided.
  class Session {
   public:
    std::uint32_t generation() const noexcept { return generation_; }
    Sequence last() const noexcept { return last_; }

   private:
    friend class SessionTable;

    std::uint32_t generation_ = 0;              // 0: never opened, or closed
    std::uint32_t page_ = ReceiptPages::kNone;  // of the newest answer; kNone: to be taken
    Sequence last_;
    Sequence known_{1};  // answers before are known no more, whatever the window says
  };

  //   receipts_max  remembered by all sessions together; 0: all that their windows hold, up to
  //                 kReceiptsDefault
  SessionTable(std::uint32_t sessions_max, std::uint32_t window, std::uint64_t receipts_max = 0);
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  static constexpr std::uint64_t kReceiptsDefault = std::uint64_t{1} << 22;  // 64 MiB

  Session& At(std::uint32_t number, SessionLane lane) noexcept {
    return sessions_[IndexOf(number, lane)];
  }
  const Session& At(std::uint32_t number, SessionLane lane) const noexcept {
    return sessions_[IndexOf(number, lane)];
  }
  // Stands in for the session of a producer that has none, whose next command is `next`: generation
  // 0, remembers nothing.
  Session& Nameless(Sequence next) noexcept {
    nameless_.last_ = Sequence(next.value() - 1);
    return nameless_;
  }

  // Number of the open session `name`; 0: there is none.
  std::uint32_t Find(std::string_view name) const noexcept;
  bool IsOpen(std::uint32_t number) const noexcept {
    return number >= 1 && number <= numbers_ && rows_[number - 1].is_open;
  }
  std::string_view NameOf(std::uint32_t number) const noexcept;
  // Whether a producer that was given `generation` of the number is of the session that has it now.
  bool IsOf(std::uint32_t number, std::uint32_t generation) const noexcept {
    return IsOpen(number) && generation > rows_[number - 1].base;
  }
  // Number for one more session; 0: sessions_max are open.
  std::uint32_t FreeNumber() noexcept;
  // Of the next producer on a lane; number 0: of a session that is not open.
  //   returns   0: there is none left, 2^32 − 1 were given
  std::uint32_t NextGeneration(std::uint32_t number, SessionLane lane) const noexcept;

  // Begins a generation of a lane. A number that is no open session's becomes that of a new one.
  //   generation  as NextGeneration() says, or higher
  void Open(std::uint32_t number, std::string_view name, SessionLane lane,
            std::uint32_t generation) noexcept;
  // Forgets an open session. Its number is free.
  //   returns   how many pages it looked for: what it cost
  std::uint32_t Close(std::uint32_t number) noexcept;
  // The higher one of an open session's lanes.
  std::uint32_t NewestGeneration(std::uint32_t number) const noexcept;

  // When somebody used the session last, engine time.
  void Touch(std::uint32_t number, std::uint64_t now_ns) noexcept {
    rows_[number - 1].used_ns = now_ns;
  }
  // Whether an open session was used at `since_ns` or before and not since, and nobody holds it.
  bool IsIdle(std::uint32_t number, std::uint64_t since_ns) const noexcept {
    const Row& row = rows_[number - 1];
    return row.is_open && !row.is_held && row.used_ns <= since_ns;
  }
  void SetHeld(std::uint32_t number, bool is_held) noexcept { rows_[number - 1].is_held = is_held; }

  std::uint32_t count() const noexcept { return open_; }       // of open sessions
  std::uint32_t numbers() const noexcept { return numbers_; }  // the highest one in use so far
  std::uint32_t sessions_max() const noexcept { return static_cast<std::uint32_t>(rows_.size()); }
  std::uint32_t window() const noexcept { return window_; }

  // Remembers the answers to sequences last() + 1, last() + 2…
  void RememberAccepted(Session& session, std::span<const PackedReceipt> receipts) noexcept {
    if (&session == &nameless_) {
      session.last_ = session.last_.Plus(receipts.size());
      return;
    }
    while (!receipts.empty()) {
      const std::span<ReceiptPages::Entry> room = RoomForNext(session);
      const std::size_t count = std::min(receipts.size(), room.size());
      // An accepted answer's entry is its receipt, copied as it is (before the producer sees it and
      // may mark it as taken). Not memcpy, for which g++ 12 writes rep movs: slow to start, where
      // half a kilobyte is copied (measured: a thirtieth of the loop's time).
      std::memmove(room.data(), receipts.data(), count * sizeof(ReceiptPages::Entry));
      session.last_ = session.last_.Plus(count);
      receipts = receipts.subspan(count);
    }
  }
  // Remembers the answer to sequence last() + 1.
  void RememberNotAccepted(Session& session, Verdict verdict) noexcept;

  // Replay: `sequence_low` (32 bits) was accepted. Sequences between were refused: a lane's
  // sequences are dense and decided in order, and refusals leave no record.
  void Restore(Session& session, std::uint32_t sequence_low, const PackedReceipt& receipt) noexcept;

  // The answer to `sequence` ≤ last; kExpired if it left the window, or its page was given away.
  Answer Recall(const Session& session, Sequence sequence) const noexcept;

  std::size_t memory_bytes() const noexcept;

 private:
  using Entry = ReceiptPages::Entry;
  static_assert(sizeof(Entry) == sizeof(PackedReceipt) &&
                offsetof(Entry, position) == offsetof(PackedReceipt, position));
  // Top bit of version_and_code: not accepted; kind << 16 | code. Else the version.
  static constexpr std::uint64_t kNotAccepted = std::uint64_t{1} << 63;
  static constexpr std::uint32_t kReceipts = ReceiptPages::kReceipts;

  // What commands do not look at.
  struct Row {
    std::uint64_t used_ns = 0;
    std::uint32_t base = 0;  // generations of the session begin above it
    std::uint32_t next = 0;  // number of the next one in its bucket
    std::uint8_t name_bytes = 0;
    bool is_open = false;
    bool is_held = false;    // a producer has it; only while IsIdle() is asked
    bool is_listed = false;  // among the free numbers
  };
  using Name = std::array<char, kSessionNameBytesMax>;

  static std::size_t IndexOf(std::uint32_t number, SessionLane lane) noexcept {
    return (std::size_t{number} - 1) * kSessionLanes + static_cast<std::size_t>(lane);
  }
  // Where the next answers of a session go, as far as they lie side by side.
  std::span<Entry> RoomForNext(Session& session) noexcept {
    const std::size_t start = session.last_.Next().value() % kReceipts;
    if (start == 0 || session.page_ == ReceiptPages::kNone) [[unlikely]]
      BeginPage(session);
    return {pages_.At(session.page_) + start, kReceipts - start};
  }
  [[gnu::noinline]] void BeginPage(Session& session) noexcept;
  std::uint32_t FreePages(Session& session) noexcept;
  std::uint32_t OwnerOf(const Session& session) const noexcept {
    return static_cast<std::uint32_t>(&session - sessions_.data());
  }
  std::size_t BucketOf(std::string_view name) const noexcept;

  const std::uint32_t window_;           // a power of two
  const std::uint64_t window_pages_;     // wholly within it, at least 1
  const std::uint64_t name_seed_;        // names are chosen by clients
  std::vector<Session> sessions_;        // by number and lane
  std::vector<Row> rows_;                // by number
  const std::unique_ptr<Name[]> names_;  // by number; touched when a session is opened
  std::vector<std::uint32_t> buckets_;   // first number of each; 0: none
  std::vector<std::uint32_t> free_;      // numbers that were closed; some may be open again
  ReceiptPages pages_;
  Session nameless_;
  std::uint32_t open_ = 0;
  std::uint32_t numbers_ = 0;
  std::uint32_t closed_generation_ = 0;  // the highest one of a session that was closed
};

}  // namespace pawl::inline v0
