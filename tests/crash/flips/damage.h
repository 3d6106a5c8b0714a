#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "subject.h"

namespace pawl::inline v0 {

// One bit turned over, or a file cut short.
struct Damage {
  const Subject* subject = nullptr;
  const FileKept* file = nullptr;
  bool is_truncation = false;
  std::uint64_t at = 0;  // number of the bit, or bytes that are left

  // First byte that is not what it was, and the one behind the last.
  std::uint64_t from() const noexcept { return is_truncation ? at : at / 8; }
  std::uint64_t to() const noexcept { return is_truncation ? file->bytes.size() : at / 8 + 1; }
  std::string Name() const;
};

// All damages of some subjects, numbered. Neighbours in number are far apart in the files, so that
// every range of numbers is a fair sample of all.
class DamageList {
 public:
  explicit DamageList(const std::vector<Subject>& subjects);

  std::uint64_t size() const noexcept { return size_; }
  Damage At(std::uint64_t number) const;

 private:
  struct Range {
    Damage first;
    std::uint64_t start;
  };
  std::vector<Range> ranges_;
  std::uint64_t size_ = 0;
  std::uint64_t stride_ = 1;
};

// A machine of its own with the damage done; on the boot after the cut, or on the same boot if the
// process was killed.
std::unique_ptr<SimStorage> DamagedMachine(const Damage& damage, std::uint64_t seed);

}  // namespace pawl::inline v0
