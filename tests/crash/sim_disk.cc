#include "sim_disk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {

SimDisk::SimDisk(std::string memory_root, std::uint64_t disk_bytes_max,
                 std::uint64_t memory_bytes_max)
    : memory_root_(std::move(memory_root)),
      disk_bytes_max_(disk_bytes_max),
      memory_bytes_max_(memory_bytes_max) {
  directories_[""];
  // The memory root is there on every boot, with all that leads to it.
  for (std::size_t at = 1; at != std::string::npos;) {
    at = memory_root_.find('/', at + 1);
    const std::string path = memory_root_.substr(0, at);
    directories_[path];
    const Entry entry{.inode = next_inode_++, .is_directory = true};
    Directory& parent = directories_[std::string(Parent(path))];
    parent.seen[std::string(Name(path))] = entry;
    parent.platter[std::string(Name(path))] = entry;
  }
}

std::string_view SimDisk::Parent(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view SimDisk::Name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

absl::Status SimDisk::NotFound(std::string_view path) {
  return absl::NotFoundError(
      absl::StrCat(std::string(path), ": no such file or directory (errno 2)"));
}

bool SimDisk::IsInMemory(const std::string& path) const {
  return path.size() > memory_root_.size() &&
         path.compare(0, memory_root_.size(), memory_root_) == 0 &&
         path[memory_root_.size()] == '/';
}

bool SimDisk::IsMemory(std::string_view directory) const {
  return directory.starts_with(memory_root_) &&
         (directory.size() == memory_root_.size() || directory[memory_root_.size()] == '/');
}

absl::StatusOr<SimDisk::Entry> SimDisk::Find(const std::string& path) const {
  const auto directory = directories_.find(Parent(path));
  if (directory == directories_.end()) return NotFound(path);
  const auto entry = directory->second.seen.find(Name(path));
  if (entry == directory->second.seen.end()) return NotFound(path);
  return entry->second;
}

void SimDisk::Apply(Names& names, const Unsynced& change) {
  switch (change.change) {
    case NameChange::kLink: names[change.name] = change.entry; break;
    case NameChange::kUnlink: names.erase(change.name); break;
    case NameChange::kRename: {
      const auto from = names.find(change.name);
      if (from != names.end() && from->second.inode == change.entry.inode) names.erase(from);
      names[change.to] = change.entry;
      break;
    }
  }
}

void SimDisk::Change(std::string_view directory, Unsynced change) {
  const auto there = directories_.find(directory);
  Directory& names =
      there != directories_.end() ? there->second : directories_[std::string(directory)];
  Apply(names.seen, change);
  // Names in memory have no platter.
  if (!IsMemory(directory)) names.unsynced.push_back(std::move(change));
}

absl::Status SimDisk::CreateDirectory(const std::string& path) {
  const absl::StatusOr<Entry> there = Find(path);
  if (there.ok()) {
    return there->is_directory ? absl::OkStatus()
                               : absl::FailedPreconditionError(absl::StrCat(path, ": is a file"));
  }
  if (directories_.find(Parent(path)) == directories_.end()) return NotFound(Parent(path));
  Change(Parent(path), {.change = NameChange::kLink,
                        .name = std::string(Name(path)),
                        .to = {},
                        .entry = {.inode = next_inode_++, .is_directory = true}});
  directories_[path];
  return absl::OkStatus();
}

absl::Status SimDisk::RemoveDirectory(const std::string& path) {
  const absl::StatusOr<Entry> there = Find(path);
  if (!there.ok()) return there.status();
  if (!there->is_directory || !directories_[path].seen.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": directory not empty (errno 39)"));
  }
  Change(Parent(path), {NameChange::kUnlink, std::string(Name(path)), {}, *there});
  // The directory itself stays until its end is durable: a cut may bring it back, empty or not.
  if (IsInMemory(path)) directories_.erase(path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SimDisk::List(const std::string& path) const {
  const absl::StatusOr<Entry> there = Find(path);
  if (!there.ok()) return there.status();
  if (!there->is_directory) return NotFound(path);
  std::vector<std::string> names;
  for (const auto& [name, entry] : directories_.at(path).seen) names.push_back(name);
  return names;
}

absl::Status SimDisk::CreateFile(const std::string& path) {
  if (directories_.find(Parent(path)) == directories_.end()) return NotFound(path);
  if (Find(path).ok()) {
    return absl::AlreadyExistsError(absl::StrCat(path, ": file exists (errno 17)"));
  }
  const Entry entry{.inode = next_inode_++, .is_directory = false};
  nodes_[entry.inode].is_in_memory = IsInMemory(path);
  Change(Parent(path), {NameChange::kLink, std::string(Name(path)), {}, entry});
  return absl::OkStatus();
}

absl::Status SimDisk::Rename(const std::string& from, const std::string& to) {
  const absl::StatusOr<Entry> source = Find(from);
  if (!source.ok()) return source.status();
  PAWL_CHECK(!source->is_directory && Parent(from) == Parent(to));  // not simulated
  Change(Parent(from),
         {NameChange::kRename, std::string(Name(from)), std::string(Name(to)), *source});
  return absl::OkStatus();
}

absl::Status SimDisk::Unlink(const std::string& path) {
  const absl::StatusOr<Entry> there = Find(path);
  if (!there.ok()) return there.status();
  if (there->is_directory) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is a directory (errno 21)"));
  }
  Change(Parent(path), {NameChange::kUnlink, std::string(Name(path)), {}, *there});
  return absl::OkStatus();
}

