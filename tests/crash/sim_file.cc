#include "sim_file.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

std::byte* NewMemory(std::uint64_t bytes) {
  const std::uint64_t rounded = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  auto* memory =
      static_cast<std::byte*>(std::aligned_alloc(kPageBytes, std::max(rounded, kPageBytes)));
  PAWL_CHECK(memory != nullptr);
  return memory;
}

}  // namespace

Pages::Pages(std::uint64_t bytes) : memory_(NewMemory(bytes)), size_(bytes) {
  std::memset(memory_, 0, bytes);
}

Pages::Pages(const Pages& from, std::uint64_t bytes) : memory_(NewMemory(bytes)), size_(bytes) {
  const std::uint64_t kept = std::min(bytes, from.size_);
  if (kept > 0) std::memcpy(memory_, from.memory_, kept);
  std::memset(memory_ + kept, 0, bytes - kept);
}

Pages::Pages(std::span<const std::byte> from)
    : memory_(NewMemory(from.size())), size_(from.size()) {
  if (!from.empty()) std::memcpy(memory_, from.data(), from.size());
}

Pages::~Pages() { std::free(memory_); }

bool SimFile::Read(std::uint64_t offset, std::span<std::byte> into, bool from_platter) const {
  const Pages* pages = seen_.get();
  std::shared_ptr<Pages> merged;
  if (from_platter && seen_ != platter_) {
    // What a direct read returns: dirty pages are written back first, clean ones are passed by.
    merged = platter_ == nullptr ? std::make_shared<Pages>(size())
                                 : std::make_shared<Pages>(*platter_, size());
    for (const Unsynced& store : unsynced_) Put(merged, store.offset, *store.bytes);
    pages = merged.get();
  }
  if (offset + into.size() > size()) return false;
  if (!into.empty()) std::memcpy(into.data(), pages->data() + offset, into.size());
  return true;
}

// Writes into `pages`, growing or copying them first where needed.
void SimFile::Put(std::shared_ptr<Pages>& pages, std::uint64_t offset,
                  std::span<const std::byte> bytes) {
  const std::uint64_t end = offset + bytes.size();
  if (pages == nullptr) {
    pages = std::make_shared<Pages>(end);
  } else if (pages.use_count() > 1 || pages->size() < end) {
    pages = std::make_shared<Pages>(*pages, std::max(end, pages->size()));
  }
  if (!bytes.empty()) std::memcpy(pages->data() + offset, bytes.data(), bytes.size());
}

void SimFile::Write(std::uint64_t offset, std::span<const std::byte> bytes, bool is_in_flight) {
  if (bytes.empty()) return;
  if (offset + bytes.size() > size()) has_unsynced_size_ = true;
  Put(seen_, offset, bytes);
  unsynced_.push_back(
      {.offset = offset,
       .bytes = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end()),
       .is_in_flight = is_in_flight});
}

void SimFile::WriteDurable(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (seen_ == platter_) {
    // Both show the same bytes and go on doing so.
    platter_.reset();
    Put(seen_, offset, bytes);
    platter_ = seen_;
    return;
  }
  Put(seen_, offset, bytes);
  Put(platter_, offset, bytes);
  // An earlier un-synced store must not come out on top of this one: what it had in common with
  // this write is cut off. O_DSYNC also commits the size that the write needs to be read back.
  const std::uint64_t end = offset + bytes.size();
  std::vector<Unsynced> kept;
  for (const Unsynced& store : unsynced_) {
    const std::uint64_t store_end = store.offset + store.bytes->size();
    if (store.offset < std::min(offset, store_end)) {
      const auto length = static_cast<std::ptrdiff_t>(std::min(offset, store_end) - store.offset);
      kept.push_back({store.offset,
                      std::make_shared<const std::vector<std::byte>>(store.bytes->begin(),
                                                                     store.bytes->begin() + length),
                      store.is_in_flight});
    }
    if (store_end > std::max(end, store.offset)) {
      const std::uint64_t from = std::max(end, store.offset);
      kept.push_back({from,
                      std::make_shared<const std::vector<std::byte>>(
                          store.bytes->begin() + static_cast<std::ptrdiff_t>(from - store.offset),
                          store.bytes->end()),
                      store.is_in_flight});
    }
  }
  unsynced_ = std::move(kept);
  has_unsynced_size_ = platter_->size() < seen_->size();
}

void SimFile::Allocate(std::uint64_t bytes) {
  if (bytes <= size()) return;
  seen_ =
      seen_ == nullptr ? std::make_shared<Pages>(bytes) : std::make_shared<Pages>(*seen_, bytes);
  has_unsynced_size_ = true;
}

void SimFile::Sync() {
  platter_ = seen_;
  unsynced_.clear();
  has_unsynced_size_ = false;
}

