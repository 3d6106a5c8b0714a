#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "pawl/field_binding.h"

// Which structs can be stored as their bytes, and what is wrong with the others. Decided at compile
// time from the struct alone.
// source   counting fields by conversion: Boost.PFR, boost/pfr/detail/fields_count.hpp
namespace pawl::inline v0 {

// What keeps a struct from being stored as its bytes. The first one found counts.
enum class LayoutFault : std::uint8_t {
  kNone,
  kNotStruct,
  kUnion,
  kVirtual,
  kNotTriviallyCopyable,
  kNotAggregate,
  kBaseClass,
  kReference,
  kCArray,
  kTooManyFields,
  kFieldClass,
  kPointer,
  kLongDouble,
  kFieldType,
  kNotStandardLayout,
  kPacked,
  kBitField,
  kAlignment,
  kPaddingBetween,
  kPaddingAfter,
};

// Largest alignment of a struct that is stored, in bytes: records start at multiples of it.
inline constexpr std::size_t kLayoutAlignmentMax = 8;

// Number of fields of a class whose fields are public but which has constructors, so that they
// cannot be counted. Specialise it beside such a class to let it stand in events; a wrong number
// does not compile.
template <class T>
inline constexpr std::size_t kDeclaredFields = 0;

namespace layout_detail {

// Converts to any one field of T; never runs. The conversion to T itself is left out so that T{Any}
// can only mean "initialise the first field".
template <class T>
struct AnyFieldOf {
  template <class F>
  requires(!std::is_same_v<F, T>) operator F() const noexcept { std::abort(); }
};

// Converts to unions only: finds anonymous unions, which structured bindings cannot bind.
template <class T>
struct AnyUnionOf {
  template <class F>
  requires std::is_union_v<F>
  operator F() const noexcept { std::abort(); }
};

// Converts to base classes of T only: an aggregate takes its bases as the first initialisers.
template <class T>
struct AnyBaseOf {
  template <class F>
  requires(std::is_base_of_v<F, T> && !std::is_same_v<F, T>) operator F() const noexcept {
    std::abort();
  }
};

template <class T, std::size_t>
using AnyAt = AnyFieldOf<T>;

// T{any × sizeof...(I)} is well-formed.
template <class T, std::size_t... I>
consteval bool TakesFields(std::index_sequence<I...>) {
  return requires { T{AnyAt<T, I>{}...}; };
}

// The same, but every field in its own braces: an array takes one pair, however long it is.
template <class T, std::size_t... I>
consteval bool TakesBracedFields(std::index_sequence<I...>) {
  return requires { T{{AnyAt<T, I>{}}...}; };
}

// T{any × before, {}, any × after} is well-formed.
template <class T, std::size_t... Before, std::size_t... After>
consteval bool TakesEmptyBraces(std::index_sequence<Before...>, std::index_sequence<After...>) {
  return requires { T{AnyAt<T, Before>{}..., {}, AnyAt<T, After>{}...}; };
}

// T{any × before, union} is well-formed.
template <class T, std::size_t... Before>
consteval bool TakesUnion(std::index_sequence<Before...>) {
  return requires { T{AnyAt<T, Before>{}..., AnyUnionOf<T>{}}; };
}

template <class T>
concept HasBase = requires {
  T{AnyBaseOf<T>{}};
};

// Number of initialisers that T takes, at most kFieldsMax + 1. Equal to the number of fields unless
// a C array is among them (each element counts).
template <class T, std::size_t kFrom = 0>
consteval std::size_t CountFields() {
  if constexpr (kFrom > kFieldsMax || !TakesFields<T>(std::make_index_sequence<kFrom + 1>{})) {
    return kFrom;
  } else {
    return CountFields<T, kFrom + 1>();
  }
}

template <class T, std::size_t... I>
consteval bool AnyPositionTakesUnion(std::index_sequence<I...>) {
  return (TakesUnion<T>(std::make_index_sequence<I>{}) || ...);
}

// `{}` before the element i of a C array empties the whole array, and the initialisers meant for
// its other elements are then too many.
template <class T, std::size_t... I>
consteval bool AnyPositionStartsArray(std::index_sequence<I...>) {
  return !(TakesEmptyBraces<T>(std::make_index_sequence<I>{},
                               std::make_index_sequence<sizeof...(I) - I - 1>{}) &&
           ...);
}

template <class T>
inline constexpr bool kIsCountable = std::is_aggregate_v<T> || kDeclaredFields<T> != 0;

template <class T>
consteval std::size_t FieldCountOf() {
  if constexpr (std::is_empty_v<T>) {
    return 0;
  } else if constexpr (kDeclaredFields<T> != 0) {
    return kDeclaredFields<T>;
  } else {
    return CountFields<T>();
  }
}

template <bool>
struct Constant;

// False if T has a bit-field: it has no address, so binding it reads slot<T>.
template <class T, class Count>
concept BindsAllFields = requires {
  typename Constant<(static_cast<void>(TieFields(slot<T>.object, Count{})), true)>;
};

template <class T>
inline constexpr bool kIsStdArray = false;
template <class T, std::size_t kExtent>
inline constexpr bool kIsStdArray<std::array<T, kExtent>> = true;

template <class T>
consteval LayoutFault FindFault();

template <class F>
consteval LayoutFault FindFieldFault() {
  if constexpr (std::is_volatile_v<F>) {
    return LayoutFault::kFieldType;
  } else if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F> ||
                       std::is_null_pointer_v<F>) {
    return LayoutFault::kPointer;
  } else if constexpr (std::is_array_v<F>) {
    return LayoutFault::kCArray;
  } else if constexpr (std::is_same_v<F, long double>) {
    return LayoutFault::kLongDouble;
  } else if constexpr (std::is_arithmetic_v<F> || std::is_enum_v<F>) {
    return sizeof(F) <= 8 ? LayoutFault::kNone : LayoutFault::kFieldType;
  } else if constexpr (kIsStdArray<F>) {
    // An empty array still takes a byte that nobody writes.
    if constexpr (std::tuple_size_v<F> == 0) {
      return LayoutFault::kPaddingBetween;
    } else {
      return FindFieldFault<std::remove_const_t<typename F::value_type>>();
    }
  } else if constexpr (std::is_union_v<F>) {
    return LayoutFault::kUnion;
  } else if constexpr (!kIsCountable<F>) {
    return LayoutFault::kFieldClass;
  } else if constexpr (std::is_empty_v<F>) {
    return LayoutFault::kPaddingBetween;
  } else {
    return FindFault<F>();
  }
}

// Faults that keep the fields from being counted.
template <class T>
consteval LayoutFault FindStructFault() {
  if constexpr (std::is_union_v<T>) {
    return LayoutFault::kUnion;
  } else if constexpr (!std::is_class_v<T>) {
    return LayoutFault::kNotStruct;
  } else if constexpr (std::is_polymorphic_v<T>) {
    return LayoutFault::kVirtual;
  } else if constexpr (!std::is_trivially_copyable_v<T>) {
    return LayoutFault::kNotTriviallyCopyable;
  } else if constexpr (!kIsCountable<T>) {
    return LayoutFault::kNotAggregate;
  } else if constexpr (kDeclaredFields<T> == 0 && HasBase<T>) {
    return LayoutFault::kBaseClass;
  } else {
    return LayoutFault::kNone;
  }
}

// Faults that keep the fields from being bound.
template <class T>
consteval LayoutFault FindCountFault() {
  constexpr std::size_t kCount = FieldCountOf<T>();
  using Positions = std::make_index_sequence<kCount>;
  if constexpr (kDeclaredFields<T> != 0) {
    return kCount <= kFieldsMax ? LayoutFault::kNone : LayoutFault::kTooManyFields;
  } else if constexpr (kCount == 0) {
    return std::is_standard_layout_v<T> ? LayoutFault::kFieldClass : LayoutFault::kReference;
  } else if constexpr (!TakesBracedFields<T>(Positions{}) &&
                       AnyPositionStartsArray<T>(Positions{})) {
    return LayoutFault::kCArray;
  } else if constexpr (kCount > kFieldsMax) {
    return LayoutFault::kTooManyFields;
  } else if constexpr (AnyPositionTakesUnion<T>(Positions{})) {
    return LayoutFault::kUnion;
  } else if constexpr (TakesEmptyBraces<T>(Positions{}, std::index_sequence<>{})) {
    // One more field than initialisers: a class that even a conversion to itself cannot initialise.
    return LayoutFault::kFieldClass;
  } else {
    return LayoutFault::kNone;
  }
}

// Fields follow each other in declaration order, so without padding each offset is the sum of the
// sizes before it: sums that fit prove the offsets.
template <class... F>
consteval LayoutFault FindGap(std::size_t struct_bytes) {
  const std::array<std::size_t, sizeof...(F)> bytes{sizeof(F)...};
  const std::array<std::size_t, sizeof...(F)> alignments{alignof(F)...};
  std::size_t offset = 0;
  bool is_aligned = true;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    is_aligned = is_aligned && offset % alignments[i] == 0;
    offset += bytes[i];
  }
  if (offset == struct_bytes) return is_aligned ? LayoutFault::kNone : LayoutFault::kPacked;
  return is_aligned ? LayoutFault::kPaddingAfter : LayoutFault::kPaddingBetween;
}

