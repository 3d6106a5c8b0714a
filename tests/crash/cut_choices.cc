#include "cut_choices.h"

#include <limits>

namespace pawl::inline v0 {

const char* NameOf(CutMode mode) noexcept {
  switch (mode) {
    case CutMode::kAll: return "all";
    case CutMode::kNone: return "none";
    case CutMode::kCoin: return "coin";
    case CutMode::kMostlyOld: return "mostly_old";
    case CutMode::kMostlyNew: return "mostly_new";
    case CutMode::kOnePageLate: return "one_page_late";
    case CutMode::kOnePageOnly: return "one_page_only";
  }
  return "unknown";
}

void RandomCut::Begin(std::uint32_t dirty_pages) {
  odd_page_ = dirty_pages == 0 ? 0 : static_cast<std::uint32_t>(random_.Below(dirty_pages));
}

std::uint32_t RandomCut::Stores(std::uint32_t page, std::uint32_t stores) {
  switch (mode_) {
    case CutMode::kAll: return stores;
    case CutMode::kNone: return 0;
    case CutMode::kCoin: return static_cast<std::uint32_t>(random_.Below(stores + 1));
    case CutMode::kMostlyOld: return random_.OneIn(8) ? stores : 0;
    case CutMode::kMostlyNew: return random_.OneIn(8) ? 0 : stores;
    case CutMode::kOnePageLate: return page == odd_page_ ? 0 : stores;
    case CutMode::kOnePageOnly: return page == odd_page_ ? stores : 0;
  }
  return stores;
}

bool RandomCut::Happened() {
  switch (mode_) {
    case CutMode::kAll: return true;
    case CutMode::kNone: return false;
    case CutMode::kMostlyOld: return random_.OneIn(8);
    case CutMode::kMostlyNew: return !random_.OneIn(8);
    case CutMode::kCoin:
    case CutMode::kOnePageLate:
    case CutMode::kOnePageOnly: return random_.OneIn(2);
  }
  return true;
}

std::uint32_t EveryCut::Stores(std::uint32_t /*page*/, std::uint32_t stores) {
  return Choose(stores + 1);
}

std::uint32_t EveryCut::Choose(std::uint32_t options) {
  if (at_ == digits_.size()) digits_.push_back({.value = 0, .options = options});
  // The questions depend on earlier answers only, so a digit that was kept meets its question
  // again.
  digits_[at_].options = options;
  return digits_[at_++].value;
}

bool EveryCut::Next() {
  digits_.resize(at_);
  at_ = 0;
  while (!digits_.empty()) {
    if (++digits_.back().value < digits_.back().options) return true;
    digits_.pop_back();
  }
  return false;
}

std::uint64_t EveryCut::states() const noexcept {
  std::uint64_t product = 1;
  for (const Digit& digit : digits_) {
    if (product > std::numeric_limits<std::uint32_t>::max()) return product;
    product *= digit.options;
  }
  return product;
}

}  // namespace pawl::inline v0
