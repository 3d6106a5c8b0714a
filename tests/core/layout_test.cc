#include "pawl/layout.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace pawl {
namespace {

enum class Colour : std::uint16_t { kRed = 1, kBlue = 2 };
enum class Wide : std::uint32_t { kOne };
enum class Switch : bool { kOff, kOn };

struct Id {
  std::uint64_t hi;
  std::uint64_t lo;
};

struct Transferred {
  std::int64_t cents = 0;
  Id to;
};

struct Scalars {
  std::int64_t a_i64;
  std::uint64_t a_u64;
  double a_f64;
  long a_long;
  std::int32_t a_i32;
  std::uint32_t a_u32;
  float a_f32;
  char32_t a_char32;
  std::int16_t a_i16;
  std::uint16_t a_u16;
  std::int8_t a_i8;
  std::uint8_t a_u8;
  bool a_bool;
  char a_char;
};

struct Composites {
  std::array<Id, 2> ids;
  std::array<std::array<std::uint16_t, 3>, 2> grid;
  Colour colour;
  std::array<char, 2> code;
  std::array<Switch, 8> switches;
  struct Inner {
    const std::int32_t _first_;
    std::int32_t second2;
  } inner;
};

struct Nothing {};

struct Widest {
  std::int8_t f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16;
  std::int8_t f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32;
};

TEST(LayoutText, SpellsNamesKindsAndOffsets) {
  EXPECT_EQ(LayoutText<Transferred>(), "cents:i64@0,to:{hi:u64@0,lo:u64@8}@8");
  EXPECT_EQ(LayoutText<Scalars>(),
            "a_i64:i64@0,a_u64:u64@8,a_f64:f64@16,a_long:i64@24,a_i32:i32@32,a_u32:u32@36,"
            "a_f32:f32@40,a_char32:u32@44,a_i16:i16@48,a_u16:u16@50,a_i8:i8@52,a_u8:u8@53,"
            "a_bool:bool@54,a_char:char@55");
  EXPECT_EQ(LayoutText<Composites>(),
            "ids:array<2,{hi:u64@0,lo:u64@8}>@0,grid:array<2,array<3,u16>>@32,"
            "colour:enum<u16>@44,code:array<2,char>@46,switches:array<8,enum<bool>>@48,"
            "inner:{_first_:i32@0,second2:i32@4}@56");
}

TEST(LayoutText, IsEmptyForAStructWithoutFields) {
  EXPECT_EQ(LayoutText<Nothing>(), "");
  EXPECT_TRUE(LayoutFields<Nothing>().empty());
  EXPECT_EQ(kLayoutBytes<Nothing>, 0U);
}

TEST(LayoutText, IsKnownToTheCompiler) {
  static_assert(LayoutText<Id>() == "hi:u64@0,lo:u64@8");
  static_assert(LayoutHash<Id>() != LayoutHash<Nothing>());
}

struct LocalTypes {
  struct A {
    std::int32_t x;
  };
  struct B {
    std::int32_t x;
  };
};

TEST(LayoutText, DoesNotDependOnTheNameOfTheStruct) {
  struct InFunction {
    std::int32_t x;
  };
  EXPECT_EQ(LayoutText<LocalTypes::A>(), LayoutText<LocalTypes::B>());
  EXPECT_EQ(LayoutText<LocalTypes::A>(), LayoutText<InFunction>());
  EXPECT_EQ(LayoutText<const LocalTypes::A>(), LayoutText<LocalTypes::A>());
}

// The compiler's own offsets are the reference; the offsets in a layout are sums of sizes.
TEST(LayoutFields, OffsetsAndSizesAreThoseOfTheCompiler) {
  const std::span<const Field> fields = LayoutFields<Composites>();
  ASSERT_EQ(fields.size(), 6U);
  EXPECT_EQ(fields[0].offset, offsetof(Composites, ids));
  EXPECT_EQ(fields[1].offset, offsetof(Composites, grid));
  EXPECT_EQ(fields[2].offset, offsetof(Composites, colour));
  EXPECT_EQ(fields[3].offset, offsetof(Composites, code));
  EXPECT_EQ(fields[4].offset, offsetof(Composites, switches));
  EXPECT_EQ(fields[5].offset, offsetof(Composites, inner));
  EXPECT_EQ(fields[0].type->bytes, sizeof(Composites::ids));
  EXPECT_EQ(fields[5].type->bytes, sizeof(Composites::inner));
  EXPECT_EQ(kLayoutBytes<Composites>, sizeof(Composites));
}

TEST(LayoutFields, CanBeWalked) {
  const std::span<const Field> fields = LayoutFields<Composites>();
  const FieldType& ids = *fields[0].type;
  EXPECT_EQ(ids.kind, FieldKind::kArray);
  EXPECT_EQ(ids.extent, 2U);
  ASSERT_EQ(ids.element->kind, FieldKind::kStruct);
  ASSERT_EQ(ids.element->fields.size(), 2U);
  EXPECT_EQ(ids.element->fields[1].name, "lo");
  EXPECT_EQ(ids.element->fields[1].offset, 8U);
  const FieldType& colour = *fields[2].type;
  EXPECT_EQ(colour.kind, FieldKind::kEnum);
  EXPECT_EQ(colour.underlying, FieldKind::kU16);
  EXPECT_EQ(fields[3].type->element->kind, FieldKind::kChar);
}

TEST(LayoutFields, EveryArityBindsItsFieldsInOrder) {
  const std::span<const Field> fields = LayoutFields<Widest>();
  ASSERT_EQ(fields.size(), kFieldsMax);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    EXPECT_EQ(fields[i].name, "f" + std::to_string(i + 1));
    EXPECT_EQ(fields[i].offset, i);
  }
}

