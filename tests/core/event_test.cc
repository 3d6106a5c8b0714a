#include "pawl/event.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "pawl/key.h"

namespace pawl {
namespace {

enum class Reason : std::uint8_t { kNone, kFraud };

struct Deposited {
  static constexpr EventType kType{"bank.deposited", 1};
  std::int64_t cents;
};

struct Blocked {
  static constexpr EventType kType{"bank.blocked", 3};
  Key by;
  double risk;
  Reason reason;
  bool is_final;
  std::array<char, 6> note;
};

struct Closed {
  static constexpr EventType kType{"bank.closed", 1};
};

TEST(EventType, AcceptsEveryAllowedCharacterAndBothLengthLimits) {
  static constexpr EventType kShort{"a", 1};
  static constexpr EventType kAlphabet{"abcdefghijklmnopqrstuvwxyz0123456789._-", 65'535};
  static constexpr EventType kLong{
      "0123456789012345678901234567890123456789012345678901234567890123", 2};
  EXPECT_EQ(kShort.name(), "a");
  EXPECT_EQ(kAlphabet.version(), 65'535);
  EXPECT_EQ(kLong.name().size(), kEventNameBytesMax);
}

TEST(Event, DescriptorHoldsWhatTheLogKeeps) {
  const EventDescriptor& blocked = DescriptorOf<Blocked>();
  EXPECT_EQ(blocked.name, "bank.blocked");
  EXPECT_EQ(blocked.version, 3);
  EXPECT_EQ(blocked.bytes, 32U);
  EXPECT_EQ(blocked.layout_text,
            "by:{high:u64@0,low:u64@8}@0,risk:f64@16,reason:enum<u8>@24,is_final:bool@25,"
            "note:array<6,char>@26");
  EXPECT_EQ(blocked.layout_hash, LayoutHash<Blocked>());
}

TEST(Event, WithoutFieldsTakesNoBytes) {
  static_assert(CheckEvent<Closed>());
  EXPECT_EQ(kEventBytes<Closed>, 0U);
  EXPECT_EQ(DescriptorOf<Closed>().bytes, 0U);
  EXPECT_EQ(DescriptorOf<Closed>().layout_text, "");
  EXPECT_EQ(DescriptorOf<Closed>().name, "bank.closed");
}

TEST(Event, TagsAndDescriptorsIdentifyTheType) {
  EXPECT_EQ(&DescriptorOf<Deposited>(), &DescriptorOf<Deposited>());
  EXPECT_EQ(TagOf<Deposited>(), TagOf<const Deposited>());
  const std::set<TypeTag> tags{TagOf<Deposited>(), TagOf<Blocked>(), TagOf<Closed>(), TagOf<int>()};
  EXPECT_EQ(tags.size(), 4U);
  static_assert(TagOf<Deposited>() != TagOf<Closed>());
}

// The concept answers without a hard error, so it can select overloads.
template <class E>
constexpr bool kIsEvent = Event<E>;

TEST(Event, ConceptIsQuietAboutTypesThatAreNone) {
  EXPECT_TRUE(kIsEvent<Deposited>);
  EXPECT_TRUE(kIsEvent<Blocked>);
  EXPECT_TRUE(kIsEvent<Closed>);
  EXPECT_FALSE(kIsEvent<const Deposited>);
  EXPECT_FALSE(kIsEvent<int>);
  EXPECT_FALSE(kIsEvent<void>);
  EXPECT_FALSE(kIsEvent<Deposited&>);
  EXPECT_FALSE(kIsEvent<Deposited[2]>);
  EXPECT_FALSE(kIsEvent<std::string>);
  EXPECT_FALSE(kIsEvent<void (*)()>);
}

struct Untyped {
  std::int64_t cents;
};
struct WrongType {
  static constexpr int kType = 1;
};
struct TypePerObject {
  const EventType kType;
};

TEST(Event, TypeMustBeAConstantOfTheRightType) {
  EXPECT_FALSE(kIsEvent<Untyped>);
  EXPECT_FALSE(kIsEvent<WrongType>);
  EXPECT_FALSE(kIsEvent<TypePerObject>);
}

// Faults of layouts, each the first one found. What users read is proved in tests/compile_fail.
struct Vt {
  virtual void F();
};
struct Reference {
  std::int64_t a;
  std::int64_t& b;
};
struct ConstReference {
  const std::int64_t& a;
};
struct ArrayOfOne {
  std::int64_t a[1];
};
struct LongArray {
  char a[40];
  std::int64_t b;
};
struct LateArray {
  std::int64_t a;
  std::array<std::int32_t, 2> b;
  std::int32_t c[2];
};
struct Matrix {
  std::int32_t a[2][2];
};
struct AnonymousUnion {
  std::int64_t a;
  union {
    std::int64_t b;
    double c;
  };
};
union Either {
  std::int64_t b;
  double c;
};
struct NamedUnion {
  Either a;
};
struct ArrayOfUnion {
  std::array<Either, 2> a;
};
struct View {
  std::string_view a;
};
struct SpanField {
  std::span<int> a;
};
struct OptionalFirst {
  std::optional<int> a;
  std::int64_t b;
};
struct OptionalLast {
  std::int64_t b;
  std::optional<int> a;
};
struct Pair {
  std::array<std::pair<int, int>, 2> a;
};
struct BitField {
  std::int32_t a : 5;
  std::int32_t b;
};
struct FullBitField {
  bool a : 1;
};
struct DeepPointer {
  struct Inner {
    std::array<const char*, 2> a;
  } inner;
};
struct MemberPointer {
  std::int64_t Deposited::*a;
};
struct FunctionPointer {
  void (*a)();
};
struct LongDouble {
  long double a;
};
struct Volatile {
  volatile std::int64_t a;
};
struct BetweenPadding {
  std::int8_t a;
  std::int64_t b;
};
struct AfterPadding {
  std::int64_t a;
  std::int8_t b;
};
struct NestedPadding {
  AfterPadding a;
};
struct ArrayPadding {
  std::array<AfterPadding, 2> a;
};
struct EmptyField {
  Closed a;
  std::int8_t b;
};
struct EmptyArray {
  std::array<std::int8_t, 0> a;
  std::int8_t b;
};
struct alignas(16) Aligned {
  std::int64_t a;
  std::int64_t b;
};
struct alignas(8) AlignedEmpty {};
struct [[gnu::packed]] Packed {
  std::int8_t a;
  std::int64_t b;
};
struct EmptyBase {};
struct WithBase : EmptyBase {
  std::int64_t a;
};
struct OnlyBase : Deposited {};
struct NestedBase {
  WithBase a;
};
class Private {
 public:
  std::int64_t a;

 private:
  [[maybe_unused]] std::int64_t b_;
};

TEST(LayoutFault, NamesTheFirstThingWrong) {
  EXPECT_EQ(kLayoutFault<int>, LayoutFault::kNotStruct);
  EXPECT_EQ(kLayoutFault<Either>, LayoutFault::kUnion);
  EXPECT_EQ(kLayoutFault<Vt>, LayoutFault::kVirtual);
  EXPECT_EQ(kLayoutFault<std::unique_ptr<int>>, LayoutFault::kNotTriviallyCopyable);
  EXPECT_EQ(kLayoutFault<Private>, LayoutFault::kNotAggregate);
  EXPECT_EQ(kLayoutFault<Aligned>, LayoutFault::kAlignment);
  EXPECT_EQ(kLayoutFault<AlignedEmpty>, LayoutFault::kAlignment);
  EXPECT_EQ(kLayoutFault<Packed>, LayoutFault::kPacked);
}

TEST(LayoutFault, FindsBasesAndReferences) {
  EXPECT_EQ(kLayoutFault<WithBase>, LayoutFault::kBaseClass);
  EXPECT_EQ(kLayoutFault<OnlyBase>, LayoutFault::kBaseClass);
  EXPECT_EQ(kLayoutFault<NestedBase>, LayoutFault::kBaseClass);
  EXPECT_EQ(kLayoutFault<Reference>, LayoutFault::kReference);
  EXPECT_EQ(kLayoutFault<ConstReference>, LayoutFault::kNotStandardLayout);
}

TEST(LayoutFault, FindsArraysUnionsAndBitFields) {
  EXPECT_EQ(kLayoutFault<ArrayOfOne>, LayoutFault::kCArray);
  EXPECT_EQ(kLayoutFault<LongArray>, LayoutFault::kCArray);
  EXPECT_EQ(kLayoutFault<LateArray>, LayoutFault::kCArray);
  EXPECT_EQ(kLayoutFault<Matrix>, LayoutFault::kCArray);
  EXPECT_EQ(kLayoutFault<AnonymousUnion>, LayoutFault::kUnion);
  EXPECT_EQ(kLayoutFault<NamedUnion>, LayoutFault::kUnion);
  EXPECT_EQ(kLayoutFault<ArrayOfUnion>, LayoutFault::kUnion);
  EXPECT_EQ(kLayoutFault<BitField>, LayoutFault::kBitField);
  EXPECT_EQ(kLayoutFault<FullBitField>, LayoutFault::kBitField);
}

TEST(LayoutFault, FindsFieldsOfOtherClasses) {
  EXPECT_EQ(kLayoutFault<View>, LayoutFault::kFieldClass);
  EXPECT_EQ(kLayoutFault<SpanField>, LayoutFault::kFieldClass);
  EXPECT_EQ(kLayoutFault<OptionalFirst>, LayoutFault::kFieldClass);
  EXPECT_EQ(kLayoutFault<OptionalLast>, LayoutFault::kFieldClass);
  EXPECT_NE(kLayoutFault<Pair>, LayoutFault::kNone);
}

TEST(LayoutFault, FindsPointersAndOddScalars) {
  EXPECT_EQ(kLayoutFault<DeepPointer>, LayoutFault::kPointer);
  EXPECT_EQ(kLayoutFault<MemberPointer>, LayoutFault::kPointer);
  EXPECT_EQ(kLayoutFault<FunctionPointer>, LayoutFault::kPointer);
  EXPECT_EQ(kLayoutFault<LongDouble>, LayoutFault::kLongDouble);
  EXPECT_EQ(kLayoutFault<Volatile>, LayoutFault::kFieldType);
}

TEST(LayoutFault, FindsPaddingAnywhere) {
  EXPECT_EQ(kLayoutFault<BetweenPadding>, LayoutFault::kPaddingBetween);
  EXPECT_EQ(kLayoutFault<AfterPadding>, LayoutFault::kPaddingAfter);
  EXPECT_EQ(kLayoutFault<NestedPadding>, LayoutFault::kPaddingAfter);
  EXPECT_EQ(kLayoutFault<ArrayPadding>, LayoutFault::kPaddingAfter);
  EXPECT_EQ(kLayoutFault<EmptyField>, LayoutFault::kPaddingBetween);
  EXPECT_EQ(kLayoutFault<EmptyArray>, LayoutFault::kPaddingBetween);
}

}  // namespace
}  // namespace pawl
