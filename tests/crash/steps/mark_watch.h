#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "live_image.h"

namespace pawl::inline v0 {

struct Judgement;

// Follows the marks and the frames behind the published mark in the hot images, as a reader in
// another process would.
class MarkWatch {
 public:
  // A frame whose length can be read is whole and does not change any more; the mark moves over
  // whole frames only; no mark goes back.
  Judgement Observe(const LiveImage& image);

  // The highest ones that were ever seen.
  std::uint64_t published() const noexcept { return published_; }
  std::uint64_t durable() const noexcept { return durable_; }

 private:
  Judgement FollowMark(const LiveImage& image, std::uint64_t published);
  Judgement LookAhead(const LiveImage& image);

  std::uint32_t epoch_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t durable_ = 0;
  std::uint64_t at_ = 0;          // end of the newest published frame
  std::vector<std::byte> ahead_;  // the frame behind it, since its length can be read
};

}  // namespace pawl::inline v0
