#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "pawl/key.h"
#include "pawl/layout.h"

// How values of a plain struct are shown to people: fields and enumerators by name, keys as keys,
// arrays of char as text. Read from the type at compile time. Part of pawl::testing.
namespace pawl::inline v0::testing {

// Enumerators with values of 0 up to this one less are shown by name, others as numbers. Each value
// costs the compiler one instantiation.
inline constexpr std::size_t kEnumeratorsMax = 64;

// How values of one type are shown. Lives as long as the program.
struct ValueFormat {
  const FieldType* type;
  bool is_key;
  std::span<const std::string_view> enumerators;  // by value; empty: that value has no name
  const ValueFormat* element;                     // of an array
  std::span<const ValueFormat* const> fields;     // of a struct, as in type->fields
};

namespace format_detail {

template <auto kValue>
consteval std::string_view SpellValue() {
  return __PRETTY_FUNCTION__;
}

// The compiler spells a value without a name as "(Side)7".
template <class E, std::size_t kValue>
consteval std::string_view EnumeratorName() {
  constexpr std::string_view kSpelling = SpellValue<static_cast<E>(kValue)>();
  // g++ says what std::string_view stands for behind the value.
  constexpr std::size_t kFrom = kSpelling.find("kValue = ");
  static_assert(kFrom != std::string_view::npos);
  constexpr std::size_t kEnd = kSpelling.find_first_of(";]", kFrom);
  constexpr std::string_view kName = layout_detail::LastName(kSpelling.substr(kFrom, kEnd - kFrom));
  return kName.empty() || (kName.front() >= '0' && kName.front() <= '9') ? std::string_view{}
                                                                         : kName;
}

// Only of an enum with a fixed underlying type is every number of that type a value.
template <class E>
concept HasFixedUnderlying = requires {
  E{static_cast<std::underlying_type_t<E>>(0)};
};

template <class E, std::size_t... I>
consteval auto NameEnumerators(std::index_sequence<I...>) {
  return std::array<std::string_view, sizeof...(I)>{EnumeratorName<E, I>()...};
}

template <class E>
inline constexpr auto kEnumerators = [] {
  if constexpr (!std::is_enum_v<E>) {
    return std::array<std::string_view, 0>{};
  } else if constexpr (!HasFixedUnderlying<E>) {
    return std::array<std::string_view, 0>{};
  } else if constexpr (std::is_same_v<std::underlying_type_t<E>, bool>) {
    return NameEnumerators<E>(std::make_index_sequence<2>{});
  } else {
    return NameEnumerators<E>(std::make_index_sequence<kEnumeratorsMax>{});
  }
}();

template <class F>
consteval ValueFormat MakeValueFormat();

template <class F>
inline constexpr ValueFormat kValueFormat = MakeValueFormat<F>();

template <std::size_t... I, class... F>
consteval auto MakeFieldFormats(
    const layout_detail::FieldTuple<std::index_sequence<I...>, F...>* /*fields*/) {
  return std::array<const ValueFormat*, sizeof...(F)>{&kValueFormat<std::remove_const_t<F>>...};
}

template <class T>
inline constexpr auto kFieldFormats = [] {
  if constexpr (std::is_empty_v<T>) {
    return std::array<const ValueFormat*, 0>{};
  } else {
    return MakeFieldFormats(static_cast<const layout_detail::FieldsOf<T>*>(nullptr));
  }
}();

template <class F>
consteval ValueFormat MakeValueFormat() {
  const FieldType* type = &layout_detail::kFieldType<F>;
  if constexpr (std::is_enum_v<F>) {
    return {type, false, kEnumerators<F>, nullptr, {}};
  } else if constexpr (layout_detail::kIsStdArray<F>) {
    return {type, false, {}, &kValueFormat<std::remove_const_t<typename F::value_type>>, {}};
  } else if constexpr (std::is_class_v<F>) {
    return {type, std::is_same_v<F, Key>, {}, nullptr, kFieldFormats<F>};
  } else {
    return {type, false, {}, nullptr, {}};
  }
}

template <class T>
consteval std::string_view SpellType() {
  return __PRETTY_FUNCTION__;
}

// "… [with T = bank::Deposit; std::string_view = …]" (g++), "… [T = bank::Deposit]" (clang); the
// namespaces are left out.
consteval std::string_view TypeNameIn(std::string_view spelling) {
  spelling.remove_prefix(spelling.find("T = ") + 4);
  spelling = spelling.substr(0, spelling.find(';'));
  if (spelling.back() == ']') spelling.remove_suffix(1);
  const std::size_t arguments = spelling.find('<');
  const std::size_t scope = spelling.substr(0, arguments).rfind("::");
  return scope == std::string_view::npos ? spelling : spelling.substr(scope + 2);
}

}  // namespace format_detail

template <PlainStruct T>
constexpr const ValueFormat& FormatOf() noexcept {
  return format_detail::kValueFormat<std::remove_cv_t<T>>;
}

// The names of E's values, by value; none for what is no enum.
template <class E>
constexpr std::span<const std::string_view> EnumeratorsOf() noexcept {
  return format_detail::kEnumerators<E>;
}

// The name of a type without its namespaces.
template <class T>
constexpr std::string_view TypeName() noexcept {
  constexpr std::string_view kName = format_detail::TypeNameIn(format_detail::SpellType<T>());
  return kName;
}

// "7", or "00000000000000010000000000000002" if it does not fit a number.
std::string KeyText(const Key& key);

// Appends a value: "500", "kBuy", "\"EUR\"", "[1, 2, 3]", "{cents: 500, to: key 7}". Of a long
// array the first elements only, and their number.
void AppendValue(std::string& text, const ValueFormat& format, const std::byte* value);

// The fields in which two values of one type differ, one line each: "cents: expected 500, was 300",
// "price.ticks[3]: …".
std::vector<std::string> DifferingFields(const ValueFormat& format, const std::byte* expected,
                                         const std::byte* actual);

}  // namespace pawl::inline v0::testing
