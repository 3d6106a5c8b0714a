#pragma once

#include <absl/status/status.h>

namespace pawl::inline v0 {

// Keeps this process alive when bytes of a log that it has mapped are taken away: a file was cut
// short by somebody, or the disk cannot read it. The kernel says that by SIGBUS, which ends the
// process. With the guard the place reads as zeros from then on, and who reads there is told:
// a LogReader ends with DATA_LOSS, a view stops, an engine whose hot image it was fails
// (LogHealth::kFailed) before it has published or acknowledged anything of it.
//
// For the whole process and for good; call it once, before the first log is opened or attached to.
// A SIGBUS elsewhere goes to the handler that was there before, or ends the process as ever.
//   errors    UNKNOWN the kernel refuses the handler
//   threads   any
//   limits    4,096 mappings at a time; those beyond are not guarded
absl::Status InstallFaultGuard();

}  // namespace pawl::inline v0