absl::Status SimDisk::SyncDirectory(const std::string& path) {
  if (path != "" && !Find(path).ok()) return NotFound(path);
  const auto directory = directories_.find(path);
  if (directory == directories_.end()) return NotFound(path);
  directory->second.platter = directory->second.seen;
  directory->second.unsynced.clear();
  return absl::OkStatus();
}

std::uint64_t SimDisk::FreeBytes(bool in_memory) const {
  std::uint64_t used = 0;
  for (const auto& [path, directory] : directories_) {
    for (const auto& [name, entry] : directory.seen) {
      if (entry.is_directory) continue;
      const Node& node = nodes_.at(entry.inode);
      if (node.is_in_memory != in_memory) continue;
      used += node.image != nullptr ? node.image->size() : node.file.size();
    }
  }
  const std::uint64_t limit = in_memory ? memory_bytes_max_ : disk_bytes_max_;
  return used < limit ? limit - used : 0;
}

absl::Status SimDisk::Allocate(std::uint64_t inode, std::uint64_t bytes) {
  Node& node = nodes_.at(inode);
  if (bytes <= node.file.size()) return absl::OkStatus();
  const std::uint64_t wanted = bytes - node.file.size();
  const std::uint64_t free = FreeBytes(node.is_in_memory);
  node.file.Allocate(node.file.size() + std::min(wanted, free));
  if (free >= wanted) return absl::OkStatus();
  return absl::ResourceExhaustedError("no space left on the device (errno 28)");
}

absl::Status SimDisk::CreateImage(const std::string& path, std::uint64_t bytes) {
  const auto directory = directories_.find(Parent(path));
  if (directory == directories_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat(std::string(Parent(path)), ": no such directory"));
  }
  if (FreeBytes(IsInMemory(path)) < bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": no space left (errno 28)"));
  }
  const Entry entry{.inode = next_inode_++, .is_directory = false};
  Node& node = nodes_[entry.inode];
  node.image = std::make_shared<Pages>(bytes);
  node.is_in_memory = IsInMemory(path);
  Change(Parent(path), {NameChange::kLink, std::string(Name(path)), {}, entry});
  return absl::OkStatus();
}

