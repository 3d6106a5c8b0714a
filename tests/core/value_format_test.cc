// How events are shown and compared: by the names of their fields.

#include "pawl/value_format.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "pawl/decision_stage.h"

namespace pawl {
namespace {

using testing::DifferingFields;
using testing::FormatOf;

enum class Side : std::uint8_t { kBuy, kSell = 3, kBeyond = 200 };
enum Loose { kOne = 1 };  // without an underlying type: its values have no names here
enum class Truth : bool { kNo, kYes };
enum class Letter : char { kA = 'A' };
enum class Below : std::int16_t { kMinus = -1, kZero };

struct Price {
  std::int64_t ticks;
  double factor;
};

struct Everything {
  Key key;
  Price price;
  std::array<Price, 2> prices;
  std::uint64_t most;
  std::array<char, 8> text;
  std::array<std::int32_t, 3> codes;
  Loose loose;
  float ratio;
  std::uint16_t u16;
  std::int16_t i16;
  Below below;
  Side side;
  Side far;
  std::int8_t i8;
  std::uint8_t u8;
  bool yes;
  char letter;
  Truth truth;
  Letter named_letter;
  std::array<std::uint8_t, 6> rest;
};

Everything Sample() {
  return {.key = Key(7),
          .price = {-5, 0.1},
          .prices = {{{1, 2}, {3, 4.5}}},
          .most = std::numeric_limits<std::uint64_t>::max(),
          .text = {'E', 'U', 'R', '"', '\n'},
          .codes = {1, 2, 3},
          .loose = kOne,
          .ratio = 0.5F,
          .u16 = 65'535,
          .i16 = -32'768,
          .below = Below::kMinus,
          .side = Side::kSell,
          .far = Side::kBeyond,
          .i8 = -128,
          .u8 = 255,
          .yes = true,
          .letter = 'x',
          .truth = Truth::kYes,
          .named_letter = Letter::kA,
          .rest = {}};
}

template <class T>
const std::byte* Bytes(const T& value) {
  return reinterpret_cast<const std::byte*>(&value);
}

template <class T>
std::string Text(const T& value) {
  std::string text;
  testing::AppendValue(text, FormatOf<T>(), Bytes(value));
  return text;
}

TEST(ValueFormatTest, EveryKindOfFieldIsShownByName) {
  EXPECT_EQ(Text(Sample()),
            "{key: key 7, price: {ticks: -5, factor: 0.1}, "
            "prices: [{ticks: 1, factor: 2}, {ticks: 3, factor: 4.5}], "
            R"(most: 18446744073709551615, text: "EUR\"\x0a", codes: [1, 2, 3], )"
            "loose: 1, ratio: 0.5, u16: 65535, i16: -32768, below: -1, side: kSell, far: 200, "
            "i8: -128, u8: 255, yes: true, letter: 'x', truth: kYes, named_letter: 65, "
            "rest: [0, 0, 0, 0, 0, 0]}");
}

// A value without a name is spelled as a number, or as a character, and is not taken for one.
enum class Control : char { kTab = '\t' };
enum class Signed : signed char { kOne = 1, kSixtyThree = 63, kSixtyFour = 64 };

template <class E>
std::size_t Named() {
  std::size_t count = 0;
  for (const std::string_view name : testing::EnumeratorsOf<E>()) count += name.empty() ? 0U : 1U;
  return count;
}

TEST(ValueFormatTest, OnlyEnumeratorsHaveNames) {
  EXPECT_EQ(Named<Control>(), 1U);
  EXPECT_EQ(testing::EnumeratorsOf<Control>()['\t'], "kTab");
  EXPECT_EQ(Named<Signed>(), 2U);
  EXPECT_EQ(testing::EnumeratorsOf<Signed>()[63], "kSixtyThree");
  EXPECT_EQ(Named<Truth>(), 2U);
  EXPECT_EQ(Named<Loose>(), 0U);
  EXPECT_EQ(Named<int>(), 0U);
}

TEST(ValueFormatTest, LongArraysAndTextsAreCut) {
  struct Long {
    std::array<std::uint8_t, 20> numbers;
    std::array<char, 90> text;
  };
  Long value{};
  value.numbers[15] = 9;
  value.text.fill('a');
  EXPECT_EQ(Text(value),
            "{numbers: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, … 20 elements], "
            "text: \"" +
                std::string(80, 'a') + "…\"}");
}

TEST(ValueFormatTest, KeysThatAreNoNumbersHave32Digits) {
  EXPECT_EQ(testing::KeyText(Key(0x1234'5678'9abc'def0, 2)), "123456789abcdef00000000000000002");
  EXPECT_EQ(testing::KeyText(Key(1, 0)), "00000000000000010000000000000000");
  EXPECT_EQ(testing::KeyText(Key(12)), "12");
}

TEST(ValueFormatTest, DifferencesAreNamedDownToTheField) {
  const Everything expected = Sample();
  EXPECT_TRUE(DifferingFields(FormatOf<Everything>(), Bytes(expected), Bytes(expected)).empty());
  Everything actual = Sample();
  actual.key = Key(8);
  actual.price.factor = 0.25;
  actual.codes[1] = 20;
  actual.text[0] = 'e';
  actual.prices[1].ticks = 33;
  actual.side = Side::kBuy;
  actual.yes = false;
  const std::vector<std::string> lines{
      "key: expected key 7, was key 8",      "price.factor: expected 0.1, was 0.25",
      "prices[1].ticks: expected 3, was 33", R"(text: expected "EUR\"\x0a", was "eUR\"\x0a")",
      "codes[1]: expected 2, was 20",        "side: expected kSell, was kBuy",
      "yes: expected true, was false"};
  EXPECT_EQ(DifferingFields(FormatOf<Everything>(), Bytes(expected), Bytes(actual)), lines);
}

TEST(ValueFormatTest, WhatLooksTheSameAndIsNotIsSaid) {
  const Price expected{1, std::numeric_limits<double>::quiet_NaN()};
  const Price actual{1, std::numeric_limits<double>::signaling_NaN()};
  EXPECT_EQ(DifferingFields(FormatOf<Price>(), Bytes(expected), Bytes(actual)),
            std::vector<std::string>{"factor: expected nan, was nan, in other bits"});
}

template <class T>
struct Wrapped {};

TEST(ValueFormatTest, TypesAreNamedWithoutTheirNamespaces) {
  EXPECT_EQ(testing::TypeName<Everything>(), "Everything");
  EXPECT_EQ(testing::TypeName<Wrapped<int>>(), "Wrapped<int>");
  EXPECT_EQ(testing::TypeName<int>(), "int");
}

}  // namespace
}  // namespace pawl
