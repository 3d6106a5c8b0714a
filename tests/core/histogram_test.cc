#include "pawl/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "test_seed.h"

namespace pawl {
namespace {

constexpr double kPercentiles[] = {0, 0.1, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 99.999, 100};

// From all magnitudes alike: 1 ns to 1 h.
std::vector<std::int64_t> RandomDurations(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> magnitude(
      0, std::log(static_cast<double>(Histogram::kHighestNs)));
  std::vector<std::int64_t> durations(count);
  for (std::int64_t& duration : durations) {
    duration = static_cast<std::int64_t>(std::exp(magnitude(random)));
  }
  return durations;
}

Histogram Of(const std::vector<std::int64_t>& durations) {
  Histogram histogram;
  for (const std::int64_t duration : durations) histogram.Record(duration);
  return histogram;
}

// The value of the rank that `percentile` names, by counting.
std::int64_t Oracle(const std::vector<std::int64_t>& sorted, double percentile) {
  std::size_t rank = 1;
  while (static_cast<double>(rank) * 100 <
         percentile * static_cast<double>(sorted.size()) * (1 - 1e-12)) {
    ++rank;
  }
  return sorted[rank - 1];
}

void ExpectPercentilesOf(const Histogram& histogram, std::vector<std::int64_t> durations) {
  std::sort(durations.begin(), durations.end());
  for (const double percentile : kPercentiles) {
    const std::int64_t exact = Oracle(durations, percentile);
    const std::int64_t value = histogram.ValueAtPercentile(percentile);
    EXPECT_GE(value, exact) << percentile;
    EXPECT_LE(value - exact, exact / 1024) << percentile;
  }
}

TEST(HistogramTest, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.ValueAtPercentile(50), 0);
  EXPECT_EQ(histogram.ValueAtPercentile(100), 0);
}

TEST(HistogramTest, KeepsSmallValuesExactly) {
  for (std::int64_t value = 0; value < 2048; ++value) {
    Histogram histogram;
    histogram.Record(value);
    histogram.Record(Histogram::kHighestNs);
    ASSERT_EQ(histogram.ValueAtPercentile(50), value);
  }
}

// Around every power of two a step doubles its width; an index off by one shows here first.
TEST(HistogramTest, RoundsUpWithinAStepAtEveryBoundary) {
  for (int bits = 1; bits < 42; ++bits) {
    for (std::int64_t offset = -3; offset <= 3; ++offset) {
      const std::int64_t value = (std::int64_t{1} << bits) + offset;
      if (value < 0 || value > Histogram::kHighestNs) continue;
      Histogram histogram;
      histogram.Record(value);
      histogram.Record(Histogram::kHighestNs);
      // From 2,048 on, each power of two is cut into 1,024 steps.
      const int power = offset < 0 ? bits - 1 : bits;
      const std::int64_t width = value < 2048 ? 1 : std::int64_t{1} << (power - 10);
      const std::int64_t highest_of_step = value / width * width + width - 1;
      ASSERT_EQ(histogram.ValueAtPercentile(50), highest_of_step) << value;
    }
  }
}

TEST(HistogramTest, CountsWhatIsOutOfRangeAtTheBorder) {
  Histogram histogram;
  histogram.Record(-1);
  histogram.Record(Histogram::kHighestNs);
  EXPECT_EQ(histogram.clamped(), 1U);
  histogram.Record(Histogram::kHighestNs + 1);
  EXPECT_EQ(histogram.clamped(), 2U);
  EXPECT_EQ(histogram.count(), 3U);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), Histogram::kHighestNs);
  EXPECT_EQ(histogram.ValueAtPercentile(100), Histogram::kHighestNs);
}

TEST(HistogramTest, NamesTheRankThatAPercentileNames) {
  Histogram histogram;
  for (std::int64_t value = 1; value <= 1000; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.ValueAtPercentile(0), 1);
  EXPECT_EQ(histogram.ValueAtPercentile(50), 500);
  EXPECT_EQ(histogram.ValueAtPercentile(50.05), 501);
  EXPECT_EQ(histogram.ValueAtPercentile(99), 990);
  EXPECT_EQ(histogram.ValueAtPercentile(99.9), 999);
  EXPECT_EQ(histogram.ValueAtPercentile(99.91), 1000);
  EXPECT_EQ(histogram.ValueAtPercentile(100), 1000);
  EXPECT_DOUBLE_EQ(histogram.mean(), 500.5);
}

TEST(HistogramTest, AgreesWithASortedVector) {
  const std::vector<std::int64_t> durations = RandomDurations(SeedOfTest(), 100'000);
  const Histogram histogram = Of(durations);
  EXPECT_EQ(histogram.count(), durations.size());
  EXPECT_EQ(histogram.min(), *std::min_element(durations.begin(), durations.end()));
  EXPECT_EQ(histogram.max(), *std::max_element(durations.begin(), durations.end()));
  const double mean = std::accumulate(durations.begin(), durations.end(), 0.0) /
                      static_cast<double>(durations.size());
  EXPECT_NEAR(histogram.mean(), mean, mean / 1024);
  ExpectPercentilesOf(histogram, durations);
}

TEST(HistogramTest, MergedHoldsWhatBothHeld) {
  const std::uint64_t seed = SeedOfTest();
  std::vector<std::int64_t> durations = RandomDurations(seed, 20'000);
  const std::vector<std::int64_t> more = RandomDurations(seed + 1, 30'001);
  Histogram merged = Of(durations);
  merged.Merge(Of(more));
  durations.insert(durations.end(), more.begin(), more.end());
  EXPECT_EQ(merged.count(), durations.size());
  EXPECT_EQ(merged.min(), *std::min_element(durations.begin(), durations.end()));
  EXPECT_EQ(merged.max(), *std::max_element(durations.begin(), durations.end()));
  ExpectPercentilesOf(merged, durations);
}

TEST(HistogramTest, MergingAnEmptyOneChangesNothing) {
  Histogram histogram;
  histogram.Record(7);
  histogram.Merge(Histogram());
  EXPECT_EQ(histogram.min(), 7);
  EXPECT_EQ(histogram.max(), 7);
  EXPECT_EQ(histogram.count(), 1U);
}

TEST(HistogramTest, ResetForgets) {
  Histogram histogram = Of({1, 2'000'000, -5});
  histogram.Reset();
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.clamped(), 0U);
  EXPECT_EQ(histogram.max(), 0);
  histogram.Record(9);
  EXPECT_EQ(histogram.min(), 9);
  EXPECT_EQ(histogram.ValueAtPercentile(100), 9);
}

}  // namespace
}  // namespace pawl
