#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pawl/check.h"

namespace pawl::inline v0 {

// Memory for the answers that sessions remember, in pages that all of them share: who sends nothing
// needs none. When all pages are taken, the one that was begun first, of whatever session, is given
// to who needs one. An owner has pages 0, 1, 2… of its answers, the newest few of them, and begins
// them in order: what it loses first is its oldest.
// All memory is allocated and touched by the constructor; every function is O(1) but for chains of
// a hash table that is as large as there are pages.
//   threads   loop only
class ReceiptPages {
 public:
  static constexpr std::uint32_t kReceipts = 32;  // of a page
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Entry {
    std::uint64_t position;
    std::uint64_t version_and_code;
  };
  // Whose a page is, and which of its owner's.
  struct Place {
    std::uint32_t owner = kNone;
    std::uint64_t number = 0;
  };

  explicit ReceiptPages(std::uint32_t pages)
      : entries_(std::make_unique<std::array<Entry, kReceipts>[]>(pages)),
        links_(pages),
        buckets_(std::bit_ceil(std::size_t{pages}), kNone),
        mask_(static_cast<std::uint32_t>(buckets_.size() - 1)) {
    PAWL_CHECK(pages >= 1 && pages < kNone);
  }

  Entry* At(std::uint32_t page) noexcept { return entries_[page].data(); }
  const Entry* At(std::uint32_t page) const noexcept { return entries_[page].data(); }

  // kNone: the owner does not have it, or lost it.
  std::uint32_t Find(const Place& place) const noexcept {
    std::uint32_t page = buckets_[BucketOf(place)];
    while (page != kNone && !IsAt(page, place)) page = links_[page].next;
    return page;
  }
  // A page for `place`, which is nobody's.
  //   lost      who had it until now; owner kNone: nobody
  std::uint32_t Take(const Place& place, Place& lost) noexcept {
    lost = {};
    std::uint32_t page = free_;
    if (page != kNone) {
      free_ = links_[page].next;
    } else if (used_ != links_.size()) {
      page = used_++;
    } else {
      page = oldest_;
      lost = links_[page].place;
      Leave(page);
    }
    Enter(page, place);
    return page;
  }
  // Gives a page to another place of its owner, as if it were begun now.
  void Move(std::uint32_t page, const Place& place) noexcept {
    Leave(page);
    Enter(page, place);
  }
  void Free(std::uint32_t page) noexcept {
    Leave(page);
    links_[page].next = free_;
    free_ = page;
  }

  std::size_t memory_bytes() const noexcept {
    return links_.size() * (sizeof(Link) + sizeof(entries_[0])) +
           buckets_.size() * sizeof(buckets_[0]);
  }

 private:
  struct Link {
    Place place;
    std::uint32_t next = kNone;  // in its bucket; of a free one: the next free one
    // In the order in which they were begun.
    std::uint32_t older = kNone;
    std::uint32_t newer = kNone;
  };

  bool IsAt(std::uint32_t page, const Place& place) const noexcept {
    return links_[page].place.owner == place.owner && links_[page].place.number == place.number;
  }
  // Pages of one owner follow each other; owners are spread by the golden ratio.
  std::uint32_t BucketOf(const Place& place) const noexcept {
    return (place.owner * 0x9E37'79B1U + static_cast<std::uint32_t>(place.number)) & mask_;
  }
  void Enter(std::uint32_t page, const Place& place) noexcept {
    Link& link = links_[page];
    std::uint32_t& bucket = buckets_[BucketOf(place)];
    link = {.place = place, .next = bucket, .older = newest_, .newer = kNone};
    bucket = page;
    (newest_ == kNone ? oldest_ : links_[newest_].newer) = page;
    newest_ = page;
  }
  void Leave(std::uint32_t page) noexcept {
    const Link& link = links_[page];
    (link.older == kNone ? oldest_ : links_[link.older].newer) = link.newer;
    (link.newer == kNone ? newest_ : links_[link.newer].older) = link.older;
    std::uint32_t* at = &buckets_[BucketOf(link.place)];
    while (*at != page) at = &links_[*at].next;
    *at = link.next;
  }

  const std::unique_ptr<std::array<Entry, kReceipts>[]> entries_;
  std::vector<Link> links_;
  std::vector<std::uint32_t> buckets_;  // first page of each
  const std::uint32_t mask_;
  std::uint32_t used_ = 0;  // pages from here on were never used
  std::uint32_t free_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
};

}  // namespace pawl::inline v0
