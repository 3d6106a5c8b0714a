#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "pawl/layout.h"

// One struct for each row of the table in field_binding.h.
namespace pawl {
namespace {

#define PAWL_FIELDS_1 std::uint8_t f1;
#define PAWL_FIELDS_2 PAWL_FIELDS_1 std::uint8_t f2;
#define PAWL_FIELDS_3 PAWL_FIELDS_2 std::uint8_t f3;
#define PAWL_FIELDS_4 PAWL_FIELDS_3 std::uint8_t f4;
#define PAWL_FIELDS_5 PAWL_FIELDS_4 std::uint8_t f5;
#define PAWL_FIELDS_6 PAWL_FIELDS_5 std::uint8_t f6;
#define PAWL_FIELDS_7 PAWL_FIELDS_6 std::uint8_t f7;
#define PAWL_FIELDS_8 PAWL_FIELDS_7 std::uint8_t f8;
#define PAWL_FIELDS_9 PAWL_FIELDS_8 std::uint8_t f9;
#define PAWL_FIELDS_10 PAWL_FIELDS_9 std::uint8_t f10;
#define PAWL_FIELDS_11 PAWL_FIELDS_10 std::uint8_t f11;
#define PAWL_FIELDS_12 PAWL_FIELDS_11 std::uint8_t f12;
#define PAWL_FIELDS_13 PAWL_FIELDS_12 std::uint8_t f13;
#define PAWL_FIELDS_14 PAWL_FIELDS_13 std::uint8_t f14;
#define PAWL_FIELDS_15 PAWL_FIELDS_14 std::uint8_t f15;
#define PAWL_FIELDS_16 PAWL_FIELDS_15 std::uint8_t f16;
#define PAWL_FIELDS_17 PAWL_FIELDS_16 std::uint8_t f17;
#define PAWL_FIELDS_18 PAWL_FIELDS_17 std::uint8_t f18;
#define PAWL_FIELDS_19 PAWL_FIELDS_18 std::uint8_t f19;
#define PAWL_FIELDS_20 PAWL_FIELDS_19 std::uint8_t f20;
#define PAWL_FIELDS_21 PAWL_FIELDS_20 std::uint8_t f21;
#define PAWL_FIELDS_22 PAWL_FIELDS_21 std::uint8_t f22;
#define PAWL_FIELDS_23 PAWL_FIELDS_22 std::uint8_t f23;
#define PAWL_FIELDS_24 PAWL_FIELDS_23 std::uint8_t f24;
#define PAWL_FIELDS_25 PAWL_FIELDS_24 std::uint8_t f25;
#define PAWL_FIELDS_26 PAWL_FIELDS_25 std::uint8_t f26;
#define PAWL_FIELDS_27 PAWL_FIELDS_26 std::uint8_t f27;
#define PAWL_FIELDS_28 PAWL_FIELDS_27 std::uint8_t f28;
#define PAWL_FIELDS_29 PAWL_FIELDS_28 std::uint8_t f29;
#define PAWL_FIELDS_30 PAWL_FIELDS_29 std::uint8_t f30;
#define PAWL_FIELDS_31 PAWL_FIELDS_30 std::uint8_t f31;
#define PAWL_FIELDS_32 PAWL_FIELDS_31 std::uint8_t f32;

template <std::size_t kCount>
struct Arity;
template <>
struct Arity<1> {
  PAWL_FIELDS_1
};
template <>
struct Arity<2> {
  PAWL_FIELDS_2
};
template <>
struct Arity<3> {
  PAWL_FIELDS_3
};
template <>
struct Arity<4> {
  PAWL_FIELDS_4
};
template <>
struct Arity<5> {
  PAWL_FIELDS_5
};
template <>
struct Arity<6> {
  PAWL_FIELDS_6
};
template <>
struct Arity<7> {
  PAWL_FIELDS_7
};
template <>
struct Arity<8> {
  PAWL_FIELDS_8
};
template <>
struct Arity<9> {
  PAWL_FIELDS_9
};
template <>
struct Arity<10> {
  PAWL_FIELDS_10
};
template <>
struct Arity<11> {
  PAWL_FIELDS_11
};
template <>
struct Arity<12> {
  PAWL_FIELDS_12
};
template <>
struct Arity<13> {
  PAWL_FIELDS_13
};
template <>
struct Arity<14> {
  PAWL_FIELDS_14
};
template <>
struct Arity<15> {
  PAWL_FIELDS_15
};
template <>
struct Arity<16> {
  PAWL_FIELDS_16
};
template <>
struct Arity<17> {
  PAWL_FIELDS_17
};
template <>
struct Arity<18> {
  PAWL_FIELDS_18
};
template <>
struct Arity<19> {
  PAWL_FIELDS_19
};
template <>
struct Arity<20> {
  PAWL_FIELDS_20
};
template <>
struct Arity<21> {
  PAWL_FIELDS_21
};
template <>
struct Arity<22> {
  PAWL_FIELDS_22
};
template <>
struct Arity<23> {
  PAWL_FIELDS_23
};
template <>
struct Arity<24> {
  PAWL_FIELDS_24
};
template <>
struct Arity<25> {
  PAWL_FIELDS_25
};
template <>
struct Arity<26> {
  PAWL_FIELDS_26
};
template <>
struct Arity<27> {
  PAWL_FIELDS_27
};
template <>
struct Arity<28> {
  PAWL_FIELDS_28
};
template <>
struct Arity<29> {
  PAWL_FIELDS_29
};
template <>
struct Arity<30> {
  PAWL_FIELDS_30
};
template <>
struct Arity<31> {
  PAWL_FIELDS_31
};
template <>
struct Arity<32> {
  PAWL_FIELDS_32
};

template <std::size_t kCount>
void ExpectFieldsInOrder() {
  const auto fields = LayoutFields<Arity<kCount>>();
  ASSERT_EQ(fields.size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(fields[i].name, "f" + std::to_string(i + 1)) << "of " << kCount;
    EXPECT_EQ(fields[i].offset, i) << "of " << kCount;
  }
}

template <std::size_t... I>
void ExpectEveryArity(std::index_sequence<I...>) {
  (ExpectFieldsInOrder<I + 1>(), ...);
}

TEST(FieldBinding, BindsEveryArityInOrder) {
  ExpectEveryArity(std::make_index_sequence<kFieldsMax>{});
}

}  // namespace
}  // namespace pawl
