#include <algorithm>
#include <array>

#include "checksum_repair.h"
#include "fuzz_target.h"
#include "sim_random.h"

namespace pawl::inline v0 {
namespace {

// Offsets in a frame of what is worth to change: its header, its first commit and record.
constexpr std::array<std::uint8_t, 23> kFrameFields = {
    0, 8, 16, 20, 24, 32, 40, 48, 52, 54, 55, 56, 60, 64, 68, 70, 71, 72, 76, 80, 82, 83, 84};

// Values that sit on borders.
constexpr std::array<std::uint64_t, 16> kBorders = {
    0,   1,    7,    8,      63,      64,         65,         255,
    256, 4095, 4096, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF, ~std::uint64_t{0}};

void PutBorder(SimRandom& random, std::vector<std::uint8_t>& payload) {
  std::uint64_t value = kBorders[random.Below(kBorders.size())];
  if (random.OneIn(4)) value -= random.Below(3);
  const std::size_t bytes = std::size_t{1} << random.Below(4);
  for (std::size_t i = 0; i < bytes; ++i)
    payload.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

// Mostly a place where something stands: the fields of the one-block files, or the frames.
std::uint16_t DrawPlace(SimRandom& random) {
  switch (random.Below(4)) {
    case 0: return static_cast<std::uint16_t>(random.Below(64));
    case 1: return static_cast<std::uint16_t>(kBlockBytes + random.Below(64));
    case 2: return static_cast<std::uint16_t>(kBlockBytes + random.Below(1024));
    default: return static_cast<std::uint16_t>(random.Next());
  }
}

std::uint8_t DrawFile(SimRandom& random) {
  for (;;) {
    const std::uint64_t file = random.Below(kFiles);
    if ((kTargetFiles >> file & 1) != 0) return static_cast<std::uint8_t>(file);
  }
}

Edit DrawEdit(SimRandom& random) {
  Edit edit{.kind = static_cast<EditKind>(random.Below(kEditKinds)),
            .file = DrawFile(random),
            .at = DrawPlace(random),
            .payload = {}};
  // Half of all edits where most of the bytes are.
  if ((kTargetFiles & kSegmentFiles) != 0 && random.OneIn(2)) {
    edit.file = static_cast<std::uint8_t>(kFirstSegment + random.Below(2));
  }
  switch (edit.kind) {
    case EditKind::kOverwriteFrame:
      edit.at = static_cast<std::uint16_t>(random.Below(6));
      edit.payload.push_back(kFrameFields[random.Below(kFrameFields.size())]);
      PutBorder(random, edit.payload);
      break;
    case EditKind::kAppendFrame: {
      edit.at = random.OneIn(4) ? static_cast<std::uint16_t>(random.Below(5)) : std::uint16_t{0};
      const std::size_t bytes = random.Below(96);
      for (std::size_t i = 0; i < bytes; ++i) {
        edit.payload.push_back(static_cast<std::uint8_t>(random.Next()));
      }
      break;
    }
    case EditKind::kMoveBlocks:
      edit.at = static_cast<std::uint16_t>(64 + random.Below(32));
      edit.payload = {static_cast<std::uint8_t>(1 + random.Below(8)),
                      static_cast<std::uint8_t>(64 + random.Below(16)), 0,
                      static_cast<std::uint8_t>(kFirstSegment + random.Below(6))};
      break;
    case EditKind::kCopy: edit.payload = {DrawFile(random)}; break;
    case EditKind::kRepair: edit.at = static_cast<std::uint16_t>(random.Next() & kRepairAll); break;
    default: PutBorder(random, edit.payload); break;
  }
  return edit;
}

void MutatePayload(std::vector<std::uint8_t>& payload) {
  const std::size_t size = payload.size();
  payload.resize(255);
  payload.resize(LLVMFuzzerMutate(payload.data(), size, payload.size()));
}

void ChangeEdit(SimRandom& random, Edit& edit) {
  switch (random.Below(4)) {
    case 0: edit.at = DrawPlace(random); break;
    case 1: edit.at = static_cast<std::uint16_t>(edit.at + random.Below(17) - 8); break;
    case 2: edit.file = DrawFile(random); break;
    default: MutatePayload(edit.payload); break;
  }
}

void Change(SimRandom& random, EditScript& script) {
  std::vector<Edit>& edits = script.edits;
  // A repair at the end belongs to the mutation before; it comes again behind this one.
  if (!edits.empty() && edits.back().kind == EditKind::kRepair) edits.pop_back();
  const auto place = [&] { return static_cast<std::ptrdiff_t>(random.Below(edits.size())); };
  switch (random.Below(8)) {
    case 0: script.log = static_cast<std::uint8_t>(random.Below(kMadeLogs)); break;
    case 1: script.choices = static_cast<std::uint8_t>(random.Next()); break;
    case 2:
      if (!edits.empty()) edits.erase(edits.begin() + place());
      break;
    case 3:
    case 4:
    case 5:
      if (!edits.empty()) {
        ChangeEdit(random, edits[random.Below(edits.size())]);
        break;
      }
      [[fallthrough]];
    default: edits.push_back(DrawEdit(random)); break;
  }
}

}  // namespace

std::size_t MutateScript(std::uint8_t* data, std::size_t size, std::size_t size_max,
                         std::uint32_t seed) {
  SimRandom random(seed);
  if (random.OneIn(16)) return LLVMFuzzerMutate(data, size, size_max);
  EditScript script = EditScript::Parse({data, size});
  for (std::uint64_t i = 1 + random.Below(3); i > 0; --i) Change(random, script);
  // Mostly all is repaired; sometimes one thing is left broken, which names the place of a refusal.
  if (!random.OneIn(4)) {
    std::uint8_t repairs = kRepairAll;
    if (random.OneIn(3)) repairs = static_cast<std::uint8_t>(repairs & ~(1U << random.Below(6)));
    script.edits.push_back({.kind = EditKind::kRepair, .file = 0, .at = repairs, .payload = {}});
  }
  return script.Write({data, size_max});
}

}  // namespace pawl::inline v0

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  return pawl::MutateScript(data, size, size_max, seed);
}
