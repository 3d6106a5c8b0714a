#include "parcel_ring.h"

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "test_seed.h"

namespace pawl {
namespace {

TEST(ParcelRingTest, HoldsAsMuchAsItSaysAndOneByteLess) {
  constexpr std::size_t kBytes = 1000;
  // The smallest power of two in which 1,000 bytes always find room.
  ASSERT_LE(ParcelRing::CapacityFor(kBytes), 2048U);
  ParcelRing ring(2048);
  // Wherever the ring stands: what is left before its end is of no use to a parcel.
  for (std::uint64_t command = 0; command < 300; ++command) {
    ASSERT_NE(ring.Reserve(command, command, command % 2 == 0 ? kBytes : 17), nullptr) << command;
    ring.SetSent();
  }
}

TEST(ParcelRingTest, WhatWasNotSentIsTakenBack) {
  ParcelRing ring(256);
  std::byte* const first = ring.Reserve(0, 0, 100);
  ASSERT_NE(first, nullptr);
  ring.SetSent();
  std::byte* const second = ring.Reserve(1, 0, 100);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(ring.Reserve(2, 0, 100), nullptr);
  ring.TakeBack();
  EXPECT_EQ(ring.Reserve(1, 0, 100), second);
}

TEST(ParcelRingTest, RoomComesBackWithTheCreditAndNotBefore) {
  ParcelRing ring(256);
  ASSERT_NE(ring.Reserve(5, 0, 112), nullptr);
  ring.SetSent();
  ASSERT_NE(ring.Reserve(6, 0, 112), nullptr);
  ring.SetSent();
  EXPECT_EQ(ring.Reserve(7, 5, 112), nullptr);  // command 5 was not answered yet
  std::byte* const again = ring.Reserve(7, 6, 112);
  EXPECT_NE(again, nullptr);
  EXPECT_EQ(ring.Reserve(8, 6, 112), nullptr);
}

// No parcel is changed while it is under way, whatever sizes come.
TEST(ParcelRingTest, ParcelsUnderWayAreNeverWrittenOver) {
  std::mt19937_64 random(SeedOfTest());
  constexpr std::size_t kCapacity = 4096;
  ParcelRing ring(kCapacity);
  struct Parcel {
    std::uint64_t command;
    std::byte* at;
    std::size_t bytes;
  };
  std::deque<Parcel> under_way;
  std::uint64_t returned = 0;
  std::uint64_t refused = 0;
  const auto is_whole = [](const Parcel& parcel) {
    const std::vector<std::byte> wanted(parcel.bytes, static_cast<std::byte>(parcel.command));
    return std::memcmp(parcel.at, wanted.data(), wanted.size()) == 0;
  };
  for (std::uint64_t command = 0; command < 100'000; ++command) {
    if (random() % 4 != 0) {  // others have no parcel
      const std::size_t bytes = 1 + random() % 1000;
      std::byte* const at = ring.Reserve(command, returned, bytes);
      refused += at == nullptr;
      if (at != nullptr) {
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(at) % 8, 0U);
        std::memset(at, static_cast<int>(command & 0xFF), bytes);
        if (random() % 8 == 0) {
          ring.TakeBack();
        } else {
          ring.SetSent();
          under_way.push_back({command, at, bytes});
        }
      }
    }
    while (!under_way.empty() && (under_way.size() > 6 || random() % 3 == 0)) {
      ASSERT_TRUE(is_whole(under_way.front())) << command;
      returned = under_way.front().command + 1;
      under_way.pop_front();
    }
  }
  EXPECT_GT(refused, 0U);  // full at times
}

}  // namespace
}  // namespace pawl