// Each pair differs in one thing that makes old bytes mean something else.
template <class Before, class After>
void ExpectDifferentHash() {
  EXPECT_NE(LayoutText<Before>(), LayoutText<After>());
  EXPECT_NE(LayoutHash<Before>(), LayoutHash<After>());
}

struct Paid {
  std::int64_t cents;
  std::int64_t fee;
  std::array<std::uint32_t, 2> codes;
  Colour colour;
  std::array<std::uint16_t, 3> spare;
};

TEST(LayoutHash, ChangesWhenAnIntegerBecomesADouble) {
  struct Changed {
    double cents;
    std::int64_t fee;
    std::array<std::uint32_t, 2> codes;
    Colour colour;
    std::array<std::uint16_t, 3> spare;
  };
  ExpectDifferentHash<Paid, Changed>();
}

TEST(LayoutHash, ChangesWhenSignednessChanges) {
  struct Changed {
    std::uint64_t cents;
    std::int64_t fee;
    std::array<std::uint32_t, 2> codes;
    Colour colour;
    std::array<std::uint16_t, 3> spare;
  };
  ExpectDifferentHash<Paid, Changed>();
}

TEST(LayoutHash, ChangesWhenTwoFieldsOfOneTypeAreSwapped) {
  struct Changed {
    std::int64_t fee;
    std::int64_t cents;
    std::array<std::uint32_t, 2> codes;
    Colour colour;
    std::array<std::uint16_t, 3> spare;
  };
  ExpectDifferentHash<Paid, Changed>();
}

TEST(LayoutHash, ChangesWhenAFieldIsAdded) {
  struct Changed {
    std::int64_t cents;
    std::int64_t fee;
    std::array<std::uint32_t, 2> codes;
    Colour colour;
    std::array<std::uint16_t, 3> spare;
    std::int64_t added;
  };
  ExpectDifferentHash<Paid, Changed>();
}

