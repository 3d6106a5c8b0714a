#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pawl/crc32c.h"
#include "pawl/format.h"
#include "power_cuts.h"

namespace pawl::inline v0 {
namespace {

constexpr char kDirectory[] = "/disk/log";

// Path of segment `index`, or "" if there is none.
std::string SegmentPath(SimStorage& machine, std::uint64_t index) {
  const absl::StatusOr<std::vector<std::string>> names = machine.List(kDirectory);
  if (!names.ok()) return "";
  for (const std::string& name : *names) {
    if (name.size() <= 4 || name.substr(name.size() - 4) != ".seg") continue;
    if (std::stoull(name) == index) return absl::StrCat(kDirectory, "/", name);
  }
  return "";
}

bool IsWhole(const FrameSeen& frame, const std::vector<std::byte>& segment) {
  const std::uint64_t offset = frame.address % kSegmentBytesMin;
  return offset + frame.length <= segment.size() &&
         DigestOf(std::span(segment).subspan(offset, frame.length)) == frame.digest;
}

}  // namespace

std::string FlipDurableBit(SimStorage& machine, const LogHistory& history, SimRandom& random) {
  std::vector<const FrameSeen*> durable;
  for (const FrameSeen& frame : history.frames) {
    if (frame.end_position <= history.owed.durable) durable.push_back(&frame);
  }
  const std::uint64_t dice = random.Below(20);
  std::string path;
  std::uint64_t from = 0;
  std::uint64_t bytes = 0;
  if (dice == 0 || durable.empty()) {
    path = absl::StrCat(kDirectory, "/manifest");
    bytes = sizeof(Manifest);
  } else if (dice == 1) {
    path = absl::StrCat(kDirectory, "/evidence");
    bytes = 2 * sizeof(EvidenceSlot);
  } else {
    const FrameSeen& frame = *durable[random.Below(durable.size())];
    path = SegmentPath(machine, frame.address / kSegmentBytesMin);
    from = dice == 2 ? 0 : frame.address % kSegmentBytesMin;
    bytes = dice == 2 ? sizeof(SegmentHeader) : frame.length;
  }
  const std::uint64_t bit = from * 8 + random.Below(bytes * 8);
  if (machine.Bytes(path).size() < from + bytes) return "";
  machine.FlipBit(path, bit);
  return absl::StrCat("bit ", bit % 8, " of byte ", bit / 8, " of ", path);
}

std::uint64_t SurvivingEvidence(SimStorage& machine, const LogHistory& history) {
  std::uint64_t evidence = 0;
  std::uint64_t index = ~std::uint64_t{0};
  std::vector<std::byte> segment;
  for (const FrameSeen& frame : history.frames) {
    if (frame.address / kSegmentBytesMin != index) {
      index = frame.address / kSegmentBytesMin;
      segment = machine.Bytes(SegmentPath(machine, index));
    }
    if (IsWhole(frame, segment)) evidence = std::max(evidence, frame.durable_address);
  }
  const std::vector<std::byte> slots = machine.Bytes(absl::StrCat(kDirectory, "/evidence"));
  for (std::size_t at = 0; at + sizeof(EvidenceSlot) <= slots.size(); at += sizeof(EvidenceSlot)) {
    EvidenceSlot slot;
    std::memcpy(&slot, slots.data() + at, sizeof slot);
    if (slot.magic == kEvidenceMagic &&
        slot.checksum == Crc32c(0, &slot, offsetof(EvidenceSlot, checksum))) {
      evidence = std::max(evidence, slot.durable_address);
    }
  }
  return evidence;
}

}  // namespace pawl::inline v0
