#include "queue_wait_sample.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace pawl {
namespace {

TEST(QueueWaitSampleTest, NothingIsAskedForUntilSomebodyAsks) {
  QueueWaitSample sample;
  EXPECT_FALSE(sample.is_asked());
  EXPECT_TRUE(sample.is_idle());
  EXPECT_EQ(sample.Take(0, 100), 0U);
  sample.Ask();
  EXPECT_TRUE(sample.is_asked());
  EXPECT_FALSE(sample.is_idle());
  EXPECT_EQ(sample.Take(0, 100), 0U);
}

TEST(QueueWaitSampleTest, IsGivenOnceWithTheCommandThatItIsOf) {
  QueueWaitSample sample;
  sample.Ask();
  sample.Put(7, 1000);
  EXPECT_FALSE(sample.is_asked());
  EXPECT_EQ(sample.Take(0, 7), 0U) << "the seven before it";
  EXPECT_EQ(sample.Take(7, 0), 0U);
  EXPECT_EQ(sample.Take(8, 100), 0U);
  EXPECT_EQ(sample.Take(7, 1), 1000U);
  EXPECT_TRUE(sample.is_idle());
  EXPECT_EQ(sample.Take(7, 1), 0U);
  sample.Ask();
  sample.Put(20, 2000);
  EXPECT_EQ(sample.Take(8, 100), 2000U);
}

TEST(QueueWaitSampleTest, ACommandThatWasNotSentAfterAllIsTimedWhenItIs) {
  QueueWaitSample sample;
  sample.Ask();
  sample.Put(3, 1000);
  sample.TakeBack();
  EXPECT_TRUE(sample.is_asked());
  EXPECT_EQ(sample.Take(0, 100), 0U);
  sample.Put(3, 5000);
  EXPECT_EQ(sample.Take(3, 1), 5000U);
}

// A clock may begin at 0, which says something else here.
TEST(QueueWaitSampleTest, NoTimeIsTakenForAWish) {
  for (std::uint64_t now_ns = 0; now_ns < 4; ++now_ns) {
    QueueWaitSample sample;
    sample.Ask();
    sample.Put(0, now_ns);
    EXPECT_FALSE(sample.is_asked());
    EXPECT_FALSE(sample.is_idle());
    EXPECT_GT(sample.Take(0, 1), 1U);
  }
}

}  // namespace
}  // namespace pawl
