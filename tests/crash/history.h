#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pawl/log_reader.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

// Digest of a record's content at its position.
std::uint64_t DigestOf(Position position, const RecordHeader& header, const std::byte* payload);

// A frame that was handed to the storage, noted there and not in the engine.
struct FrameSeen {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  std::uint64_t end_position = 0;  // of its last record, or of the one before it if it has none
  std::uint64_t durable_address = 0;
  std::uint64_t digest = 0;  // of its bytes
};

std::uint64_t DigestOf(std::span<const std::byte> bytes);

// How many records the log owes at some moment.
struct Owed {
  std::uint64_t durable = 0;    // to everybody, whatever happens
  std::uint64_t published = 0;  // as long as the machine runs
};

// What a log was given, kept outside of it: record i has position i + 1.
struct LogHistory {
  std::vector<std::uint64_t> records;  // digests
  std::vector<FrameSeen> frames;       // of this life
  Owed owed;                           // when this life began
  std::uint32_t unseen_epochs = 0;     // lives that died before Open() returned, since then
};

enum class Finding : std::uint8_t {
  kGood,
  kLost,        // owed records are not there
  kWrong,       // a record that was never written, a hole, half a frame
  kRefused,     // Open() failed, or a reader found damage and goes no further
  kBrokenRule,  // a rule of the interfaces
};
const char* NameOf(Finding finding) noexcept;

struct Judgement {
  Finding finding = Finding::kGood;
  std::string what;
  std::uint64_t kept = 0;  // records of the history that are there

  bool is_good() const noexcept { return finding == Finding::kGood; }
};

// Digests of all records from the first on, as the reader hands them out below `limit`.
// A Judgement that is not good says what is out of order.
Judgement ReadAll(LogReader reader, Address limit, std::vector<std::uint64_t>& records,
                  std::vector<bool>& is_epoch);

// Compares what was recovered with what was given: a prefix of it that ends with a frame and has
// at least `owed` records, then the epoch records of the lives since.
Judgement Judge(const LogHistory& given, std::uint64_t owed,
                const std::vector<std::uint64_t>& records, const std::vector<bool>& is_epoch);

}  // namespace pawl::inline v0
