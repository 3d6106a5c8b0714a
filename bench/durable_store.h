#pragma once

#include "durable_subject.h"

namespace pawl::inline v0::bench {

// Frames of 128 bytes at 10 MB/s, one thread that writes them and one that syncs behind it without
// a pause: how long is the first one held up by a frame? `is_direct` says it of the log's file.

// The log: a commit of one record, published as a frame of its own; the log's agents behind.
TimedResult RunLogStore(const DurableOptions& options);

// One buffered write per frame, of the finished bytes; the thread behind calls fdatasync.
TimedResult RunPwriteStore(const DurableOptions& options);

}  // namespace pawl::inline v0::bench
