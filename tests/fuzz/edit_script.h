#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "log_files.h"
#include "made_log.h"

namespace pawl::inline v0 {

enum class EditKind : std::uint8_t {
  kOverwrite,       // payload at byte `at` of the file
  kOverwriteFrame,  // payload[1…] at byte payload[0] of frame `at` of the file
  kAppendFrame,     // a frame with the payload as commits; `at`: kind (0: data), flags in high byte
  kMoveBlocks,      // payload: length, source (16 bit), source file; `at`: to; units of 64 bytes
  kResize,          // the file has 2 × `at` bytes
  kRemove,
  kCopy,    // over the file with number payload[0]
  kRepair,  // RepairLog() with the bits of `at`
};
inline constexpr std::uint8_t kEditKinds = 8;

struct Edit {
  EditKind kind = EditKind::kRepair;
  std::uint8_t file = 0;
  std::uint16_t at = 0;
  std::vector<std::uint8_t> payload;  // ≤ 255 bytes
};

// What an input of every target is: a made log, a byte of choices for the target, and edits. As
// bytes: log, choices, then for each edit kind, file, at (little-endian), payload size, payload.
// Every sequence of bytes is a script: numbers are taken modulo what there is, and an edit that the
// bytes cut short has a short payload.
struct EditScript {
  static constexpr std::size_t kEditsMax = 64;

  std::uint8_t log = 0;
  std::uint8_t choices = 0;
  std::vector<Edit> edits;

  static EditScript Parse(std::span<const std::uint8_t> bytes);
  // As many edits as find room.
  std::size_t Write(std::span<std::uint8_t> into) const;

  // The files after all edits.
  //   wanted    bit n: file n; the others are left out from the beginning
  LogFiles Files(std::uint32_t wanted) const;
};

// Changes one thing of the script that `data` holds; three times out of four checksums and chain
// are repaired behind it. What LLVMFuzzerCustomMutator() of every target does.
std::size_t MutateScript(std::uint8_t* data, std::size_t size, std::size_t size_max,
                         std::uint32_t seed);

}  // namespace pawl::inline v0

// Of libFuzzer, and of corpus_replay.cc where there is none.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);
