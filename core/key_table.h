#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pawl/key.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

inline constexpr std::uint32_t kKeysMaxMax = std::uint32_t{1} << 26;

// The idempotency keys of commands that were accepted, each with what its command was and the
// receipt that it got: the newest keys_max ones, and of these only those whose commit is younger
// than key_window by engine time. Whose window has passed is not sought out: it does not count any
// more, and its place is the next one's in time. So every function is O(1).
// All memory is allocated and touched by the constructor.
//   threads   loop only
class KeyTable {
 public:
  struct Entry {
    Key key;
    std::uint64_t body_hash;
    PackedReceipt receipt;
    std::uint64_t time_ns;  // of its commit
  };

  //   window_ns  0: none is ever remembered
  KeyTable(std::uint32_t keys_max, std::uint64_t window_ns);
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  // What was remembered of a key at engine time `now_ns`; nullptr: nothing.
  const Entry* Find(const Key& key, std::uint64_t now_ns) const noexcept;
  // Remembers a key that Find() does not know, and forgets the oldest one if keys_max are there.
  void Remember(const Entry& entry) noexcept;

  // Remembered, those included whose time has passed.
  std::uint32_t count() const noexcept { return count_; }
  std::size_t memory_bytes() const noexcept;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Link {
    Entry entry;
    std::uint32_t next;  // in its bucket: older than this one
  };

  std::size_t BucketOf(const Key& key) const noexcept;
  void ForgetOldest() noexcept;

  const std::uint32_t keys_max_;
  const std::uint64_t window_ns_;
  const Key seed_;  // keys are chosen by clients
  // In the order in which they were remembered, from `oldest_` on, over the end to the front.
  const std::unique_ptr<Link[]> links_;
  std::vector<std::uint32_t> buckets_;  // the newest of each
  std::uint32_t oldest_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace pawl::inline v0
