#pragma once

#include "durable_subject.h"
#include "pawl/engine.h"

// Subject `pawl` of the scenario: the engine, used as its README says. Every run opens a log of
// its own, and ends by opening it once more and counting what is there.
namespace pawl::inline v0::bench {

// Batches of commands to be answered "published", batches to be answered "durable", and writes to
// a bare file of its own, in turns of some 50 MB (a disk may be slower for minutes, or after so
// many bytes); `is_turned`: in the opposite order. No turn begins before the disk has caught up.
LoadResult RunLoad(const DurableOptions& options, bool is_turned);

// One durable command now and then, executed while nothing else is under way.
//   threads   kOwn: default idle strategy; kHost: the sender's thread is the loop
TimedResult RunIsolated(const DurableOptions& options, Threads threads);

// Durable commands at a fixed rate, each sent at its time or as soon as the window lets it.
TimedResult RunPaced(const DurableOptions& options);

}  // namespace pawl::inline v0::bench
