#include "pawl/histogram.h"

#include <algorithm>
#include <cmath>

#include "pawl/check.h"

namespace pawl::inline v0 {

constexpr Histogram::Step Histogram::StepAt(std::size_t index) noexcept {
  const std::size_t half = index >> kHalfStepBits;
  const int bucket = half == 0 ? 0 : static_cast<int>(half) - 1;
  const std::size_t step = index - (static_cast<std::size_t>(bucket) << kHalfStepBits);
  return {.lowest_ns = static_cast<std::int64_t>(step) << bucket,
          .width_ns = std::int64_t{1} << bucket};
}

Histogram::Histogram() : counts_(std::make_unique<std::uint64_t[]>(kCounts)) {
  static_assert(kCounts == static_cast<std::size_t>(BucketOf(kHighestNs) + 2) << kHalfStepBits);
}

void Histogram::Merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < kCounts; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  clamped_ += other.clamped_;
  min_ns_ = std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

void Histogram::Reset() noexcept {
  std::fill_n(counts_.get(), kCounts, std::uint64_t{0});
  count_ = 0;
  clamped_ = 0;
  min_ns_ = std::numeric_limits<std::int64_t>::max();
  max_ns_ = 0;
}

std::int64_t Histogram::ValueAtPercentile(double percentile) const noexcept {
  PAWL_DCHECK(percentile >= 0 && percentile <= 100);
  if (count_ == 0) return 0;
  // One representable step down, as HdrHistogram does: 99.9 % of 1,000 values are 999 of them, but
  // 99.9 / 100 * 1000 is a little more than 999.
  const double share = std::nextafter(percentile, 0.0) / 100.0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kCounts; ++i) {
    seen += counts_[i];
    if (seen < std::max<std::uint64_t>(rank, 1)) continue;
    const Step step = StepAt(i);
    return std::min(step.lowest_ns + step.width_ns - 1, max_ns_);
  }
  return max_ns_;
}

double Histogram::mean() const noexcept {
  if (count_ == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < kCounts; ++i) {
    if (counts_[i] == 0) continue;
    const Step step = StepAt(i);
    const double middle_ns =
        static_cast<double>(step.lowest_ns) + static_cast<double>(step.width_ns - 1) / 2;
    sum += middle_ns * static_cast<double>(counts_[i]);
  }
  return sum / static_cast<double>(count_);
}

}  // namespace pawl::inline v0
