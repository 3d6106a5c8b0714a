#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pawl/cache_line.h"
#include "pawl/command_slot.h"
#include "pawl/format.h"
#include "pawl/receipt.h"

// The bytes of the files `flight` and `quarantine`; core/QUARANTINE.md has them as tables.
namespace pawl::inline v0 {

inline constexpr std::uint64_t kFlightMagic = 0x3154'4C46'4C57'4150;      // "PAWLFLT1"
inline constexpr std::uint64_t kQuarantineMagic = 0x3141'5551'4C57'4150;  // "PAWLQUA1"
inline constexpr std::uint32_t kFlightVersion = 1;
inline constexpr std::uint32_t kQuarantineVersion = 1;

using FlightWord = std::atomic<std::uint64_t>;

// Who sends, as a flight file has it: bits 0…30 number of the session (0: none), 31 on its bulk
// lane, whose sequences are others; 32…63 generation. What is known of an input is known by the
// lower half.
inline constexpr std::uint32_t kFlightBulkLane = std::uint32_t{1} << 31;
constexpr std::uint64_t FlightSender(std::uint32_t session, SessionLane lane,
                                     std::uint32_t generation) noexcept {
  if (session == 0) return 0;
  const std::uint32_t lane_bit = lane == SessionLane::kBulk ? kFlightBulkLane : 0;
  return std::uint64_t{generation} << 32 | lane_bit | session;
}
static_assert(FlightWord::is_always_lock_free && sizeof(FlightWord) == 8);

// What an engine is at, for who opens the log after its process ended. Constant, but for the words
// below `deciding`, which are the loop's.
struct FlightHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t epoch;
  LogId log_id;
  BootId boot_id;
  std::uint64_t program;  // what the command types are, by name and size
  std::uint64_t base;     // where the file was mapped: what the addresses below are relative to
  std::uint64_t bytes;    // of the whole
  std::uint32_t lanes;
  std::uint32_t window;        // slots of each
  std::uint32_t parcel_bytes;  // of each
  std::array<std::uint8_t, 36> zeros;
  // Writer: the loop; while the log is opened, its thread. Readers: who opens the log next. They
  // guard nothing.
  alignas(kCacheLineBytes) FlightWord deciding;  // address of the command's slot; 0: none is
  FlightWord replaying;                          // position of the event; 0: none is evolved
  FlightWord survived;       // bit n: entry n of the list was decided, and the process lives
  FlightWord plain_session;  // of `plain`, as FlightSender()
  FlightWord firing;         // position of the record that set the timer; 0: none is fired
  // A command that had conditions or an idempotency key, without them.
  alignas(kCacheLineBytes) CommandSlot plain;
};
static_assert(offsetof(FlightHeader, epoch) == 12 && offsetof(FlightHeader, log_id) == 16);
static_assert(offsetof(FlightHeader, boot_id) == 32 && offsetof(FlightHeader, program) == 48);
static_assert(offsetof(FlightHeader, base) == 56 && offsetof(FlightHeader, bytes) == 64);
static_assert(offsetof(FlightHeader, lanes) == 72 && offsetof(FlightHeader, window) == 76);
static_assert(offsetof(FlightHeader, parcel_bytes) == 80);
static_assert(offsetof(FlightHeader, deciding) == 128 && offsetof(FlightHeader, survived) == 144);
static_assert(offsetof(FlightHeader, firing) == 160);
static_assert(offsetof(FlightHeader, plain) == 192 && sizeof(FlightHeader) == 320);

// Where the parts of a flight file stand, one behind the other: header, the lanes' sessions, their
// slots, their parcels.
struct FlightParts {
  std::uint64_t lanes;
  std::uint64_t window;
  std::uint64_t parcel_bytes;

  constexpr std::uint64_t sessions_at() const noexcept { return sizeof(FlightHeader); }
  constexpr std::uint64_t slots_at() const noexcept {
    return AlignUp(sessions_at() + lanes * sizeof(FlightWord));
  }
  constexpr std::uint64_t parcels_at() const noexcept {
    return AlignUp(slots_at() + lanes * window * sizeof(CommandSlot));
  }
  constexpr std::uint64_t bytes() const noexcept { return parcels_at() + lanes * parcel_bytes; }

 private:
  static constexpr std::uint64_t AlignUp(std::uint64_t at) noexcept {
    return (at + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }
};

// An input that ended the process.
struct DeathEntry {
  enum class Kind : std::uint32_t { kCommand = 1, kEvent = 2, kTimer = 3 };

  Kind kind;
  std::uint32_t deaths;
  std::uint32_t epoch;    // of the incarnation that it ended last
  std::uint32_t session;  // of a command, lower half of FlightSender()
  std::uint64_t sequence;
  // Of an event, or of the record that set the timer. Of a command: generation of its session.
  std::uint64_t position;
  std::uint64_t key_high;
  std::uint64_t key_low;
  std::uint64_t hash_high;  // of a command: of its types, key and bytes
  std::uint64_t hash_low;
  std::array<char, 64> category;  // zeros behind it
  std::array<char, 128> name;     // of the command's type, cut off
};
static_assert(sizeof(DeathEntry) == 256 && offsetof(DeathEntry, sequence) == 16);
static_assert(offsetof(DeathEntry, position) == 24 && offsetof(DeathEntry, key_high) == 32);
static_assert(offsetof(DeathEntry, hash_high) == 48 && offsetof(DeathEntry, category) == 64);
static_assert(offsetof(DeathEntry, name) == 128);

// File `quarantine`, one block.
struct QuarantineBlock {
  static constexpr std::size_t kEntriesMax = 15;

  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t count;
  LogId log_id;
  std::array<std::uint8_t, 32> zeros_before;
  std::array<DeathEntry, kEntriesMax> entries;
  std::array<std::uint8_t, 188> zeros_behind;
  std::uint32_t checksum;  // CRC32C(0, all before)
};
static_assert(sizeof(QuarantineBlock) == kBlockBytes && offsetof(QuarantineBlock, entries) == 64);
static_assert(offsetof(QuarantineBlock, checksum) == kBlockBytes - 4);

}  // namespace pawl::inline v0
