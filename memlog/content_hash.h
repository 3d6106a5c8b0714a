#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "index_format.h"

namespace pawl::inline v0 {

// XXH3-128 of bytes that come piece by piece.
class ContentHasher {
 public:
  ContentHasher();
  ~ContentHasher();
  ContentHasher(const ContentHasher&) = delete;
  ContentHasher& operator=(const ContentHasher&) = delete;

  void Add(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] ContentHash Finish() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What chains the index of a segment to those before.
[[nodiscard]] ContentHash ChainHash(const ContentHash& before, const ContentHash& content) noexcept;

}  // namespace pawl::inline v0
