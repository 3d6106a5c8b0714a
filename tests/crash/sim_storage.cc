#include "sim_storage.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

bool ReachesDisk(SimOpKind kind) {
  return kind != SimOpKind::kStoreFrame && kind != SimOpKind::kStoreBytes &&
         kind != SimOpKind::kCreateImage;
}

bool IsAligned(const SimOp& op) {
  const auto is_aligned = [](std::span<const std::byte> bytes) {
    return bytes.empty() || (reinterpret_cast<std::uintptr_t>(bytes.data()) % kBlockBytes == 0 &&
                             bytes.size() % kBlockBytes == 0);
  };
  return op.offset % kBlockBytes == 0 && is_aligned(op.head) && is_aligned(op.tail);
}

}  // namespace

class SimStorage::Handle final : public File {
 public:
  Handle(SimStorage* machine, std::string path, std::uint64_t inode, FileMode mode)
      : machine_(machine), path_(std::move(path)), inode_(inode), mode_(mode) {}

  absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> into) override {
    if (machine_->is_off_) return machine_->Off();
    bool is_there = false;
    if (const std::shared_ptr<Pages> image = machine_->disk_.image(inode_)) {
      is_there = offset + into.size() <= image->size();
      if (is_there && !into.empty()) std::memcpy(into.data(), image->data() + offset, into.size());
    } else {
      const bool from_platter = mode_ == FileMode::kRead && !machine_->options_.is_buffered;
      is_there = machine_->disk_.file(inode_).Read(offset, into, from_platter);
    }
    if (is_there) return absl::OkStatus();
    return absl::OutOfRangeError(absl::StrCat(path_, ": ends before ", offset, " + ", into.size()));
  }

  absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                       std::span<const std::byte> tail) override {
    PAWL_CHECK(mode_ != FileMode::kRead);
    SimOp op = Op(mode_ == FileMode::kDurable ? SimOpKind::kWriteDurable : SimOpKind::kWrite);
    op.offset = offset;
    op.head = head;
    op.tail = tail;
    return machine_->Run(op);
  }

  absl::Status Allocate(std::uint64_t bytes) override {
    SimOp op = Op(SimOpKind::kAllocate);
    op.bytes = bytes;
    return machine_->Run(op);
  }

  absl::Status Sync() override {
    SimOp op = Op(SimOpKind::kSync);
    return machine_->Run(op);
  }

  bool is_direct() const noexcept override { return !machine_->options_.is_buffered; }

  absl::StatusOr<std::uint64_t> Size() override {
    if (machine_->is_off_) return machine_->Off();
    const std::shared_ptr<Pages> image = machine_->disk_.image(inode_);
    return image != nullptr ? image->size() : machine_->disk_.file(inode_).size();
  }

 private:
  SimOp Op(SimOpKind kind) const {
    SimOp op;
    op.kind = kind;
    op.path = path_;
    op.inode = inode_;
    return op;
  }

  SimStorage* const machine_;
  const std::string path_;
  const std::uint64_t inode_;
  const FileMode mode_;
};

class SimStorage::DirectoryLock final : public File {
 public:
  DirectoryLock(SimStorage* machine, std::string path)
      : machine_(machine), path_(std::move(path)) {}
  ~DirectoryLock() override { machine_->locked_.erase(path_); }
  absl::Status ReadAt(std::uint64_t, std::span<std::byte>) override { return Refuse(); }
  absl::Status WriteAt(std::uint64_t, std::span<const std::byte>,
                       std::span<const std::byte>) override {
    return Refuse();
  }
  absl::Status Allocate(std::uint64_t) override { return Refuse(); }
  absl::Status Sync() override { return Refuse(); }
  absl::StatusOr<std::uint64_t> Size() override { return Refuse(); }

 private:
  absl::Status Refuse() const { return absl::FailedPreconditionError("a lock holds no bytes"); }

  SimStorage* const machine_;
  const std::string path_;
};

class SimStorage::PagesMapping final : public Mapping {
 public:
  explicit PagesMapping(std::shared_ptr<Pages> pages)
      : Mapping(pages->data(), pages->size()), pages_(std::move(pages)) {}

