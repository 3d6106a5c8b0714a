#include "failing_storage.h"

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {

const char* NameOf(FailurePlan::Effect effect) noexcept {
  switch (effect) {
    case FailurePlan::Effect::kNothing: return "nothing";
    case FailurePlan::Effect::kPart: return "part";
    case FailurePlan::Effect::kDone: return "done";
  }
  return "unknown";
}

bool FailingStorage::IsDue() {
  const std::uint64_t call = calls_++;
  return call == plan_.call || (plan_.is_sticky && call > plan_.call);
}

template <class Call>
auto FailingStorage::Run(const char* name, const std::string& path, bool changes, Call call)
    -> decltype(call()) {
  if (!IsDue()) return call();
  if (failed_.empty()) failed_ = absl::StrCat(name, " ", path, ", call ", calls_ - 1);
  if (changes && plan_.effect == FailurePlan::Effect::kPart) {
    machine_->set_fault({.at_disk_op = machine_->disk_ops(), .code = plan_.code});
    auto done = call();
    machine_->clear_trouble();
    return done;
  }
  if (changes && plan_.effect == FailurePlan::Effect::kDone) {
    auto done = call();
    if (!done.ok()) return done;
  }
  return absl::Status(plan_.code, absl::StrCat(name, " ", path, ": told to fail"));
}

class FailingStorage::FailingFile final : public File {
 public:
  FailingFile(FailingStorage* storage, std::string path, std::unique_ptr<File> file)
      : storage_(storage), path_(std::move(path)), file_(std::move(file)) {}

  absl::Status ReadAt(std::uint64_t offset, std::span<std::byte> into) override {
    return storage_->Run("read", path_, false, [&] { return file_->ReadAt(offset, into); });
  }
  absl::Status WriteAt(std::uint64_t offset, std::span<const std::byte> head,
                       std::span<const std::byte> tail) override {
    return storage_->Run("write", path_, true, [&] { return file_->WriteAt(offset, head, tail); });
  }
  absl::Status Allocate(std::uint64_t bytes) override {
    return storage_->Run("allocate", path_, true, [&] { return file_->Allocate(bytes); });
  }
  absl::Status Sync() override {
    return storage_->Run("sync", path_, true, [&] { return file_->Sync(); });
  }
  absl::StatusOr<std::uint64_t> Size() override {
    return storage_->Run("size", path_, false, [&] { return file_->Size(); });
  }
  bool is_direct() const noexcept override { return file_->is_direct(); }

 private:
  FailingStorage* const storage_;
  const std::string path_;
  const std::unique_ptr<File> file_;
};

absl::Status FailingStorage::CreateDirectory(const std::string& path) {
  return Run("create_directory", path, true, [&] { return machine_->CreateDirectory(path); });
}

absl::Status FailingStorage::RemoveDirectory(const std::string& path) {
  return Run("remove_directory", path, true, [&] { return machine_->RemoveDirectory(path); });
}

absl::StatusOr<std::vector<std::string>> FailingStorage::List(const std::string& directory) {
  return Run("list", directory, false, [&] { return machine_->List(directory); });
}

absl::StatusOr<std::unique_ptr<File>> FailingStorage::Open(const std::string& path, FileMode mode) {
  absl::StatusOr<std::unique_ptr<File>> file =
      Run("open", path, mode == FileMode::kCreate, [&] { return machine_->Open(path, mode); });
  if (!file.ok()) return file;
  return std::unique_ptr<File>(new FailingFile(this, path, *std::move(file)));
}

absl::Status FailingStorage::Rename(const std::string& from, const std::string& to) {
  return Run("rename", from, true, [&] { return machine_->Rename(from, to); });
}

absl::Status FailingStorage::Unlink(const std::string& path) {
  return Run("unlink", path, true, [&] { return machine_->Unlink(path); });
}

absl::Status FailingStorage::SyncDirectory(const std::string& path) {
  return Run("sync_directory", path, true, [&] { return machine_->SyncDirectory(path); });
}

absl::StatusOr<FileIdentity> FailingStorage::Identify(const std::string& path) {
  return Run("identify", path, false, [&] { return machine_->Identify(path); });
}

absl::StatusOr<std::unique_ptr<File>> FailingStorage::Lock(const std::string& directory) {
  return Run("lock", directory, false, [&] { return machine_->Lock(directory); });
}

absl::StatusOr<std::shared_ptr<Mapping>> FailingStorage::MapImage(const std::string& path,
                                                                  std::uint64_t bytes) {
  return Run("map_image", path, false, [&] { return machine_->MapImage(path, bytes); });
}

absl::StatusOr<std::shared_ptr<Mapping>> FailingStorage::MapFile(const std::string& path) {
  return Run("map_file", path, false, [&] { return machine_->MapFile(path); });
}

void FailingStorage::StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                                std::uint32_t bytes) noexcept {
  on_frame_(frame, bytes);
  machine_->StoreFrame(image, offset, frame, bytes);
}

void FailingStorage::StoreBytes(Mapping& image, std::uint64_t offset,
                                std::span<const std::byte> bytes) noexcept {
  machine_->StoreBytes(image, offset, bytes);
}

absl::StatusOr<BootId> FailingStorage::ReadBootId() {
  return Run("read_boot_id", "", false, [&] { return machine_->ReadBootId(); });
}

}  // namespace pawl::inline v0
