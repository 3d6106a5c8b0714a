#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cut_choices.h"

namespace pawl::inline v0 {

// What a device writes whole or not at all.
inline constexpr std::uint64_t kSectorBytes = 512;
inline constexpr std::uint64_t kPageBytes = 4096;

// Page-aligned memory that begins as zeros.
class Pages {
 public:
  explicit Pages(std::uint64_t bytes);
  Pages(const Pages& from, std::uint64_t bytes);  // copy, cut or filled up with zeros
  explicit Pages(std::span<const std::byte> from);
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages();

  std::byte* data() const noexcept { return memory_; }
  std::uint64_t size() const noexcept { return size_; }

 private:
  std::byte* memory_;
  std::uint64_t size_;
};

// One file of a simulated disk: what programs see of it, and what the platter holds of that.
// Copying is cheap: bytes are shared until one of the copies writes.
class SimFile {
 public:
  SimFile() = default;
  // Holds these bytes, durable.
  explicit SimFile(std::shared_ptr<Pages> pages) : seen_(pages), platter_(std::move(pages)) {}

  std::uint64_t size() const noexcept { return seen_ == nullptr ? 0 : seen_->size(); }
  // What programs see. Never changes in place once shared.
  const std::shared_ptr<Pages>& seen() const noexcept { return seen_; }
  // True if un-synced stores may be missing after a cut.
  bool is_dirty() const noexcept { return !unsynced_.empty() || has_unsynced_size_; }

  // False if the file ends before.
  bool Read(std::uint64_t offset, std::span<std::byte> into, bool from_platter) const;
  // Seen at once, on the platter after Sync(). `is_in_flight`: under way when the power goes.
  void Write(std::uint64_t offset, std::span<const std::byte> bytes, bool is_in_flight = false);
  // Seen and on the platter.
  void WriteDurable(std::uint64_t offset, std::span<const std::byte> bytes);
  // Grows the file by zeros; never shrinks it.
  void Allocate(std::uint64_t bytes);
  void Sync();
  // What a failed sync leaves: part of the stores on the platter, none of them waiting any more,
  // programs still see all of them.
  void FailSync(CutChoices& choices);

  // How many un-synced stores there are, and in how many pages.
  std::uint32_t CountDirtyPages() const;
  // Forgets what the power cut takes. `first_page` numbers this file's pages among all dirty ones.
  void PowerCut(CutChoices& choices, std::uint32_t first_page);

 private:
  struct Unsynced {
    std::uint64_t offset;
    std::shared_ptr<const std::vector<std::byte>> bytes;
    bool is_in_flight;
  };
  // The part of a store that lies in one sector.
  struct Piece {
    std::uint64_t sector;
    std::uint32_t store;
  };

  static void Put(std::shared_ptr<Pages>& pages, std::uint64_t offset,
                  std::span<const std::byte> bytes);
  std::vector<Piece> Pieces() const;
  void ApplyPieces(CutChoices& choices, std::uint32_t first_page, Pages& platter) const;
  void ApplySector(CutChoices& choices, std::uint32_t page, std::span<const Piece> pieces,
                   Pages& platter) const;

  std::shared_ptr<Pages> seen_;     // null: empty
  std::shared_ptr<Pages> platter_;  // null: empty
  std::vector<Unsynced> unsynced_;  // in order
  bool has_unsynced_size_ = false;
};

}  // namespace pawl::inline v0