 private:
  const std::shared_ptr<Pages> pages_;
};

SimStorage::SimStorage(const SimOptions& options)
    : options_(options),
      disk_(options.memory_root, options.disk_bytes_max, options.memory_bytes_max),
      random_(options.seed),
      clock_ns_(1'700'000'000'000'000'000ULL) {}

SimStorage::SimStorage(const SimStorage& from, SimDisk disk, std::uint64_t boot, std::uint64_t seed)
    : options_(from.options_),
      disk_(std::move(disk)),
      random_(seed),
      boot_(boot),
      clock_ns_(from.clock_ns_ + 1'000'000'000) {}

std::unique_ptr<SimStorage> SimStorage::Cut(CutChoices& choices, std::uint64_t seed) const {
  SimDisk disk = disk_;
  if (in_flight_ != nullptr) ApplyUnsynced(disk, *in_flight_);
  disk.PowerCut(choices);
  return std::unique_ptr<SimStorage>(new SimStorage(*this, std::move(disk), boot_ + 1, seed));
}

std::unique_ptr<SimStorage> SimStorage::Kill(CutChoices& choices, std::uint64_t seed) const {
  SimDisk disk = disk_.Clone();
  choices.Begin(1);
  if (in_flight_ != nullptr) {
    std::span<std::byte> image;
    const auto stored = images_.find(in_flight_->image);
    if (stored != images_.end()) {
      const std::shared_ptr<Pages> pages = disk.image(stored->second);
      image = {pages->data(), pages->size()};
    }
    ApplyPart(disk, *in_flight_, choices, image);
  }
  return std::unique_ptr<SimStorage>(new SimStorage(*this, std::move(disk), boot_, seed));
}

absl::Status SimStorage::Off() const { return absl::UnknownError("the power is off"); }

absl::Status SimStorage::Run(SimOp& op) {
  if (is_off_) return Off();
  op.number = ops_++;
  if (observer_) {
    in_flight_ = &op;
    observer_(op);
    in_flight_ = nullptr;
    if (is_off_) return Off();
  }
  if (op.kind == SimOpKind::kWriteDurable && !IsAligned(op)) {
    Violate(absl::StrCat(op.path, ": unaligned durable write at ", op.offset));
    return absl::UnknownError(absl::StrCat(op.path, ": invalid argument (errno 22)"));
  }
  if ((op.kind == SimOpKind::kWrite || op.kind == SimOpKind::kWriteDurable) && IsMapped(op.inode)) {
    Violate(absl::StrCat(op.path, ": written while it is mapped"));
  }
  if (op.kind == SimOpKind::kSync && failed_syncs_.contains(op.inode)) {
    Violate(absl::StrCat(op.path, ": synced again after a failed sync"));
  }
  if (ReachesDisk(op.kind)) {
    const std::uint64_t number = disk_ops_++;
    if (fault_ &&
        (number == fault_->at_disk_op || (fault_->is_sticky && number > fault_->at_disk_op))) {
      return Fail(op);
    }
  }
  const absl::Status done = ApplyOp(disk_, op, options_.lies);
  // A memory file system that is full is no trouble: the log has its own way around it.
  if (absl::IsResourceExhausted(done) && !disk_.IsInMemory(op.path)) had_trouble_ = true;
  return done;
}

// An operation that fails may have done a part of its work.
absl::Status SimStorage::Fail(const SimOp& op) {
  had_trouble_ = true;
  RandomCut choices(random_.Next(), CutMode::kCoin);
  if (op.kind == SimOpKind::kSync) {
    failed_syncs_.insert(op.inode);
    disk_.file(op.inode).FailSync(choices);
  } else if (op.kind == SimOpKind::kWriteDurable && options_.is_buffered) {
    // The page cache has all of it, the platter a part, and nobody will try again.
    SimFile& file = disk_.file(op.inode);
    file.Write(op.offset, op.head);
    file.Write(op.offset + op.head.size(), op.tail);
    file.FailSync(choices);
  } else if (op.kind == SimOpKind::kWriteDurable || op.kind == SimOpKind::kWrite) {
    WriteSectors(disk_.file(op.inode), op, choices);
  }
  return absl::Status(
      fault_->code, absl::StrCat(op.path, ": ", NameOf(op.kind), ": input/output error (errno 5)"));
}

bool SimStorage::IsMapped(std::uint64_t inode) const {
  const auto mappings = mapped_.find(inode);
  return mappings != mapped_.end() &&
         std::any_of(mappings->second.begin(), mappings->second.end(),
                     [](const std::weak_ptr<Mapping>& mapping) { return !mapping.expired(); });
}

void SimStorage::PutFile(const std::string& path, std::span<const std::byte> bytes,
                         SimDisk::Stored as) {
  PAWL_CHECK(as == SimDisk::Stored::kFile || !bytes.empty());  // no memory of no bytes
  disk_.PutFile(path, bytes.empty() ? nullptr : std::make_shared<Pages>(bytes), as);
}

std::shared_ptr<const Pages> SimStorage::PagesOf(const std::string& path) const {
  const absl::StatusOr<SimDisk::Entry> entry = disk_.Find(path);
  if (!entry.ok() || entry->is_directory) return nullptr;
  const std::shared_ptr<Pages> image = disk_.image(entry->inode);
  return image != nullptr ? image : disk_.file(entry->inode).seen();
}

std::vector<std::byte> SimStorage::Bytes(const std::string& path) const {
  const std::shared_ptr<const Pages> pages = PagesOf(path);
  if (pages == nullptr) return {};
  return {pages->data(), pages->data() + pages->size()};
}

bool SimStorage::Holds(const std::string& path, std::span<const std::byte> bytes) const {
  const absl::StatusOr<SimDisk::Entry> entry = disk_.Find(path);
  if (!entry.ok() || entry->is_directory) return false;
  const std::shared_ptr<const Pages> pages = PagesOf(path);
  if (pages == nullptr) return bytes.empty();
  return pages->size() == bytes.size() &&
         (bytes.empty() || std::memcmp(pages->data(), bytes.data(), bytes.size()) == 0);
}

void SimStorage::FlipBit(const std::string& path, std::uint64_t bit) {
  const absl::StatusOr<SimDisk::Entry> entry = disk_.Find(path);
  PAWL_CHECK(entry.ok());
  std::vector<std::byte> bytes = Bytes(path);
  std::byte& at = bytes.at(bit / 8);
  at ^= static_cast<std::byte>(1U << (bit % 8));
  disk_.file(entry->inode).WriteDurable(bit / 8, std::span(&at, 1));
}

absl::Status SimStorage::CreateDirectory(const std::string& path) {
  if (!is_off_ && disk_.Find(path).ok()) return disk_.CreateDirectory(path);
  if (options_.is_memory_forbidden && disk_.IsInMemory(path)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": permission denied (errno 13)"));
  }
  SimOp op;
  op.kind = SimOpKind::kCreateDirectory;
  op.path = path;
  return Run(op);
}

