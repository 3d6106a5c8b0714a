#pragma once

#include <bit>
#include <cstdint>
#include <memory>

namespace pawl::inline v0 {

// Finds numbers by the hashes of what they stand for: open addressing in fixed memory, at most half
// full. What is erased leaves no gap. Never allocates.
//   threads   one
class NumberIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  //   numbers_max  how many are in it at a time
  explicit NumberIndex(std::uint32_t numbers_max)
      : mask_(std::bit_ceil(std::uint64_t{numbers_max} * 2 + 2) - 1),
        entries_(std::make_unique<Entry[]>(mask_ + 1)) {}

  // The number with this hash for which is_it(number) holds; kNone: there is none.
  template <class IsIt>
  std::uint32_t Find(std::uint64_t hash, IsIt&& is_it) const noexcept {
    for (std::uint64_t at = hash;; ++at) {
      const Entry& entry = At(at);
      if (entry.number == kEmpty) return kNone;
      if (entry.hash == static_cast<std::uint32_t>(hash) && is_it(entry.number - 1)) {
        return entry.number - 1;
      }
    }
  }
  void Insert(std::uint64_t hash, std::uint32_t number) noexcept {
    std::uint64_t at = hash;
    while (At(at).number != kEmpty) ++at;
    At(at) = {static_cast<std::uint32_t>(hash), number + 1};
  }
  // A number that was inserted with this hash.
  void Erase(std::uint64_t hash, std::uint32_t number) noexcept {
    std::uint64_t gap = hash;
    while (At(gap).number != number + 1) ++gap;
    // Entries behind the gap move into it, but for those that would stand before their first place.
    for (std::uint64_t at = gap + 1; At(at).number != kEmpty; ++at) {
      const std::uint64_t from_first = (at - At(at).hash) & mask_;
      if (from_first < ((at - gap) & mask_)) continue;
      At(gap) = At(at);
      gap = at;
    }
    At(gap) = {};
  }

  std::size_t memory_bytes() const noexcept { return (mask_ + 1) * sizeof(Entry); }

 private:
  static constexpr std::uint32_t kEmpty = 0;

  struct Entry {
    std::uint32_t hash;
    std::uint32_t number;  // + 1
  };

  Entry& At(std::uint64_t at) const noexcept { return entries_[at & mask_]; }

  const std::uint64_t mask_;  // below 2^32
  const std::unique_ptr<Entry[]> entries_;
};

}  // namespace pawl::inline v0