void SimFile::FailSync(CutChoices& choices) {
  choices.Begin(CountDirtyPages());
  auto platter = platter_ == nullptr ? std::make_shared<Pages>(size())
                                     : std::make_shared<Pages>(*platter_, size());
  ApplyPieces(choices, 0, *platter);
  platter_ = std::move(platter);
  unsynced_.clear();
  has_unsynced_size_ = false;
}

std::vector<SimFile::Piece> SimFile::Pieces() const {
  std::vector<Piece> pieces;
  for (std::uint32_t i = 0; i < unsynced_.size(); ++i) {
    const Unsynced& store = unsynced_[i];
    if (store.bytes->empty()) continue;
    const std::uint64_t last = (store.offset + store.bytes->size() - 1) / kSectorBytes;
    for (std::uint64_t sector = store.offset / kSectorBytes; sector <= last; ++sector) {
      pieces.push_back({.sector = sector, .store = i});
    }
  }
  // One store alone is in order already.
  if (unsynced_.size() > 1) {
    std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
      return a.sector != b.sector ? a.sector < b.sector : a.store < b.store;
    });
  }
  return pieces;
}

std::uint32_t SimFile::CountDirtyPages() const {
  std::uint32_t pages = 0;
  std::uint64_t previous = ~std::uint64_t{0};
  for (const Piece& piece : Pieces()) {
    const std::uint64_t page = piece.sector * kSectorBytes / kPageBytes;
    if (page != previous) ++pages;
    previous = page;
  }
  return pages;
}

void SimFile::PowerCut(CutChoices& choices, std::uint32_t first_page) {
  if (!is_dirty()) {
    seen_ = platter_;
    return;
  }
  const std::uint64_t platter_size = platter_ == nullptr ? 0 : platter_->size();
  const bool is_size_kept = has_unsynced_size_ && choices.Happened();
  const std::uint64_t new_size = is_size_kept ? size() : platter_size;
  auto platter = platter_ == nullptr ? std::make_shared<Pages>(size())
                                     : std::make_shared<Pages>(*platter_, size());
  ApplyPieces(choices, first_page, *platter);
  // Sectors behind the size that survived cannot be read.
  platter_ = new_size == platter->size() ? platter : std::make_shared<Pages>(*platter, new_size);
  seen_ = platter_;
  unsynced_.clear();
  has_unsynced_size_ = false;
}

void SimFile::ApplyPieces(CutChoices& choices, std::uint32_t first_page, Pages& platter) const {
  const std::vector<Piece> pieces = Pieces();
  std::uint32_t page_number = first_page;
  for (std::size_t i = 0; i < pieces.size();) {
    std::size_t end = i + 1;
    while (end < pieces.size() && pieces[end].sector == pieces[i].sector) ++end;
    ApplySector(choices, page_number, std::span(pieces).subspan(i, end - i), platter);
    if (end < pieces.size() && pieces[end].sector * kSectorBytes / kPageBytes !=
                                   pieces[i].sector * kSectorBytes / kPageBytes) {
      ++page_number;
    }
    i = end;
  }
}

void SimFile::ApplySector(CutChoices& choices, std::uint32_t page, std::span<const Piece> pieces,
                          Pages& platter) const {
  const std::uint64_t start = pieces.front().sector * kSectorBytes;
  const std::uint64_t bytes = std::min(kSectorBytes, platter.size() - start);
  std::byte* const at = platter.data() + start;
  // The sector after each store that changes it; stores that change nothing are no choice.
  std::vector<std::array<std::byte, kSectorBytes>> versions;
  std::array<std::byte, kSectorBytes> now{};
  std::memcpy(now.data(), at, bytes);
  bool is_in_flight = false;
  for (const Piece& piece : pieces) {
    const Unsynced& store = unsynced_[piece.store];
    const std::uint64_t from = std::max(start, store.offset);
    const std::uint64_t to = std::min(start + bytes, store.offset + store.bytes->size());
    const std::byte* const source = store.bytes->data() + (from - store.offset);
    if (std::memcmp(now.data() + (from - start), source, to - from) == 0) continue;
    std::memcpy(now.data() + (from - start), source, to - from);
    versions.push_back(now);
    is_in_flight = store.is_in_flight;
  }
  if (versions.empty()) return;
  const auto count = static_cast<std::uint32_t>(versions.size());
  const std::uint32_t kept = choices.Stores(page, count);
  if (kept > 0) std::memcpy(at, versions[kept - 1].data(), bytes);
  if (!is_in_flight || kept == count || !choices.IsGarbage()) return;
  // A sector under write: bytes that the write leaves equal are harmless to rewrite.
  for (std::uint64_t i = 0; i < bytes; ++i) {
    if (at[i] != versions.back()[i]) at[i] = static_cast<std::byte>(choices.Noise());
  }
}

}  // namespace pawl::inline v0