absl::Status SimStorage::RemoveDirectory(const std::string& path) {
  SimOp op;
  op.kind = SimOpKind::kRemoveDirectory;
  op.path = path;
  return Run(op);
}

absl::StatusOr<std::vector<std::string>> SimStorage::List(const std::string& directory) {
  if (is_off_) return Off();
  return disk_.List(directory);
}

absl::StatusOr<std::unique_ptr<File>> SimStorage::Open(const std::string& path, FileMode mode) {
  if (is_off_) return Off();
  if (mode == FileMode::kCreate) {
    SimOp op;
    op.kind = SimOpKind::kCreateFile;
    op.path = path;
    const absl::Status created = Run(op);
    if (!created.ok()) return created;
  }
  const absl::StatusOr<SimDisk::Entry> entry = disk_.Find(path);
  if (!entry.ok()) return entry.status();
  if (entry->is_directory) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a regular file"));
  }
  return std::make_unique<Handle>(this, path, entry->inode, mode);
}

absl::Status SimStorage::Rename(const std::string& from, const std::string& to) {
  SimOp op;
  op.kind = SimOpKind::kRename;
  op.path = from;
  op.to = to;
  return Run(op);
}

absl::Status SimStorage::Unlink(const std::string& path) {
  if (!is_off_ && !disk_.Find(path).ok()) return disk_.Find(path).status();
  SimOp op;
  op.kind = SimOpKind::kUnlink;
  op.path = path;
  return Run(op);
}

