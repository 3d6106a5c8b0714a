#pragma once

#include "or_fail.h"
#include "pawl/log.h"

namespace pawl::inline v0::bench {

// Makes durable what is published, and the next segment ready: all that the disk agents would do
// now.
inline void RunDiskAgents(Log& log) {
  while (log.HasSyncWork() || log.HasPrepareWork()) {
    log.SyncWork();
    log.PrepareWork();
    OrFail(log.error());
  }
}

}  // namespace pawl::inline v0::bench
