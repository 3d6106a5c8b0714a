#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pawl/format.h"
#include "sim_storage.h"

namespace pawl::inline v0 {

using Bytes = std::vector<std::byte>;

// The files of a log and of its hot directory by number: an edit script names them in one byte, so
// the order is part of the format of every input in corpus/.
inline constexpr std::size_t kSegmentsMax = 4;
inline constexpr std::size_t kManifestFile = 0;
inline constexpr std::size_t kEvidenceFile = 1;
inline constexpr std::size_t kFirstSegment = 2;
inline constexpr std::size_t kFirstImage = kFirstSegment + kSegmentsMax;  // in the hot directory
inline constexpr std::size_t kMarksFile = kFirstImage + kSegmentsMax;
inline constexpr std::size_t kFirstLogImage = kMarksFile + 1;  // in the log directory
inline constexpr std::size_t kLogMarksFile = kFirstLogImage + kSegmentsMax;
inline constexpr std::size_t kDraftFile = kLogMarksFile + 1;  // of a segment, from a dead preparer
inline constexpr std::size_t kCutFile = kDraftFile + 1;       // kept by an earlier open
inline constexpr std::size_t kFiles = kCutFile + 1;

inline constexpr std::uint64_t kSegmentBytes = kSegmentBytesMin;
// Of all files of one input together.
inline constexpr std::size_t kFileBytesMax = 2 * kSegmentBytes;

// Sets of files, bit n for file n.
inline constexpr std::uint32_t kAllFiles = (1U << kFiles) - 1;
inline constexpr std::uint32_t kSegmentFiles = ((1U << kSegmentsMax) - 1) << kFirstSegment;

using LogFiles = std::array<std::optional<Bytes>, kFiles>;

inline constexpr char kLogDirectory[] = "/disk/log";
inline constexpr char kHotDirectory[] = "/dev/shm/hot";

std::string PathOf(std::size_t file);
// True for images and marks: memory that is mapped, not read.
bool IsImage(std::size_t file) noexcept;

// A new machine that holds `files`, all of them durable. The manifest is its first file: marks can
// name its inode, kManifestInode, beforehand.
SimOptions MachineOptions(bool is_buffered);
void PutFiles(const LogFiles& files, SimStorage& machine);
// True if the machine's two directories hold these files and nothing else.
bool HoldsFiles(const LogFiles& files, SimStorage& machine);
inline constexpr std::uint64_t kManifestDevice = 1;
inline constexpr std::uint64_t kManifestInode = 6;

template <class T>
T LoadAt(std::span<const std::byte> bytes, std::size_t offset) noexcept {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void StoreAt(std::span<std::byte> bytes, std::size_t offset, const T& value) noexcept {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

}  // namespace pawl::inline v0
