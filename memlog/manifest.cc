#include "manifest.h"

#include <algorithm>
#include <memory>
#include <span>

#include "block_file.h"
#include "frame_checksum.h"

namespace pawl::inline v0 {
namespace {

template <class Block>
bool HasOnlyZeros(const Block& block) noexcept {
  return std::all_of(std::begin(block.zeros), std::end(block.zeros),
                     [](std::uint8_t byte) { return byte == 0; });
}

absl::Status NewerFormat(const std::string& path, std::uint32_t version) {
  return absl::FailedPreconditionError(
      path + " has format version " + std::to_string(version) + ", this library reads up to " +
      std::to_string(kFormatVersion) + ": open it with a newer library");
}

absl::Status CheckManifest(const Manifest& manifest, const std::string& path) {
  if (manifest.magic != kManifestMagic && BlockChecksum(manifest) == manifest.checksum) {
    return absl::FailedPreconditionError(path + " belongs to another program: move it away");
  }
  if (manifest.magic != kManifestMagic || BlockChecksum(manifest) != manifest.checksum) {
    return absl::DataLossError(path +
                               " is damaged (checksum at offset 4092): restore it from a backup "
                               "of this log, or run `pawl repair` into a new directory");
  }
  if (manifest.format_version > kFormatVersion) return NewerFormat(path, manifest.format_version);
  const bool is_sane = manifest.format_version == kFormatVersion && manifest.reserved == 0 &&
                       manifest.segment_bytes >= kSegmentBytesMin &&
                       manifest.segment_bytes <= kSegmentBytesMax &&
                       manifest.segment_bytes % kSegmentBytesMin == 0 && HasOnlyZeros(manifest);
  if (!is_sane) return absl::DataLossError(path + " has values out of range");
  return absl::OkStatus();
}

}  // namespace

std::string HexOf(const LogId& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : id) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Manifest NewManifest(Storage& storage, std::uint64_t segment_bytes) {
  Manifest manifest{};
  manifest.magic = kManifestMagic;
  manifest.format_version = kFormatVersion;
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint64_t random = storage.Random();
    for (std::size_t i = 0; i < 8; ++i) {
      manifest.log_id[half * 8 + i] = static_cast<std::uint8_t>(random >> (8 * i));
    }
  }
  manifest.segment_bytes = segment_bytes;
  manifest.created_ns = storage.WallClockNs();
  manifest.checksum = BlockChecksum(manifest);
  return manifest;
}

absl::Status WriteManifest(Storage& storage, const std::string& directory,
                           const Manifest& manifest) {
  return ReplaceFile(storage, directory, kManifestName, BytesOf(manifest));
}

absl::StatusOr<Manifest> ReadManifest(Storage& storage, const std::string& directory) {
  const std::string path = directory + "/" + kManifestName;
  absl::StatusOr<std::unique_ptr<File>> file = storage.Open(path, FileMode::kRead);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size != sizeof(Manifest)) {
    return absl::DataLossError(path + " has " + std::to_string(*size) + " bytes, a manifest has " +
                               std::to_string(sizeof(Manifest)) +
                               ": restore it from a backup of this log");
  }
  Manifest manifest;
  const absl::Status read =
      (*file)->ReadAt(0, std::as_writable_bytes(std::span<Manifest, 1>(&manifest, 1)));
  if (!read.ok()) return read;
  if (const absl::Status good = CheckManifest(manifest, path); !good.ok()) return good;
  return manifest;
}

SegmentHeader NewSegmentHeader(Storage& storage, const Manifest& manifest, std::uint64_t index,
                               std::uint32_t epoch) {
  SegmentHeader header{};
  header.magic = kSegmentMagic;
  header.format_version = kFormatVersion;
  header.salt = static_cast<std::uint32_t>(storage.Random());
  header.log_id = manifest.log_id;
  header.index = index;
  header.segment_bytes = manifest.segment_bytes;
  header.epoch = epoch;
  header.checksum = BlockChecksum(header);
  return header;
}

absl::Status CheckSegmentHeader(const SegmentHeader& header, const Manifest& manifest,
                                std::uint64_t index, const std::string& path) {
  if (header.magic != kSegmentMagic || BlockChecksum(header) != header.checksum) {
    return absl::DataLossError(path +
                               " has a damaged header (offset 0): restore the file from a "
                               "backup, or run `pawl repair` into a new directory");
  }
  if (header.format_version > kFormatVersion) return NewerFormat(path, header.format_version);
  if (header.log_id != manifest.log_id) {
    return absl::DataLossError(path + " belongs to log " + HexOf(header.log_id) + ", not to log " +
                               HexOf(manifest.log_id) + ": put the right file in its place");
  }
  if (header.index != index || header.segment_bytes != manifest.segment_bytes) {
    return absl::DataLossError(path + " is segment " + std::to_string(header.index) + " of " +
                               std::to_string(header.segment_bytes) +
                               " bytes: put the right file in its place");
  }
  return absl::OkStatus();
}

absl::StatusOr<SegmentHeader> ReadSegmentHeader(File& file, const Manifest& manifest,
                                                std::uint64_t index, const std::string& path) {
  SegmentHeader header{};
  const absl::Status read =
      file.ReadAt(0, std::as_writable_bytes(std::span<SegmentHeader, 1>(&header, 1)));
  // What a file cut short does not have is zeros, and those are no header.
  if (!read.ok() && !absl::IsOutOfRange(read)) return read;
  if (const absl::Status good = CheckSegmentHeader(header, manifest, index, path); !good.ok()) {
    return good;
  }
  return header;
}

}  // namespace pawl::inline v0
