#include "planted.h"

namespace pawl::inline v0 {
namespace {

constexpr Planted kFaults[] = {
    {"ack-before-sync", "records count as durable as soon as they are published",
     [](PowerCutOptions& options) { options.acks_published = true; }},
    {"durable-mark-early", "a durable write returns, and the mark moves, before the disk has it",
     [](PowerCutOptions& options) { options.lies.durable_write_is_cached = true; }},
    {"directory-never-synced", "names of new files are never made durable",
     [](PowerCutOptions& options) { options.lies.directory_sync_does_nothing = true; }},
    {"file-never-synced", "manifest, headers and rewritten tails are renamed without a sync",
     [](PowerCutOptions& options) { options.lies.sync_does_nothing = true; }},
    {"tail-not-rewritten", "recovery trusts what the page cache shows of the tail",
     [](PowerCutOptions& options) { options.lies.segment_rewrite_does_nothing = true; }},
    {"checksum-not-checked", "recovery accepts frames whatever their checksum and chain", nullptr},
    // Changed sources of memlog, see mutants/.
    {"evidence-before-sync", "a slot tells of a write that has not returned", nullptr},
    {"seam-passed-early", "the durable mark enters a segment before the one before is written",
     nullptr},
    {"header-not-synced", "a new segment is renamed before its header and size are durable",
     nullptr},
    {"published-before-stored", "the published mark moves before the frame is in the image",
     nullptr},
    {"holes-skipped", "recovery goes on at the next place where a frame stands, without chain",
     nullptr},
    {"ghosts", "no chain, no epoch, and the bytes behind a cut stay where they are", nullptr},
};

constexpr Planted kWithoutPlace[] = {
    {"length-first",
     "readers and recovery go by the published mark and the checksum; the length alone opens "
     "nothing (published-before-stored is that fault here)",
     nullptr},
    {"no-chain",
     "alone it changes nothing: a frame names its address and its epoch, and no bytes stay behind "
     "a cut (ghosts takes all three away)",
     nullptr},
    {"no-epoch-no-zeroing", "the chain still tells a ghost (ghosts takes all three away)", nullptr},
    {"implicit-pad-skip",
     "there is no padding between frames, the next one begins where one ends (holes-skipped puts "
     "the rule in)",
     nullptr},
};

}  // namespace

std::span<const Planted> PlantedFaults() { return kFaults; }
std::span<const Planted> FaultsWithoutPlace() { return kWithoutPlace; }

}  // namespace pawl::inline v0
