#include "pawl/left_right.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pawl/check.h"

namespace pawl {
namespace {

// The hidden copy, which must be free of readers.
template <class T>
T& Hidden(LeftRight<T>& pair) {
  T* const hidden = pair.TryBeginWrite();
  PAWL_CHECK(hidden != nullptr);
  return *hidden;
}

TEST(LeftRightTest, BothCopiesStartAlike) {
  LeftRight<std::string> pair("start");
  EXPECT_EQ(pair.Read([](const std::string& text) { return text; }), "start");
  EXPECT_EQ(Hidden(pair), "start");
  EXPECT_EQ(pair.visible(), "start");
}

TEST(LeftRightTest, AChangeIsInvisibleUntilFlip) {
  LeftRight<int> pair(1);
  Hidden(pair) = 2;
  EXPECT_EQ(pair.Read([](int value) { return value; }), 1);
  pair.Flip();
  EXPECT_EQ(pair.Read([](int value) { return value; }), 2);
  EXPECT_EQ(pair.visible(), 2);
}

TEST(LeftRightTest, WithoutReadersTheOldCopyIsFreeAtTheNextLook) {
  LeftRight<int> pair(1);
  EXPECT_FALSE(pair.IsDraining());
  Hidden(pair) = 2;
  pair.Flip();
  EXPECT_TRUE(pair.IsDraining());
  EXPECT_TRUE(pair.Drained());
  EXPECT_FALSE(pair.IsDraining());
  EXPECT_EQ(Hidden(pair), 1);
}

// The reader calls the writer from inside Read(): the same as another thread that stays, and exact.
TEST(LeftRightTest, AReaderInsideKeepsItsCopyFromTheWriter) {
  LeftRight<int> pair(1);
  pair.Read([&](const int& value) {
    Hidden(pair) = 2;
    pair.Flip();
    EXPECT_FALSE(pair.Drained());
    EXPECT_EQ(pair.TryBeginWrite(), nullptr);
    EXPECT_TRUE(pair.IsDraining());
    EXPECT_EQ(value, 1);
    return 0;
  });
  EXPECT_TRUE(pair.Drained());
}

TEST(LeftRightTest, AReaderOfTheNewCopyDoesNotHoldTheWriterUp) {
  LeftRight<int> pair(1);
  Hidden(pair) = 2;
  pair.Flip();
  pair.Read([&](const int& value) {
    EXPECT_EQ(value, 2);
    // It arrived at the indicator that is drained second; nobody is in the first.
    EXPECT_FALSE(pair.Drained());
    return 0;
  });
  EXPECT_TRUE(pair.Drained());
  Hidden(pair) = 2;
  pair.Flip();
  EXPECT_TRUE(pair.Drained());
}

// A reader of its own thread that stays inside until it is told to leave.
class Visitor {
 public:
  explicit Visitor(const LeftRight<int>& pair)
      : thread_([&pair, this] {
          pair.Read([this](const int&) {
            is_in_.store(true, std::memory_order_release);
            while (!may_leave_.load(std::memory_order_acquire)) std::this_thread::yield();
            return 0;
          });
        }) {
    while (!is_in_.load(std::memory_order_acquire)) std::this_thread::yield();
  }
  void Leave() {
    may_leave_.store(true, std::memory_order_release);
    thread_.join();
  }

 private:
  std::atomic<bool> is_in_{false};
  std::atomic<bool> may_leave_{false};
  std::thread thread_;
};

// Somebody is always inside, but nobody stays: with one indicator the count would never be zero.
TEST(LeftRightTest, OverlappingReadersCannotStarveTheWriter) {
  LeftRight<int> pair(0);
  for (int batch = 1; batch <= 20; ++batch) {
    Hidden(pair) = batch;
    pair.Flip();
    Visitor early(pair);
    EXPECT_FALSE(pair.Drained());
    Visitor late(pair);
    early.Leave();
    EXPECT_TRUE(pair.Drained()) << "a reader of the new copy holds the writer up";
    late.Leave();
  }
}

TEST(LeftRightTest, AReaderThatThrowsDeparts) {
  LeftRight<int> pair(1);
  const auto read_and_throw = [&] {
    return pair.Read([](const int& value) -> int { throw value; });
  };
  EXPECT_THROW(read_and_throw(), int);
  Hidden(pair) = 2;
  pair.Flip();
  EXPECT_TRUE(pair.Drained());
}

TEST(LeftRightTest, ReadIsNoexceptWhenItsFunctionIs) {
  using Pair = LeftRight<int>;
  const auto quiet = [](const int& value) noexcept { return value; };
  const auto loud = [](const int& value) { return value; };
  static_assert(noexcept(std::declval<const Pair&>().Read(quiet)));
  static_assert(!noexcept(std::declval<const Pair&>().Read(loud)));
}

// All cells of a copy are equal between changes; a reader must never see a change half made. The
// writer applies every batch to both copies, as a projector does.
TEST(LeftRightTest, ReadersSeeWholeCopiesThatOnlyAdvance) {
  using Cells = std::array<std::uint64_t, 64>;
  constexpr std::uint64_t kBatches = 20'000;
  LeftRight<Cells> pair;
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&] {
      std::uint64_t last = 0;
      while (!is_over.load(std::memory_order_acquire)) {
        const std::uint64_t now = pair.Read([](const Cells& cells) noexcept {
          const std::uint64_t first = cells[0];
          for (const std::uint64_t cell : cells) {
            if (cell != first) return ~std::uint64_t{0};
          }
          return first;
        });
        ASSERT_NE(now, ~std::uint64_t{0}) << "torn";
        ASSERT_GE(now, last) << "backwards";
        last = now;
        reads.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  const auto apply = [&](std::uint64_t batch) {
    Cells* hidden = nullptr;
    while ((hidden = pair.TryBeginWrite()) == nullptr) std::this_thread::yield();
    for (std::uint64_t& cell : *hidden) cell = batch;
  };
  for (std::uint64_t batch = 1; batch <= kBatches || reads.load(std::memory_order_relaxed) < 1000;
       ++batch) {
    apply(batch);
    pair.Flip();
    apply(batch);
  }
  is_over.store(true, std::memory_order_release);
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace pawl
