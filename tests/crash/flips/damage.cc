#include "damage.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

std::string Parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool IsMemory(const FileKept& file) {
  return file.kind == FileKind::kImage || file.kind == FileKind::kMarks;
}

void Shorten(SimStorage& machine, const FileKept& file, std::uint64_t bytes) {
  PAWL_CHECK(machine.Unlink(file.path).ok());
  if (IsMemory(file)) {
    if (bytes == 0) return;  // an image of no bytes is as good as none
    const auto image = machine.MapImage(file.path, bytes);
    PAWL_CHECK(image.ok());
    std::memcpy((*image)->data(), file.bytes.data(), bytes);
    return;
  }
  const auto created = machine.Open(file.path, FileMode::kCreate);
  PAWL_CHECK(created.ok());
  if (bytes > 0) PAWL_CHECK((*created)->WriteAt(0, std::span(file.bytes).first(bytes), {}).ok());
  PAWL_CHECK((*created)->Sync().ok() && machine.SyncDirectory(Parent(file.path)).ok());
}

void Flip(SimStorage& machine, const FileKept& file, std::uint64_t bit) {
  if (!IsMemory(file)) return machine.FlipBit(file.path, bit);
  const auto image = machine.MapImage(file.path, 0);
  PAWL_CHECK(image.ok());
  (*image)->data()[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
}

// A step that meets every number below `size` once, and spreads neighbours (golden section).
std::uint64_t StrideFor(std::uint64_t size) {
  std::uint64_t stride = std::max<std::uint64_t>(1, size / 1000 * 618);
  while (std::gcd(stride, size) != 1) ++stride;
  return stride;
}

}  // namespace

std::string Damage::Name() const {
  return absl::StrCat(subject->name, ": ",
                      is_truncation
                          ? absl::StrCat(file->path, " cut to ", at, " bytes")
                          : absl::StrCat("bit ", at % 8, " of byte ", at / 8, " of ", file->path));
}

DamageList::DamageList(const std::vector<Subject>& subjects) {
  for (const Subject& subject : subjects) {
    for (const FileKept& file : subject.files) {
      // Of a killed process only what its memory holds: its files are those of the other two.
      if (subject.has_marks && !IsMemory(file)) continue;
      for (const bool is_truncation : {false, true}) {
        ranges_.push_back(
            {{.subject = &subject, .file = &file, .is_truncation = is_truncation}, size_});
        size_ += file.bytes.size() * (is_truncation ? 1 : 8);
      }
    }
  }
  PAWL_CHECK(size_ > 0);
  stride_ = StrideFor(size_);
}

Damage DamageList::At(std::uint64_t number) const {
  PAWL_CHECK(number < size_);
  // Below 2⁶⁴: both factors are far below 2³².
  const std::uint64_t place = number * stride_ % size_;
  const auto next = std::upper_bound(
      ranges_.begin(), ranges_.end(), place,
      [](std::uint64_t wanted, const Range& range) { return wanted < range.start; });
  Damage damage = std::prev(next)->first;
  damage.at = place - std::prev(next)->start;
  return damage;
}

std::unique_ptr<SimStorage> DamagedMachine(const Damage& damage, std::uint64_t seed) {
  RandomCut choices(seed, CutMode::kAll);
  const SimStorage& at_rest = *damage.subject->machine;
  std::unique_ptr<SimStorage> machine =
      damage.subject->has_marks ? at_rest.Kill(choices, seed) : at_rest.Cut(choices, seed);
  if (damage.is_truncation) {
    Shorten(*machine, *damage.file, damage.at);
  } else {
    Flip(*machine, *damage.file, damage.at);
  }
  return machine;
}

}  // namespace pawl::inline v0
