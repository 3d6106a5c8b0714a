#pragma once

#include <string>

#include <absl/status/status.h>

#include "pawl/storage.h"

namespace pawl::inline v0 {

// Names that a log gives to its files (FORMAT.md, "Files"), drafts included. Whatever has another
// name in its directories belongs to somebody else, and is left alone.
bool IsLogName(const std::string& name);
bool IsHotName(const std::string& name);
bool IsImageName(const std::string& name);
bool IsSegmentName(const std::string& name);  // or that of its index; no draft

// Refuses to go into a directory where others can change the log behind our back, or to follow a
// link there.
//   is_ours_only   also one that belongs to another user
//   errors    NOT_FOUND there is none; FAILED_PRECONDITION as said
absl::Status CheckDirectory(Storage& storage, const std::string& path, bool allow_shared,
                            bool is_ours_only);

// Refuses what is no regular file of this user under a name of ours, before anything is opened,
// replaced or removed.
//   is_name   which names are ours: IsLogName or IsHotName
//   errors    FAILED_PRECONDITION with the path and what is there
absl::Status CheckNames(Storage& storage, const std::string& directory,
                        bool (*is_name)(const std::string&));

}  // namespace pawl::inline v0
