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
};

}  // namespace

std::span<const Planted> PlantedFaults() { return kFaults; }

}  // namespace pawl::inline v0
