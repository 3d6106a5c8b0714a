#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

namespace pawl::inline v0 {

// Counts durations from 1 ns to 1 h with three significant digits: every value is known to 1 part
// in 1,024 or better, in fixed memory (264 KiB).
//
// Threads: one at a time; a thread that measures keeps its own histogram, and a reader merges them.
// Record() is wait-free, allocates nothing and takes a few ns.
//
// Layout, that of HdrHistogram with lowest 1, highest 3.6e12, 3 digits: bucket b holds the values
// of b + 11 significant bits in steps of 2^b, 2,048 steps in bucket 0 and the upper 1,024 in each
// other.
//
// source    HdrHistogram_c src/hdr_histogram.c
class Histogram {
 public:
  static constexpr std::int64_t kHighestNs = 3'600'000'000'000;

  Histogram();

  // Counts `value_ns`. What is outside 0..kHighestNs is counted at that border, and so is in all
  // counts and percentiles; clamped() says how many such there were.
  void Record(std::int64_t value_ns) noexcept {
    const std::int64_t clamped_ns = std::clamp<std::int64_t>(value_ns, 0, kHighestNs);
    clamped_ += clamped_ns != value_ns ? 1 : 0;
    ++counts_[IndexOf(clamped_ns)];
    ++count_;
    min_ns_ = std::min(min_ns_, clamped_ns);
    max_ns_ = std::max(max_ns_, clamped_ns);
  }

  // Adds all that `other` counted.
  void Merge(const Histogram& other) noexcept;

  // Forgets everything.
  void Reset() noexcept;

  // The least value that at least `percentile` per cent of the values do not exceed, rounded up
  // within its step, never above max(); 0 if nothing was recorded.
  //   percentile   0..100; 0 answers as the smallest positive one does
  [[nodiscard]] std::int64_t ValueAtPercentile(double percentile) const noexcept;

  // The mean, each value taken as the middle of its step; 0 if nothing was recorded.
  [[nodiscard]] double mean() const noexcept;

  // The exact extremes; 0 if nothing was recorded.
  [[nodiscard]] std::int64_t min() const noexcept { return count_ == 0 ? 0 : min_ns_; }
  [[nodiscard]] std::int64_t max() const noexcept { return max_ns_; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t clamped() const noexcept { return clamped_; }

 private:
  // 2 × 10^3 steps resolve three digits in every bucket; the next power of two.
  static constexpr int kStepBits = 11;
  static constexpr std::int64_t kSteps = std::int64_t{1} << kStepBits;
  static constexpr int kHalfStepBits = kStepBits - 1;

  static constexpr int BucketOf(std::int64_t value_ns) noexcept {
    return 64 - kStepBits - std::countl_zero(static_cast<std::uint64_t>(value_ns | (kSteps - 1)));
  }

  static constexpr std::size_t IndexOf(std::int64_t value_ns) noexcept {
    const int bucket = BucketOf(value_ns);
    return (static_cast<std::size_t>(bucket) << kHalfStepBits) +
           static_cast<std::size_t>(value_ns >> bucket);
  }

  // HdrHistogram's counts_len for the same limits; the constructor checks it against them.
  static constexpr std::size_t kCounts = 33'792;

  // The values that share a count: `lowest_ns` and the `width_ns - 1` after it.
  struct Step {
    std::int64_t lowest_ns;
    std::int64_t width_ns;
  };
  static constexpr Step StepAt(std::size_t index) noexcept;

  std::unique_ptr<std::uint64_t[]> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t clamped_ = 0;
  std::int64_t min_ns_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_ns_ = 0;
};

}  // namespace pawl::inline v0
