#include "key_table.h"

#include <bit>
#include <random>

#include "pawl/check.h"

namespace pawl::inline v0 {

namespace {

Key NewSeed() {
  std::random_device random;
  std::uniform_int_distribution<std::uint64_t> words;
  return {words(random), words(random)};
}

}  // namespace

KeyTable::KeyTable(std::uint32_t keys_max, std::uint64_t window_ns)
    : keys_max_(keys_max),
      window_ns_(window_ns),
      seed_(NewSeed()),
      links_(std::make_unique<Link[]>(keys_max)),
      buckets_(std::bit_ceil(std::size_t{keys_max}), kNone) {
  PAWL_CHECK(keys_max >= 1 && keys_max <= kKeysMaxMax);
}

std::size_t KeyTable::BucketOf(const Key& key) const noexcept {
  // As StreamLookup::Hash().
  __extension__ using Product = unsigned __int128;
  const Product product = static_cast<Product>(key.low ^ seed_.low) * (key.high ^ seed_.high);
  return (static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64)) &
         (buckets_.size() - 1);
}

const KeyTable::Entry* KeyTable::Find(const Key& key, std::uint64_t now_ns) const noexcept {
  for (std::uint32_t at = buckets_[BucketOf(key)]; at != kNone; at = links_[at].next) {
    const Entry& entry = links_[at].entry;
    if (entry.key != key) continue;
    // The newest one of that key: if its time has passed, so has that of the others.
    return now_ns - entry.time_ns < window_ns_ ? &entry : nullptr;
  }
  return nullptr;
}

void KeyTable::Remember(const Entry& entry) noexcept {
  if (count_ == keys_max_) ForgetOldest();
  const std::uint32_t at = (oldest_ + count_) % keys_max_;
  std::uint32_t& bucket = buckets_[BucketOf(entry.key)];
  links_[at] = {entry, bucket};
  bucket = at;
  ++count_;
}

void KeyTable::ForgetOldest() noexcept {
  std::uint32_t* at = &buckets_[BucketOf(links_[oldest_].entry.key)];
  while (*at != oldest_) at = &links_[*at].next;
  *at = kNone;  // those behind it were older
  oldest_ = oldest_ + 1 == keys_max_ ? 0 : oldest_ + 1;
  --count_;
}

std::size_t KeyTable::memory_bytes() const noexcept {
  return keys_max_ * sizeof(Link) + buckets_.size() * sizeof(buckets_[0]);
}

}  // namespace pawl::inline v0
