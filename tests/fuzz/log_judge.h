#pragma once

#include <cstdint>
#include <vector>

#include "frame_walk.h"
#include "log_files.h"
#include "pawl/log.h"

namespace pawl::inline v0 {

// The frames with commits that a reader hands out, from the first one on. Checks that they follow
// each other, that their records have the positions that follow, and that the reader ends well.
std::vector<FrameWalk::Frame> ReadFrames(const Log& log);

// Checks what Open() made of `files`: the frames it recovered are those that FrameWalk finds in
// them, no more and no fewer, and nothing that evidence or marks speak of is missing.
void CheckRecovered(const LogFiles& files, const Log& log);

// The directory is no log and holds no part of one: Open() creates one.
bool IsNoLog(const LogFiles& files);

}  // namespace pawl::inline v0
