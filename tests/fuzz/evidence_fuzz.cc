// Reads whatever the evidence file holds, writes behind it, and reads again.
#include <algorithm>
#include <memory>

#include "evidence.h"
#include "frame_walk.h"
#include "fuzz_target.h"

namespace pawl::inline v0 {

const std::uint32_t kTargetFiles = 1U << kManifestFile | 1U << kEvidenceFile;

namespace {

// The slots that count: whole, of this log, each in its own place, and a round can follow.
std::vector<EvidenceSlot> SlotsIn(const std::optional<Bytes>& file, const LogId& log_id) {
  std::vector<EvidenceSlot> slots;
  for (std::size_t at = 0; file && at + kBlockBytes <= std::min<std::size_t>(file->size(), 8192);
       at += kBlockBytes) {
    const auto slot = LoadAt<EvidenceSlot>(*file, at);
    const bool is_whole = FrameWalk::IsBlock(std::span(*file).subspan(at, kBlockBytes));
    const bool is_in_turn = slot.round % 2 == at / kBlockBytes && slot.round != ~std::uint64_t{0};
    if (is_in_turn && is_whole && slot.magic == kEvidenceMagic && slot.log_id == log_id)
      slots.push_back(slot);
  }
  return slots;
}

void CheckFound(const EvidenceFound& found, const std::vector<EvidenceSlot>& slots) {
  std::uint64_t durable = 0;
  std::uint64_t round = 0;
  for (const EvidenceSlot& slot : slots) {
    durable = std::max(durable, slot.durable_address);
    round = std::max(round, slot.round);
  }
  PAWL_CHECK(found.durable.value() == durable && found.round == round);
  PAWL_CHECK(std::any_of(slots.begin(), slots.end(), [&](const EvidenceSlot& slot) {
    return slot.round == round && slot.epoch == found.epoch.value() &&
           (slot.is_closed != 0) == found.is_closed;
  }));
}

// Two more rounds: each is found again, and the one before is still there when a write is torn.
void CheckWriting(SimStorage& machine, const LogId& log_id, const EvidenceFound& found) {
  const absl::StatusOr<std::unique_ptr<Evidence>> evidence =
      Evidence::Open(machine, kLogDirectory, log_id, found);
  PAWL_CHECK(evidence.ok());
  Address durable = found.durable;
  for (std::uint64_t round = 1; round <= 2; ++round) {
    if (durable.value() < ~std::uint64_t{64}) durable = durable.Plus(64);
    std::unique_ptr<SimStorage> torn;
    machine.set_observer([&](const SimOp&) {
      RandomCut choices(round, CutMode::kCoin);
      torn = machine.Cut(choices, round);
    });
    PAWL_CHECK((*evidence)->Write(durable, found.epoch, round == 2).ok());
    machine.set_observer({});
    const absl::StatusOr<EvidenceFound> again = Evidence::Read(machine, kLogDirectory, log_id);
    PAWL_CHECK(again.ok() && again->durable == durable && again->round == found.round + round);
    PAWL_CHECK(again->is_closed == (round == 2) && again->epoch == found.epoch);
    const absl::StatusOr<EvidenceFound> half = Evidence::Read(*torn, kLogDirectory, log_id);
    PAWL_CHECK(half.ok() && half->round + 1 >= found.round + round);
  }
}

void Run(const LogFiles& files) {
  SimStorage machine(MachineOptions(false));
  PutFiles(files, machine);
  LogId log_id{};
  if (files[kManifestFile] && files[kManifestFile]->size() >= sizeof(Manifest)) {
    log_id = LoadAt<Manifest>(*files[kManifestFile], 0).log_id;
  }
  const std::vector<EvidenceSlot> slots = SlotsIn(files[kEvidenceFile], log_id);
  const absl::StatusOr<EvidenceFound> found = Evidence::Read(machine, kLogDirectory, log_id);
  if (!found.ok()) return PAWL_CHECK(absl::IsDataLoss(found.status()) && slots.empty());
  CheckFound(*found, slots);
  // A file may claim the last rounds that can be numbered; no writer lives to see them.
  if (found->round < ~std::uint64_t{0} - 3) CheckWriting(machine, log_id, *found);
}

}  // namespace
}  // namespace pawl::inline v0

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pawl::Run(pawl::EditScript::Parse({data, size}).Files(pawl::kTargetFiles));
  return 0;
}
