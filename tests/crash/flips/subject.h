#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "history.h"
#include "sim_storage.h"

namespace pawl::inline v0 {

// A frame of a subject, as it was handed to the storage.
struct FrameKept {
  FrameSeen seen;
  std::uint32_t epoch = 0;
  bool is_seal = false;
  std::uint64_t last_byte = 0;  // address behind its last byte that is not zero
  bool is_in_file = false;      // whole there before any damage
  bool is_in_image = false;
};

struct SlotKept {
  bool is_valid = false;
  std::uint64_t round = 0;
  std::uint64_t durable_address = 0;
};

enum class FileKind : std::uint8_t { kManifest, kEvidence, kSegment, kImage, kMarks, kOther };

struct FileKept {
  std::string path;
  FileKind kind = FileKind::kOther;
  std::uint64_t index = 0;  // of a segment or an image
  std::vector<std::byte> bytes;
};

// A log at rest that is to be damaged, with all that was written there, known from outside.
struct Subject {
  const char* name = "";
  std::unique_ptr<SimStorage> machine;
  LogHistory history;                 // as Judge() wants it
  std::uint64_t owed = 0;             // records that must be there
  std::uint64_t durable_records = 0;  // of those, the ones that a power cut may not take either
  bool has_marks = false;             // of this boot: the process died, the machine did not
  std::uint64_t published = 0;        // addresses, if there are marks
  std::uint64_t durable = 0;
  std::vector<FrameKept> frames;  // by address
  std::array<SlotKept, 2> slots;
  std::vector<FileKept> files;
};

// Three logs of one workload each, of sealed segments, a live one and one made ready ahead:
//   closed   ended by Close(); everything is durable and said so
//   cut      the power went within a durable write
//   killed   the process died with published frames that only the hot images hold
std::vector<Subject> MakeSubjects(std::uint64_t seed);

}  // namespace pawl::inline v0
