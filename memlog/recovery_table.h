#pragma once

#include <array>
#include <cstdint>

namespace pawl::inline v0 {

// What the bytes at the log's end E are: the first place where no valid frame is.
enum class EndBytes : std::uint8_t {
  kNoFrame,         // nothing, torn, or of another life
  kUnknownFrame,    // whole and in place, with a kind or flags that this library does not know
  kMalformedFrame,  // whole and in place, but its commits contradict it
};

// What hot images of this boot say.
enum class ImageWitness : std::uint8_t {
  kNone,            // there are none that can be believed
  kWhole,           // they hold all that was published, and no file is ahead of them
  kBelowPublished,  // they end below their own published mark
  kBehindFiles,     // a file holds frames behind their end
};

struct RecoveryFacts {
  EndBytes end = EndBytes::kNoFrame;
  ImageWitness images = ImageWitness::kNone;
  bool is_below_evidence = false;  // E < D*: bytes behind E are known to have been durable
  bool has_bytes_behind = false;   // something that is not zero follows E
};

enum class RecoveryOutcome : std::uint8_t {
  kWhole,              // the log ends at E
  kTornTail,           // cut at E; what follows is kept aside
  kUnknownFrame,       // refused: FAILED_PRECONDITION
  kMalformedFrame,     // refused: DATA_LOSS
  kPublishedLost,      // refused: DATA_LOSS
  kImagesBehindFiles,  // refused: DATA_LOSS
  kDurableLost,        // refused: DATA_LOSS
};

// A row holds for facts whose every value is in its mask (bit n: value n).
struct RecoveryRow {
  const char* name;
  std::uint8_t end;
  std::uint8_t images;
  std::uint8_t is_below_evidence;
  std::uint8_t has_bytes_behind;
  RecoveryOutcome outcome;

  constexpr bool Holds(const RecoveryFacts& facts) const noexcept {
    const auto has = [](std::uint8_t mask, auto value) {
      return ((mask >> static_cast<unsigned>(value)) & 1U) != 0;
    };
    return has(end, facts.end) && has(images, facts.images) &&
           has(is_below_evidence, facts.is_below_evidence) &&
           has(has_bytes_behind, facts.has_bytes_behind);
  }
};

// The decision table of FORMAT.md. Every combination of facts meets exactly one row (a test tries
// them all).
inline constexpr std::array<RecoveryRow, 7> kRecoveryTable = {{
    {"unknown frame", 0b010, 0b1111, 0b11, 0b11, RecoveryOutcome::kUnknownFrame},
    {"malformed frame", 0b100, 0b1111, 0b11, 0b11, RecoveryOutcome::kMalformedFrame},
    {"published lost", 0b001, 0b0100, 0b11, 0b11, RecoveryOutcome::kPublishedLost},
    {"images behind files", 0b001, 0b1000, 0b11, 0b11, RecoveryOutcome::kImagesBehindFiles},
    {"durable lost", 0b001, 0b0011, 0b10, 0b11, RecoveryOutcome::kDurableLost},
    {"torn tail", 0b001, 0b0011, 0b01, 0b10, RecoveryOutcome::kTornTail},
    {"whole", 0b001, 0b0011, 0b01, 0b01, RecoveryOutcome::kWhole},
}};

constexpr RecoveryOutcome Decide(const RecoveryFacts& facts) noexcept {
  for (const RecoveryRow& row : kRecoveryTable) {
    if (row.Holds(facts)) return row.outcome;
  }
  return RecoveryOutcome::kDurableLost;  // never: the table is total
}

}  // namespace pawl::inline v0