template <class T, std::size_t... I, class... F>
consteval LayoutFault FindFieldsFault(const FieldTuple<std::index_sequence<I...>, F...>*) {
  auto fault = LayoutFault::kNone;
  static_cast<void>(((fault = FindFieldFault<F>(), fault == LayoutFault::kNone) && ...));
  if (fault != LayoutFault::kNone) return fault;
  if (!std::is_standard_layout_v<T>) return LayoutFault::kNotStandardLayout;
  // Before bit-fields: g++ does not bind packed fields either.
  if (((alignof(T) < alignof(F)) || ...)) return LayoutFault::kPacked;
  if (!BindsAllFields<T, FieldCount<sizeof...(F)>>) return LayoutFault::kBitField;
  if (alignof(T) > kLayoutAlignmentMax) return LayoutFault::kAlignment;
  return FindGap<F...>(sizeof(T));
}

// Type of the fields' addresses; names their number and types.
template <class T>
using FieldsOf = decltype(TieFields(slot<T>.object, FieldCount<FieldCountOf<T>()>{}));

template <class T>
consteval LayoutFault FindFault() {
  constexpr LayoutFault kStruct = FindStructFault<T>();
  if constexpr (kStruct != LayoutFault::kNone) {
    return kStruct;
  } else if constexpr (std::is_empty_v<T>) {
    return alignof(T) == 1 ? LayoutFault::kNone : LayoutFault::kAlignment;
  } else if constexpr (constexpr LayoutFault kCount = FindCountFault<T>();
                       kCount != LayoutFault::kNone) {
    return kCount;
  } else {
    return FindFieldsFault<T>(static_cast<const FieldsOf<T>*>(nullptr));
  }
}

}  // namespace layout_detail

template <class T>
inline constexpr LayoutFault kLayoutFault = layout_detail::FindFault<std::remove_cv_t<T>>();

// A struct whose bytes are its fields and nothing else: it can be stored, compared and hashed as
// bytes. Fields: arithmetic (not long double), enums, std::array of such, nested plain structs.
template <class T>
concept PlainStruct = (kLayoutFault<T> == LayoutFault::kNone);

// Bytes that a T takes in a record: its size, or none for a struct without fields.
template <PlainStruct T>
inline constexpr std::uint32_t kLayoutBytes = std::is_empty_v<T> ? 0 : sizeof(T);

}  // namespace pawl::inline v0
