#include "window_ring.h"

#include <cstdint>
#include <span>

#include <gtest/gtest.h>

namespace pawl {
namespace {

TEST(WindowRingTest, ACommandKeepsItsSlotForALap) {
  WindowRing<int> ring(4);
  for (std::uint64_t cursor = 0; cursor < 4; ++cursor) ring.At(cursor) = static_cast<int>(cursor);
  for (std::uint64_t cursor = 0; cursor < 4; ++cursor) {
    EXPECT_EQ(ring.At(cursor), static_cast<int>(cursor));
    EXPECT_EQ(&ring.At(cursor), &ring.At(cursor + 4));
  }
}

TEST(WindowRingTest, ARunEndsWhereTheRingDoes) {
  WindowRing<int> ring(8);
  EXPECT_EQ(ring.From(0, 8).size(), 8U);
  EXPECT_EQ(ring.From(8 + 5, 8).size(), 3U);
  EXPECT_EQ(ring.From(8 + 5, 2).size(), 2U);
  EXPECT_EQ(ring.From(8 + 7, 1).data(), &ring.At(7));
  EXPECT_TRUE(ring.From(3, 0).empty());
}

TEST(WindowRingTest, ACapacityThatIsNoPowerOfTwoIsRefused) {
  EXPECT_DEATH(WindowRing<int>(6), "check failed");
}

}  // namespace
}  // namespace pawl
