#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "pawl/stream_store.h"

// The layouts of an application's events in a text file beside its code, so that none of them
// changes by accident: an engine refuses to open a log whose events have another layout than the
// program's, but only where such a log is. One line for each event type, sorted:
//   # comment
//   bank.deposited 1 8c6c0b0a1c2d3e4f {cents:i64@0}      name, version, layout hash, layout
// A line stays for ever once a log holds the event: of one that changed, all versions do. An event
// with a codec has its codec's name and schema for a layout. Part of pawl::testing.
namespace pawl::inline v0::testing {

enum class LayoutUpdate : std::uint8_t {
  kNo,
  kAddNew,  // events that have no line get one; lines that are there are never changed
};

// kAddNew if PAWL_UPDATE_LAYOUTS is set in the environment and is neither empty nor "0".
LayoutUpdate LayoutUpdateFromEnvironment();

// Compares the layouts of all events of `aggregates`, and of their older versions, with the file
// `path`.
//   returns   what is wrong, for people; empty: nothing, or only new events that were added
std::string CheckLayouts(std::span<const AggregateTraits* const> aggregates,
                         const std::string& path, LayoutUpdate update);

}  // namespace pawl::inline v0::testing
