#include "segment_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "block_memory.h"
#include "manifest.h"

namespace pawl::inline v0 {

std::optional<std::uint64_t> SegmentIndexOf(const std::string& name) {
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos || dot < 10 || dot > 19 || name.substr(dot) != ".seg") {
    return std::nullopt;
  }
  std::uint64_t index = 0;
  for (const char digit : name.substr(0, dot)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    index = index * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  if (SegmentName(index) != name) return std::nullopt;
  return index;
}

SegmentSource::SegmentSource(Storage* storage, std::string directory, const Manifest& manifest)
    : storage_(storage), directory_(std::move(directory)), manifest_(manifest) {}

absl::Status SegmentSource::List() {
  const absl::StatusOr<std::vector<std::string>> names = storage_->List(directory_);
  if (!names.ok()) return names.status();
  std::vector<std::uint64_t> found;
  for (const std::string& name : *names) {
    if (const auto index = SegmentIndexOf(name)) found.push_back(*index);
  }
  std::sort(found.begin(), found.end());
  for (std::uint64_t expected = 0; expected < found.size(); ++expected) {
    if (found[expected] != expected) {
      return absl::DataLossError(directory_ + "/" + SegmentName(expected) +
                                 " is missing, later segments are there: restore it from a "
                                 "backup, or run `pawl repair` into a new directory");
    }
    const absl::StatusOr<SegmentHeader> header = ReadHeader(expected);
    if (!header.ok()) return header.status();
    headers_.push_back(*header);
  }
  files_ = headers_.size();
  return absl::OkStatus();
}

absl::StatusOr<SegmentHeader> SegmentSource::ReadHeader(std::uint64_t index) {
  const std::string path = directory_ + "/" + SegmentName(index);
  const absl::StatusOr<std::unique_ptr<File>> file = storage_->Open(path, FileMode::kRead);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  sizes_.push_back(*size);
  return ReadSegmentHeader(**file, manifest_, index, path);
}

absl::StatusOr<SegmentView> SegmentSource::ReadFile(std::uint64_t index) {
  if (buffered_ != index) {
    buffered_.reset();
    if (absl::Status filled = FillBuffer(index); !filled.ok()) return filled;
    buffered_ = index;
  }
  return SegmentView{.bytes = buffer_, .index = index, .salt = headers_[index].salt};
}

absl::Status SegmentSource::FillBuffer(std::uint64_t index) {
  const std::string path = directory_ + "/" + SegmentName(index);
  const absl::StatusOr<std::unique_ptr<File>> file = storage_->Open(path, FileMode::kRead);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size > manifest_.segment_bytes) {
    return absl::DataLossError(path + " has " + std::to_string(*size) + " bytes, a segment has " +
                               std::to_string(manifest_.segment_bytes));
  }
  buffer_ = BlocksIn(memory_, manifest_.segment_bytes);
  const std::span<std::byte> bytes = buffer_;
  if (const absl::Status read = (*file)->ReadAt(0, bytes.first(*size)); !read.ok()) return read;
  std::memset(bytes.data() + *size, 0, bytes.size() - *size);
  return absl::OkStatus();
}

absl::StatusOr<SegmentView> SegmentSource::Read(std::uint64_t index) {
  const auto image = images_.find(index);
  if (image == images_.end()) return ReadFile(index);
  return SegmentView{.bytes = {image->second->data(), image->second->size()},
                     .index = index,
                     .salt = headers_[index].salt};
}

absl::Status SegmentSource::UseImages(const std::vector<std::string>& directories,
                                      std::uint64_t first) {
  for (std::uint64_t index = first; index <= count(); ++index) {
    for (const std::string& directory : directories) {
      absl::StatusOr<std::shared_ptr<Mapping>> found =
          FindImage(directory + "/" + ImageName(index), index);
      const bool is_other = directory != directories.front();
      if (is_other && absl::IsFailedPrecondition(found.status())) continue;
      if (!found.ok()) return found.status();
      std::shared_ptr<Mapping> image = *std::move(found);
      if (image == nullptr) continue;
      if (index == count()) {
        SegmentHeader header;
        std::memcpy(&header, image->data(), sizeof header);
        headers_.push_back(header);
      }
      images_[index] = std::move(image);
      break;
    }
    if (index == count()) break;
  }
  return absl::OkStatus();
}

// An image that cannot be believed is as good as none: what only it held will be missed below the
// published mark, and said. One that cannot be mapped now may be there the next time.
absl::StatusOr<std::shared_ptr<Mapping>> SegmentSource::FindImage(const std::string& path,
                                                                  std::uint64_t index) {
  absl::StatusOr<std::shared_ptr<Mapping>> image = storage_->MapImage(path, 0);
  if (absl::IsNotFound(image.status())) return nullptr;
  if (!image.ok()) return image.status();
  if ((*image)->size() != manifest_.segment_bytes) return nullptr;
  SegmentHeader header;
  std::memcpy(&header, (*image)->data(), sizeof header);
  if (!CheckSegmentHeader(header, manifest_, index, path).ok()) return nullptr;
  if (has_file(index) && std::memcmp(&header, &headers_[index], sizeof header) != 0) return nullptr;
  return *std::move(image);
}

}  // namespace pawl::inline v0