void SimDisk::PutFile(const std::string& path, std::shared_ptr<Pages> pages, Stored as) {
  PAWL_CHECK(!Find(path).ok());
  const Entry entry{.inode = next_inode_++, .is_directory = false};
  Node& node = nodes_[entry.inode];
  node.is_in_memory = IsInMemory(path);
  if (as == Stored::kImage) {
    node.image = std::move(pages);
  } else {
    node.file = SimFile(std::move(pages));
  }
  const auto directory = directories_.find(Parent(path));
  PAWL_CHECK(directory != directories_.end());
  directory->second.seen[std::string(Name(path))] = entry;
  if (!node.is_in_memory) directory->second.platter[std::string(Name(path))] = entry;
}

SimFile& SimDisk::file(std::uint64_t inode) { return nodes_.at(inode).file; }

const SimFile& SimDisk::file(std::uint64_t inode) const { return nodes_.at(inode).file; }

std::shared_ptr<Pages> SimDisk::image(std::uint64_t inode) const { return nodes_.at(inode).image; }

SimDisk SimDisk::Clone() const {
  SimDisk copy = *this;
  for (auto& [inode, node] : copy.nodes_) {
    if (node.image == nullptr) continue;
    node.image = std::make_shared<Pages>(*node.image, node.image->size());
  }
  return copy;
}

void SimDisk::DropDirectory(const std::string& path) {
  for (auto it = directories_.begin(); it != directories_.end();) {
    const bool is_below =
        it->first == path || it->first.compare(0, path.size() + 1, path + "/") == 0;
    it = is_below ? directories_.erase(it) : std::next(it);
  }
}

// Each un-synced name operation of its own accord: there or not.
void SimDisk::CutNames(CutChoices& choices) {
  std::vector<std::string> lost;
  for (auto& [path, directory] : directories_) {
    if (IsMemory(path)) {
      for (const auto& [name, entry] : directory.seen) {
        if (entry.is_directory) lost.push_back(absl::StrCat(path, "/", name));
      }
      directory = Directory{};
      continue;
    }
    for (const Unsynced& change : directory.unsynced) {
      if (choices.Happened()) Apply(directory.platter, change);
    }
    directory.unsynced.clear();
    directory.seen = directory.platter;
  }
  for (const auto& [path, directory] : directories_) {
    if (path != "" && !Find(path).ok()) lost.push_back(path);
  }
  for (const std::string& path : lost) DropDirectory(path);
}

// An image outside memory is a mapped file: any sector of it may be old, which is zeros.
void SimDisk::CutImage(Pages& image, CutChoices& choices) {
  for (std::uint64_t at = 0; at < image.size(); at += kSectorBytes) {
    if (choices.Stores(0, 1) == 0) {
      std::memset(image.data() + at, 0, std::min(kSectorBytes, image.size() - at));
    }
  }
}

void SimDisk::PowerCut(CutChoices& choices) {
  CutNames(choices);
  std::map<std::uint64_t, Node> kept;
  std::uint32_t dirty_pages = 0;
  std::vector<std::pair<Node*, std::uint32_t>> first_pages;
  for (const auto& [path, directory] : directories_) {
    for (const auto& [name, entry] : directory.seen) {
      if (entry.is_directory || kept.contains(entry.inode)) continue;
      Node& node = kept[entry.inode] = std::move(nodes_.at(entry.inode));
      first_pages.emplace_back(&node, dirty_pages);
      if (node.image == nullptr && node.file.is_dirty()) dirty_pages += node.file.CountDirtyPages();
    }
  }
  nodes_ = std::move(kept);
  choices.Begin(dirty_pages);
  for (const auto& [node, first_page] : first_pages) {
    if (node->image == nullptr) {
      node->file.PowerCut(choices, first_page);
      continue;
    }
    node->image = std::make_shared<Pages>(*node->image, node->image->size());
    CutImage(*node->image, choices);
  }
}

}  // namespace pawl::inline v0
