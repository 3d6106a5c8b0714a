#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/format.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {

inline constexpr const char* kManifestName = "manifest";

std::string HexOf(const LogId& id);

// Facts of a new log: random id, time of creation.
Manifest NewManifest(Storage& storage, std::uint64_t segment_bytes);

absl::Status WriteManifest(Storage& storage, const std::string& directory,
                           const Manifest& manifest);

//   errors    NOT_FOUND there is none; DATA_LOSS damaged; FAILED_PRECONDITION of a newer format, or
//             not a manifest at all
absl::StatusOr<Manifest> ReadManifest(Storage& storage, const std::string& directory);

// Header of segment `index`, the first block of its file and of its image.
SegmentHeader NewSegmentHeader(Storage& storage, const Manifest& manifest, std::uint64_t index,
                               std::uint32_t epoch);

//   path      for the message
//   errors    DATA_LOSS damaged or of another log or segment; FAILED_PRECONDITION newer format
absl::Status CheckSegmentHeader(const SegmentHeader& header, const Manifest& manifest,
                                std::uint64_t index, const std::string& path);

// The header of the file of segment `index`, checked.
//   errors    as above; what reading says
absl::StatusOr<SegmentHeader> ReadSegmentHeader(File& file, const Manifest& manifest,
                                                std::uint64_t index, const std::string& path);

}  // namespace pawl::inline v0
