#pragma once

#include <cstdint>
#include <string_view>

#include "log_files.h"

namespace pawl::inline v0 {

// The valid logs that edit scripts start from. They are built from FORMAT.md's tables and not by
// the engine, so that an input of the corpus means the same however the engine writes. Their order
// is part of the format of every input in corpus/: new ones go behind the last.
enum class MadeLog : std::uint8_t {
  kNothing,       // a directory without files
  kClosed,        // one segment, a clean stop
  kCut,           // two segments, power cut; no evidence covers the last frame
  kKilled,        // the same machine still runs: images and marks, the newest frame only there
  kKilledInLog,   // the same where the hot directory could not be used
  kSecondLife,    // two epochs, a third segment prepared and empty, a draft and a kept tear
  kNearlyFull,    // hardly a frame fits into the tail's rest
  kAheadOfFiles,  // killed when the images had gone on to a segment that has no file yet
  kStreamClosed,  // one segment: a stream is closed, and its key used again
  kWithTimers,    // a clean stop, timers set, fired and cancelled before, a clock adopted
  kSessions,      // as kClosed; sessions on both lanes, closed and opened again; idempotency keys
};
inline constexpr std::uint8_t kMadeLogs = 11;

const LogFiles& FilesOf(MadeLog log);

// What the records of the made logs speak of; a program that reads them registers the same.
inline constexpr std::string_view kMadeCategory = "probe";
inline constexpr std::string_view kMadeType = "probe.probed";
inline constexpr std::string_view kMadeLayout = "value:i64@0";
inline constexpr std::uint64_t kMadeLayoutHash = 0x1122334455667788;
inline constexpr std::uint32_t kMadeEventBytes = 8;

// Appends a frame with these commits behind the last one, as far as it fits; RepairLog() gives it
// its checksum and its place in the chain.
void AppendFrame(Bytes& segment, std::span<const std::byte> commits, FrameKind kind,
                 std::uint8_t flags);

}  // namespace pawl::inline v0
