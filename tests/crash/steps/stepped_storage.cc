#include "stepped_storage.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "pawl/check.h"
#include "pawl/hot_marks.h"
#include "sim_random.h"

namespace pawl::inline v0 {
namespace {

bool EndsWith(std::string_view name, std::string_view end) {
  return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
}

// Moves the published mark before the frame is there.
class MarkFirst final : public SteppedStorage {
 public:
  using SteppedStorage::SteppedStorage;

  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override {
    absl::StatusOr<std::shared_ptr<Mapping>> image = SteppedStorage::MapImage(path, bytes);
    if (image.ok() && bytes > 0 && EndsWith(path, "/marks")) marks_ = *image;
    return image;
  }
  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    FrameHeader header;
    std::memcpy(&header, frame, sizeof header);
    if (marks_ != nullptr) {
      // Release, as the writer does it; only too early.
      reinterpret_cast<HotMarks*>(marks_->data())
          ->published.store(header.address + bytes, std::memory_order_release);
    }
    SteppedStorage::StoreFrame(image, offset, frame, bytes);
  }

 private:
  std::shared_ptr<Mapping> marks_;
};

// Stores length and checksum before what they speak of.
class LengthFirst final : public SteppedStorage {
 public:
  using SteppedStorage::SteppedStorage;

  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override {
    std::byte* const at = image.data() + offset;
    std::memcpy(at, frame, 8);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::memcpy(at + 8, frame + 8, bytes - 8);
  }
};

// Replaces a file in two steps.
class RenameInTwoSteps final : public SteppedStorage {
 public:
  using SteppedStorage::SteppedStorage;

  absl::Status Rename(const std::string& from, const std::string& to) override {
    const absl::Status gone = SteppedStorage::Unlink(to);
    if (!gone.ok() && !absl::IsNotFound(gone)) return gone;
    return SteppedStorage::Rename(from, to);
  }
};

// Recovery does not write a segment anew: what only the images hold goes with them.
class NoRewrite final : public SteppedStorage {
 public:
  using SteppedStorage::SteppedStorage;

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (EndsWith(to, ".seg") && Identify(to).ok()) return Unlink(from);
    return SteppedStorage::Rename(from, to);
  }
};

}  // namespace

std::uint64_t SteppedStorage::Random() { return random_ = SimRandom(random_).Next(); }

const std::vector<PlantedStep>& PlantedSteps() {
  static const std::vector<PlantedStep> steps = {
      {"mark-first", "the published mark moves before the frame is stored", false},
      {"length-first", "length and checksum of a frame are stored before its bytes", false},
      {"length-first-unchecked", "the same, and recovery checks no checksum", true},
      {"rename-in-two-steps", "a file is unlinked before another one gets its name", false},
      {"no-rewrite", "recovery drops the hot images and does not rewrite the segments", false},
  };
  return steps;
}

std::unique_ptr<SteppedStorage> NewVictimStorage(std::uint64_t seed, std::string_view planted) {
  if (planted.empty()) return std::make_unique<SteppedStorage>(seed);
  if (planted == "mark-first") return std::make_unique<MarkFirst>(seed);
  if (planted == "rename-in-two-steps") return std::make_unique<RenameInTwoSteps>(seed);
  if (planted == "no-rewrite") return std::make_unique<NoRewrite>(seed);
  PAWL_CHECK(planted == "length-first" || planted == "length-first-unchecked");
  return std::make_unique<LengthFirst>(seed);
}

}  // namespace pawl::inline v0
