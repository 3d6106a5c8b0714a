#include "mark_watch.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "oracle.h"
#include "pawl/format.h"
#include "pawl/hot_marks.h"

namespace pawl::inline v0 {
namespace {

template <class T>
T Word(std::span<const std::byte> bytes, std::size_t offset) {
  T word;
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  return word;
}

Judgement BadOrder(const std::string& what) { return {Finding::kBadOrder, what}; }

// The image's bytes from `address` to the end of its segment; empty if there is no image.
std::span<const std::byte> BytesAt(const LiveImage& image, std::uint64_t address) {
  const std::span<const std::byte> bytes =
      image.Bytes(absl::StrFormat("hot/%010u.img", address / kSegmentBytesMin));
  const std::uint64_t offset = address % kSegmentBytesMin;
  return offset < bytes.size() ? bytes.subspan(offset) : std::span<const std::byte>();
}

// The frame whose length can be read there; empty if there is none.
std::span<const std::byte> FrameAt(const LiveImage& image, std::uint64_t address) {
  const std::span<const std::byte> bytes = BytesAt(image, address);
  std::uint32_t length = 0;
  if (bytes.size() >= sizeof(FrameHeader)) std::memcpy(&length, bytes.data(), sizeof length);
  return bytes.first(std::min<std::size_t>(length, bytes.size()));
}

// Where the frame behind one that ends at `end` begins.
std::uint64_t NextFrame(std::uint64_t end, FrameKind kind) {
  if (kind != FrameKind::kSeal && end % kSegmentBytesMin != 0) return end;
  return (end + kSegmentBytesMin - 1) / kSegmentBytesMin * kSegmentBytesMin + kSegmentHeaderBytes;
}

}  // namespace

Judgement MarkWatch::Observe(const LiveImage& image) {
  const std::span<const std::byte> bytes = image.Bytes("hot/marks");
  if (bytes.size() < sizeof(HotMarks)) return {};
  const auto open = static_cast<std::uint32_t>(MarksState::kOpen);
  if (Word<std::uint32_t>(bytes, offsetof(HotMarks, state)) != open) return {};
  const auto epoch = Word<std::uint32_t>(bytes, offsetof(HotMarks, epoch));
  const auto published = Word<std::uint64_t>(bytes, offsetof(HotMarks, published));
  const auto durable = Word<std::uint64_t>(bytes, offsetof(HotMarks, durable));
  if (epoch != epoch_) {
    epoch_ = epoch;
    ahead_.clear();
    at_ = published;
  }
  if (published < published_ || durable < durable_) return BadOrder("a mark goes back");
  if (durable > published) return BadOrder("durable > published");
  Judgement followed = FollowMark(image, published);
  published_ = published;
  durable_ = durable;
  return followed.is_good() ? LookAhead(image) : followed;
}

Judgement MarkWatch::FollowMark(const LiveImage& image, std::uint64_t published) {
  while (at_ < published) {
    const std::span<const std::byte> frame = FrameAt(image, at_);
    // An image that is no longer there was written to its file before.
    if (frame.empty() && BytesAt(image, at_).empty()) {
      ahead_.clear();
      at_ = NextFrame(published, FrameKind::kData);
      break;
    }
    FrameHeader header{};
    if (frame.size() >= sizeof header) std::memcpy(&header, frame.data(), sizeof header);
    if (header.address != at_) {
      return BadOrder(absl::StrCat("published up to ", published, ", but no whole frame at ", at_));
    }
    if (!ahead_.empty() && !std::equal(frame.begin(), frame.end(), ahead_.begin(), ahead_.end())) {
      return BadOrder(absl::StrCat("the frame at ", at_, " changed after its length was there"));
    }
    ahead_.clear();
    at_ = NextFrame(at_ + header.length, header.kind);
  }
  return {};
}

Judgement MarkWatch::LookAhead(const LiveImage& image) {
  const std::span<const std::byte> frame = FrameAt(image, at_);
  if (ahead_.empty()) ahead_.assign(frame.begin(), frame.end());
  if (std::equal(frame.begin(), frame.end(), ahead_.begin(), ahead_.end())) return {};
  return BadOrder(absl::StrCat("the frame at ", at_, " changes after its length can be read"));
}

}  // namespace pawl::inline v0
