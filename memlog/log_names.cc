#include "log_names.h"

#include <algorithm>
#include <string_view>

#include "evidence.h"
#include "hot_images.h"
#include "manifest.h"
#include "segment_source.h"

namespace pawl::inline v0 {
namespace {

constexpr std::string_view kDraftEnd = ".tmp";

std::string WithoutDraftEnd(std::string name) {
  if (name.ends_with(kDraftEnd)) name.resize(name.size() - kDraftEnd.size());
  return name;
}

// 0000000007 and the extension.
bool IsNumbered(const std::string& name, std::string_view extension) {
  if (!name.ends_with(extension)) return false;
  return SegmentIndexOf(name.substr(0, name.size() - extension.size()) + ".seg").has_value();
}

// 4096.cut, 4096-1.cut
bool IsCut(const std::string& name) {
  constexpr std::string_view kEnd = ".cut";
  if (!name.ends_with(kEnd) || name.size() == kEnd.size()) return false;
  return std::all_of(name.begin(), name.end() - static_cast<std::ptrdiff_t>(kEnd.size()),
                     [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
}

std::string_view NameOf(FileIdentity::Kind kind) noexcept {
  switch (kind) {
    case FileIdentity::Kind::kRegular: return "a regular file";
    case FileIdentity::Kind::kDirectory: return "a directory";
    case FileIdentity::Kind::kLink: return "a symbolic link";
    case FileIdentity::Kind::kOther: break;
  }
  return "a FIFO, socket or device";
}

absl::Status CheckFile(const FileIdentity& found, const std::string& path) {
  if (found.kind != FileIdentity::Kind::kRegular) {
    return absl::FailedPreconditionError(path + " is " + std::string(NameOf(found.kind)) +
                                         ", not a file of the log: move it away");
  }
  if (found.is_ours) return absl::OkStatus();
  return absl::FailedPreconditionError(path + " belongs to user " + std::to_string(found.owner) +
                                       ": move it away, or give it to the user of this process");
}

}  // namespace

bool IsImageName(const std::string& name) { return IsNumbered(WithoutDraftEnd(name), ".img"); }

bool IsSegmentName(const std::string& name) {
  return IsNumbered(name, ".seg") || IsNumbered(name, ".idx");
}

bool IsHotName(const std::string& name) {
  return name == kMarksName || name == kReadersName || name == kStatisticsName ||
         name == kFlightNoteName || name == "lock" || IsImageName(name);
}

bool IsLogName(const std::string& name) {
  if (IsHotName(name)) return true;
  const std::string whole = WithoutDraftEnd(name);
  return whole == kManifestName || whole == kEvidenceName || whole == kDeathsName ||
         IsSegmentName(whole) || IsCut(whole);
}

absl::Status CheckDirectory(Storage& storage, const std::string& path, bool allow_shared,
                            bool is_ours_only) {
  const absl::StatusOr<FileIdentity> found = storage.Identify(path);
  if (!found.ok()) return found.status();
  if (found->kind == FileIdentity::Kind::kLink) {
    return absl::FailedPreconditionError(path +
                                         " is a symbolic link: name the directory it leads to");
  }
  if (found->kind != FileIdentity::Kind::kDirectory) {
    return absl::FailedPreconditionError(path + " is " + std::string(NameOf(found->kind)) +
                                         ", not a directory: move it away");
  }
  if (allow_shared) return absl::OkStatus();
  if (found->is_writable_by_all) {
    return absl::FailedPreconditionError(
        path +
        " can be written by every user: take that permission away (chmod o-w), name another "
        "directory, or set allow_shared_directory");
  }
  // Root can change everything anyway, and often owns what is mounted.
  if (is_ours_only && !found->is_ours && found->owner != 0) {
    return absl::FailedPreconditionError(
        path + " belongs to user " + std::to_string(found->owner) +
        ": move it away, name another directory, or set allow_shared_directory");
  }
  return absl::OkStatus();
}

absl::Status CheckNames(Storage& storage, const std::string& directory,
                        bool (*is_name)(const std::string&)) {
  const absl::StatusOr<std::vector<std::string>> names = storage.List(directory);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!is_name(name)) continue;
    const std::string path = directory + "/" + name;
    const absl::StatusOr<FileIdentity> found = storage.Identify(path);
    // Another engine may be at work here; the lock tells.
    if (absl::IsNotFound(found.status())) continue;
    if (!found.ok()) return found.status();
    if (absl::Status ours = CheckFile(*found, path); !ours.ok()) return ours;
  }
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
