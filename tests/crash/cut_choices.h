#pragma once

#include <cstdint>
#include <vector>

#include "sim_random.h"

namespace pawl::inline v0 {

// Decides what of the un-synced work a cut leaves behind. SimDisk asks in a fixed order, so that a
// script of answers names a crash state.
class CutChoices {
 public:
  virtual ~CutChoices() = default;

  // Told once, before the sectors: pages that have un-synced sectors.
  virtual void Begin(std::uint32_t dirty_pages) = 0;
  // Of the `stores` un-synced stores that change a sector, the count that reached the disk.
  //   page      0 … dirty_pages − 1, the page that the sector lies in
  //   returns   0 … stores
  virtual std::uint32_t Stores(std::uint32_t page, std::uint32_t stores) = 0;
  // Whether an un-synced name operation, a new file size, or a step of a killed call took place.
  virtual bool Happened() = 0;
  // Whether the device leaves garbage in a sector that it was writing.
  virtual bool IsGarbage() = 0;
  // Bytes of garbage.
  virtual std::uint64_t Noise() = 0;
};

enum class CutMode : std::uint8_t {
  kAll,          // every un-synced store and name operation is there
  kNone,         // only what was synced is there
  kCoin,         // any prefix of the stores to each sector
  kMostlyOld,    // one sector in eight is new
  kMostlyNew,    // one sector in eight is old
  kOnePageLate,  // all is there but one page
  kOnePageOnly,  // nothing is there but one page
};
inline constexpr std::uint32_t kCutModes = 7;
const char* NameOf(CutMode mode) noexcept;

// Draws a state at random.
class RandomCut final : public CutChoices {
 public:
  RandomCut(std::uint64_t seed, CutMode mode, bool with_garbage = false) noexcept
      : random_(seed), mode_(mode), with_garbage_(with_garbage) {}

  void Begin(std::uint32_t dirty_pages) override;
  std::uint32_t Stores(std::uint32_t page, std::uint32_t stores) override;
  bool Happened() override;
  bool IsGarbage() override { return with_garbage_ && random_.OneIn(2); }
  std::uint64_t Noise() override { return random_.Next(); }

 private:
  SimRandom random_;
  const CutMode mode_;
  const bool with_garbage_;
  std::uint32_t odd_page_ = 0;
};

// Walks through all states: one cut per Next(), like the digits of a counter.
class EveryCut final : public CutChoices {
 public:
  void Begin(std::uint32_t) override {}
  std::uint32_t Stores(std::uint32_t page, std::uint32_t stores) override;
  bool Happened() override { return Choose(2) == 1; }
  bool IsGarbage() override { return false; }
  std::uint64_t Noise() override { return 0; }

  // Moves to the next state; false after the last one.
  bool Next();
  // States in all as far as the digits seen say, at least 1; saturates.
  std::uint64_t states() const noexcept;

 private:
  struct Digit {
    std::uint32_t value;
    std::uint32_t options;
  };
  std::uint32_t Choose(std::uint32_t options);

  std::vector<Digit> digits_;
  std::size_t at_ = 0;
};

}  // namespace pawl::inline v0