TEST(LayoutHash, ChangesWhenAFieldIsRenamed) {
  struct Changed {
    std::int64_t cents;
    std::int64_t fees;
    std::array<std::uint32_t, 2> codes;
    Colour colour;
    std::array<std::uint16_t, 3> spare;
  };
  ExpectDifferentHash<Paid, Changed>();
}

TEST(LayoutHash, ChangesWhenAnArrayBoundMovesBytesBetweenNeighbours) {
  struct Before {
    std::array<std::uint32_t, 2> a;
    std::array<std::uint32_t, 4> b;
  };
  struct After {
    std::array<std::uint32_t, 4> a;
    std::array<std::uint32_t, 2> b;
  };
  ExpectDifferentHash<Before, After>();
}

TEST(LayoutHash, ChangesWhenDimensionsAreTransposed) {
  struct Before {
    std::array<std::array<std::uint8_t, 2>, 4> a;
  };
  struct After {
    std::array<std::array<std::uint8_t, 4>, 2> a;
  };
  ExpectDifferentHash<Before, After>();
}

TEST(LayoutHash, ChangesWithTheUnderlyingTypeOfAnEnum) {
  struct Before {
    Colour a;
    std::uint16_t b;
  };
  struct After {
    Wide a;
  };
  struct Plain {
    std::uint16_t a;
    std::uint16_t b;
  };
  ExpectDifferentHash<Before, After>();
  ExpectDifferentHash<Before, Plain>();
}

enum class SameWidth : std::int16_t { kOne };

TEST(LayoutHash, ChangesWithTheSignednessOfAnEnum) {
  struct Before {
    Colour a;
  };
  struct After {
    SameWidth a;
  };
  ExpectDifferentHash<Before, After>();
}

TEST(LayoutHash, ChangesWhenANestedFieldIsRenamed) {
  struct Other {
    std::uint64_t high;
    std::uint64_t lo;
  };
  struct Changed {
    std::int64_t cents;
    Other to;
  };
  ExpectDifferentHash<Transferred, Changed>();
}

TEST(LayoutHash, ChangesWhenANestedStructIsFlattened) {
  struct Changed {
    std::int64_t cents;
    std::uint64_t hi;
    std::uint64_t lo;
  };
  ExpectDifferentHash<Transferred, Changed>();
}

// Hashes are in logs: values computed by hand with FNV-1a 64 over the text, equal on all compilers.
TEST(LayoutHash, IsStable) {
  EXPECT_EQ(LayoutHash<Nothing>(), 0xcbf29ce484222325U);
  EXPECT_EQ(LayoutHash<Id>(), 0x75c265218a8cc6a9U);
  EXPECT_EQ(LayoutHash<Transferred>(), 0xe24f05fdc1e70926U);
}

// A class with constructors stands in events once its fields are declared.
struct Money {
  std::int64_t cents = 0;
  std::int64_t currency = 0;
  constexpr Money() = default;
  constexpr explicit Money(std::int64_t amount) : cents(amount) {}
};

struct Unannounced {
  std::int64_t cents = 0;
  constexpr Unannounced() = default;
  constexpr explicit Unannounced(std::int64_t amount) : cents(amount) {}
};

}  // namespace

template <>
inline constexpr std::size_t kDeclaredFields<Money> = 2;

namespace {

TEST(LayoutText, ReadsAClassWithConstructorsWhoseFieldsAreDeclared) {
  struct Holder {
    Money price;
    std::array<Money, 2> more;
  };
  EXPECT_EQ(LayoutText<Holder>(),
            "price:{cents:i64@0,currency:i64@8}@0,more:array<2,{cents:i64@0,currency:i64@8}>@16");
  struct Undeclared {
    Unannounced price;
  };
  EXPECT_EQ(kLayoutFault<Undeclared>, LayoutFault::kFieldClass);
  EXPECT_EQ(kLayoutFault<Unannounced>, LayoutFault::kNotAggregate);
}

}  // namespace
}  // namespace pawl