absl::Status SimStorage::SyncDirectory(const std::string& path) {
  SimOp op;
  op.kind = SimOpKind::kSyncDirectory;
  op.path = path;
  return Run(op);
}

absl::StatusOr<FileIdentity> SimStorage::Identify(const std::string& path) {
  if (is_off_) return Off();
  const absl::StatusOr<SimDisk::Entry> entry = disk_.Find(path);
  if (!entry.ok()) return entry.status();
  FileIdentity identity;
  identity.device = disk_.IsInMemory(path) ? 2U : 1U;
  identity.inode = entry->inode;
  if (entry->is_directory) identity.kind = FileIdentity::Kind::kDirectory;
  return identity;
}

absl::StatusOr<std::unique_ptr<File>> SimStorage::Lock(const std::string& directory) {
  if (is_off_) return Off();
  const absl::StatusOr<SimDisk::Entry> entry = disk_.Find(directory);
  if (!entry.ok()) return entry.status();
  if (!locked_.insert(directory).second) {
    return absl::FailedPreconditionError(absl::StrCat(directory, ": locked by another engine"));
  }
  return std::make_unique<DirectoryLock>(this, directory);
}

absl::StatusOr<std::shared_ptr<Mapping>> SimStorage::MapImage(const std::string& path,
                                                              std::uint64_t bytes) {
  if (is_off_) return Off();
  if (bytes > 0) {
    SimOp op;
    op.kind = SimOpKind::kCreateImage;
    op.path = path;
    op.bytes = bytes;
    const absl::Status created = Run(op);
    if (!created.ok()) return created;
  }
  const absl::StatusOr<SimDisk::Entry> entry = disk_.Find(path);
  if (!entry.ok()) return entry.status();
  const std::shared_ptr<Pages> image = disk_.image(entry->inode);
  if (image == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is no image"));
  }
  images_[image->data()] = entry->inode;
  return std::make_shared<PagesMapping>(image);
}

absl::StatusOr<std::shared_ptr<Mapping>> SimStorage::MapFile(const std::string& path) {
  if (is_off_) return Off();
  const absl::StatusOr<SimDisk::Entry> entry = disk_.Find(path);
  if (!entry.ok()) return entry.status();
  std::shared_ptr<Pages> pages = disk_.image(entry->inode);
  if (pages == nullptr) pages = disk_.file(entry->inode).seen();
  if (pages == nullptr) pages = std::make_shared<Pages>(0);
  auto mapping = std::make_shared<PagesMapping>(std::move(pages));
  mapped_[entry->inode].push_back(mapping);
  return mapping;
}

void SimStorage::StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                            std::uint32_t bytes) noexcept {
  PAWL_CHECK(bytes >= sizeof(FrameHeader) && offset + bytes <= image.size());
  SimOp op;
  op.kind = SimOpKind::kStoreFrame;
  op.offset = offset;
  op.head = {frame, bytes};
  op.image = image.data();
  static_cast<void>(Run(op).ok());  // Ok, or the power is off
}

void SimStorage::StoreBytes(Mapping& image, std::uint64_t offset,
                            std::span<const std::byte> bytes) noexcept {
  PAWL_CHECK(offset + bytes.size() <= image.size());
  SimOp op;
  op.kind = SimOpKind::kStoreBytes;
  op.offset = offset;
  op.head = bytes;
  op.image = image.data();
  static_cast<void>(Run(op).ok());  // Ok, or the power is off
}

absl::StatusOr<BootId> SimStorage::ReadBootId() {
  if (is_off_) return Off();
  if (!options_.has_boot_id) return absl::NotFoundError("boot_id: no such file (errno 2)");
  BootId id{};
  std::memcpy(id.data(), &boot_, sizeof boot_);
  id[15] = 0x50;  // never all zeros
  return id;
}

std::uint64_t SimStorage::WallClockNs() { return clock_ns_ += 1'000; }

}  // namespace pawl::inline v0
