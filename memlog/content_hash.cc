#include "content_hash.h"

// Inline: Debian's shared library is built without the wide instructions and twice as slow.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pawl::inline v0 {
namespace {

ContentHash HashOf(const XXH128_hash_t& hash) noexcept { return {hash.low64, hash.high64}; }

}  // namespace

struct ContentHasher::State {
  XXH3_state_t xxh3;
};

ContentHasher::ContentHasher() : state_(new State) { XXH3_128bits_reset(&state_->xxh3); }
ContentHasher::~ContentHasher() = default;

void ContentHasher::Add(std::span<const std::byte> bytes) noexcept {
  XXH3_128bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

ContentHash ContentHasher::Finish() const noexcept {
  return HashOf(XXH3_128bits_digest(&state_->xxh3));
}

ContentHash ChainHash(const ContentHash& before, const ContentHash& content) noexcept {
  const std::uint64_t words[4] = {before[0], before[1], content[0], content[1]};
  return HashOf(XXH3_128bits(words, sizeof words));
}

}  // namespace pawl::inline v0
