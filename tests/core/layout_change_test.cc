// Which changes of an event make it another one to the log: all that make old bytes mean something
// else, and nothing besides.

#include <array>
#include <cstdint>
#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "pawl/event.h"
#include "pawl/key.h"
#include "pawl/layout.h"

namespace pawl {
namespace {

// One layout after the other; each must be another than all before.
class Distinct {
 public:
  template <class T>
  void Add(std::string_view change) {
    EXPECT_TRUE(hashes_.insert(LayoutHash<T>()).second)
        << change << ": {" << LayoutText<T>() << "}";
    EXPECT_TRUE(texts_.insert(LayoutText<T>()).second) << change << ": {" << LayoutText<T>() << "}";
  }

 private:
  std::set<std::uint64_t> hashes_;
  std::set<std::string_view> texts_;
};

using Codes = std::array<std::uint32_t, 2>;
enum class Side : std::uint64_t { kBuy, kSell };
struct Pair {
  std::uint32_t x;
  std::uint32_t y;
};

// All have 48 bytes, so that size and offsets tell nothing.
// clang-format off
struct Order { std::int64_t a; std::int64_t b; double c; Codes d; Pair e; Side f; };
struct Ab    { std::int64_t b; std::int64_t a; double c; Codes d; Pair e; Side f; };
struct Ac    { double c; std::int64_t b; std::int64_t a; Codes d; Pair e; Side f; };
struct Ad    { Codes d; std::int64_t b; double c; std::int64_t a; Pair e; Side f; };
struct Ae    { Pair e; std::int64_t b; double c; Codes d; std::int64_t a; Side f; };
struct Af    { Side f; std::int64_t b; double c; Codes d; Pair e; std::int64_t a; };
struct Bc    { std::int64_t a; double c; std::int64_t b; Codes d; Pair e; Side f; };
struct Bd    { std::int64_t a; Codes d; double c; std::int64_t b; Pair e; Side f; };
struct Be    { std::int64_t a; Pair e; double c; Codes d; std::int64_t b; Side f; };
struct Bf    { std::int64_t a; Side f; double c; Codes d; Pair e; std::int64_t b; };
struct Cd    { std::int64_t a; std::int64_t b; Codes d; double c; Pair e; Side f; };
struct Ce    { std::int64_t a; std::int64_t b; Pair e; Codes d; double c; Side f; };
struct Cf    { std::int64_t a; std::int64_t b; Side f; Codes d; Pair e; double c; };
struct De    { std::int64_t a; std::int64_t b; double c; Pair e; Codes d; Side f; };
struct Df    { std::int64_t a; std::int64_t b; double c; Side f; Pair e; Codes d; };
struct Ef    { std::int64_t a; std::int64_t b; double c; Codes d; Side f; Pair e; };
// clang-format on

TEST(LayoutChange, AnyTwoFieldsSwappedIsAnotherLayout) {
  Distinct layouts;
  layouts.Add<Order>("as it was");
  layouts.Add<Ab>("a and b, of one type");
  layouts.Add<Ac>("a and c");
  layouts.Add<Ad>("a and d");
  layouts.Add<Ae>("a and e");
  layouts.Add<Af>("a and f");
  layouts.Add<Bc>("b and c");
  layouts.Add<Bd>("b and d");
  layouts.Add<Be>("b and e");
  layouts.Add<Bf>("b and f");
  layouts.Add<Cd>("c and d");
  layouts.Add<Ce>("c and e");
  layouts.Add<Cf>("c and f");
  layouts.Add<De>("d and e");
  layouts.Add<Df>("d and f");
  layouts.Add<Ef>("e and f");
}

template <class T>
struct Of {
  T value;
};

TEST(LayoutChange, AnyOtherTypeOfAFieldIsAnotherLayout) {
  enum class Signed : std::int64_t { kA };
  enum class Narrow : std::uint32_t { kA };
  struct Renamed {
    std::uint32_t x;
    std::uint32_t z;
  };
  struct Swapped {
    std::uint32_t y;
    std::uint32_t x;
  };
  struct Retyped {
    std::uint32_t x;
    float y;
  };
  struct Grown {
    std::uint32_t x;
    std::uint32_t y;
    std::uint32_t z;
  };
  struct Deep {
    Pair pair;
  };
  Distinct layouts;
  layouts.Add<Of<std::int64_t>>("int64");
  layouts.Add<Of<double>>("int64 to double");
  layouts.Add<Of<std::uint64_t>>("int64 to uint64");
  layouts.Add<Of<std::int32_t>>("int64 to int32");
  layouts.Add<Of<float>>("double to float");
  layouts.Add<Of<bool>>("to bool");
  layouts.Add<Of<char>>("to char");
  layouts.Add<Of<std::int8_t>>("to int8");
  layouts.Add<Of<std::uint8_t>>("to uint8");
  layouts.Add<Of<Side>>("to an enum");
  layouts.Add<Of<Signed>>("to a signed enum");
  layouts.Add<Of<Narrow>>("to a narrower enum");
  layouts.Add<Of<Codes>>("to an array");
  layouts.Add<Of<std::array<std::uint64_t, 1>>>("to an array of one");
  layouts.Add<Of<std::array<std::int32_t, 2>>>("an array of another type");
  layouts.Add<Of<std::array<std::uint32_t, 3>>>("an array of another length");
  layouts.Add<Of<std::array<char, 8>>>("to text");
  layouts.Add<Of<std::array<std::array<char, 4>, 2>>>("to two texts");
  layouts.Add<Of<std::array<std::array<char, 2>, 4>>>("to four texts");
  layouts.Add<Of<std::array<Side, 1>>>("an array of an enum");
  layouts.Add<Of<Pair>>("to a struct");
  layouts.Add<Of<Renamed>>("a field of a nested struct renamed");
  layouts.Add<Of<Swapped>>("two fields of a nested struct swapped");
  layouts.Add<Of<Retyped>>("a field of a nested struct of another type");
  layouts.Add<Of<Grown>>("a field of a nested struct added");
  layouts.Add<Of<Deep>>("one struct more around it");
  layouts.Add<Of<std::array<Pair, 1>>>("an array of structs");
  layouts.Add<Of<std::array<Renamed, 1>>>("an array of structs with a field renamed");
  layouts.Add<Of<Key>>("to a key");
}

TEST(LayoutChange, AFieldAddedRemovedOrRenamedAnywhereIsAnotherLayout) {
  struct Three {
    std::int64_t a, b, c;
  };
  struct First {
    std::int64_t added, a, b, c;
  };
  struct Between {
    std::int64_t a, added, b, c;
  };
  struct Last {
    std::int64_t a, b, c, added;
  };
  struct Without {
    std::int64_t a, b;
  };
  struct WithoutFirst {
    std::int64_t b, c;
  };
  struct Renamed {
    std::int64_t a, b, c2;
  };
  struct RenamedCase {
    std::int64_t A, b, c;
  };
  struct RenamedFirst {
    std::int64_t _a, b, c;
  };
  struct None {};
  Distinct layouts;
  layouts.Add<Three>("as it was");
  layouts.Add<First>("added before the first");
  layouts.Add<Between>("added between");
  layouts.Add<Last>("added behind the last");
  layouts.Add<Without>("last one removed");
  layouts.Add<WithoutFirst>("first one removed");
  layouts.Add<Renamed>("last one renamed");
  layouts.Add<RenamedCase>("upper case");
  layouts.Add<RenamedFirst>("first one renamed");
  layouts.Add<None>("all removed");
}

enum class Sides : std::uint64_t { kBid, kAsk, kBoth };
struct Couple {
  std::uint32_t x = 7;
  std::uint32_t y = 8;
};
struct SameOrder {
  static constexpr EventType kType{"test.renamed", 9};
  const std::int64_t a = 5;
  long long b = 6;
  double c = 7;
  std::array<unsigned, 2> d{};
  Couple e;
  Sides f{};
  double Sum() const { return static_cast<double>(a + b) + c; }
};

// Old bytes mean the same: such a change is none.
TEST(LayoutChange, WhatTheBytesDoNotShowChangesNothing) {
  static_assert(DescriptorOf<SameOrder>().version == 9);
  EXPECT_EQ(LayoutText<SameOrder>(), LayoutText<Order>());
  EXPECT_EQ(LayoutHash<SameOrder>(), LayoutHash<Order>());
}

// What logs hold, whatever compiler built the program: the hashes are FNV-1a of 64 bits over the
// texts, computed by another program.
TEST(LayoutChange, TextAndHashAreThoseThatLogsHold) {
  EXPECT_EQ(LayoutText<Order>(),
            "a:i64@0,b:i64@8,c:f64@16,d:array<2,u32>@24,e:{x:u32@0,y:u32@4}@32,f:enum<u64>@40");
  EXPECT_EQ(LayoutHash<Order>(), 0x6ccaf656e0ca7140U);
  EXPECT_EQ(LayoutText<Of<Key>>(), "value:{high:u64@0,low:u64@8}@0");
  EXPECT_EQ(LayoutHash<Of<Key>>(), 0xbce5915f1392662eU);
  using Texts = Of<std::array<std::array<char, 4>, 2>>;
  EXPECT_EQ(LayoutText<Texts>(), "value:array<2,array<4,char>>@0");
  EXPECT_EQ(LayoutHash<Of<std::int64_t>>(), 0xa36ae9d325578611U);
}

}  // namespace
}  // namespace pawl
