#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "pawl/field_binding.h"
#include "pawl/plain_struct.h"

// What a plain struct looks like in memory, read from the type itself at compile time: fields with
// name, kind, size and offset, a canonical text of them and a 64-bit hash of that text. The log
// keeps text and hash of every event type, so that tools print events without the application and a
// changed struct is refused instead of misread.
namespace pawl::inline v0 {

enum class FieldKind : std::uint8_t {
  kI8,
  kI16,
  kI32,
  kI64,
  kU8,
  kU16,
  kU32,
  kU64,
  kF32,
  kF64,
  kBool,
  kChar,  // `char` only: its signedness differs between machines, and arrays of it are text
  kEnum,
  kArray,
  kStruct,
};

struct Field;

// The type of a field. Lives as long as the program.
struct FieldType {
  FieldKind kind;
  FieldKind underlying;           // kEnum: kind of the underlying type; else equal to kind
  std::uint32_t bytes;            // sizeof
  std::uint32_t extent;           // kArray: number of elements; else 0
  const FieldType* element;       // kArray; else null
  std::span<const Field> fields;  // kStruct; else empty
};

struct Field {
  std::string_view name;
  const FieldType* type;
  std::uint32_t offset;  // bytes from the start of the struct that holds the field
};

namespace layout_detail {

// The compiler's spelling of a function ends with its template argument, and that with the name of
// the field: "…(& slot<E>.Slot<E>::object.E::cents)}]" (g++), "…{&slot.object.cents}]" (clang).
template <auto kPointer>
consteval auto SpellPointer() {
  return std::string_view{__PRETTY_FUNCTION__};
}

constexpr bool IsNameChar(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

constexpr std::string_view LastName(std::string_view spelling) noexcept {
  while (!spelling.empty() && !IsNameChar(spelling.back())) spelling.remove_suffix(1);
  std::size_t first = spelling.size();
  while (first > 0 && IsNameChar(spelling[first - 1])) --first;
  return spelling.substr(first);
}

// A copy of the name alone, so that the long spelling does not stay in the program.
template <auto kPointer>
inline constexpr auto kFieldName = [] {
  constexpr std::string_view kName = LastName(SpellPointer<kPointer>());
  static_assert(!kName.empty(), "pawl: this compiler does not spell field names; use g++ or clang");
  std::array<char, kName.size()> name{};
  for (std::size_t i = 0; i < kName.size(); ++i) name[i] = kName[i];
  return name;
}();

template <class F>
consteval FieldKind ScalarKind() {
  if constexpr (std::is_same_v<F, bool>) {
    return FieldKind::kBool;
  } else if constexpr (std::is_same_v<F, char>) {
    return FieldKind::kChar;
  } else if constexpr (std::is_floating_point_v<F>) {
    return sizeof(F) == 4 ? FieldKind::kF32 : FieldKind::kF64;
  } else {
    constexpr std::array kSigned{FieldKind::kI8, FieldKind::kI16, FieldKind::kI32, FieldKind::kI64};
    constexpr std::array kUnsigned{FieldKind::kU8, FieldKind::kU16, FieldKind::kU32,
                                   FieldKind::kU64};
    constexpr std::size_t kLog2 = sizeof(F) == 1 ? 0 : sizeof(F) == 2 ? 1 : sizeof(F) == 4 ? 2 : 3;
    return std::is_signed_v<F> ? kSigned[kLog2] : kUnsigned[kLog2];
  }
}

template <class F>
consteval FieldType MakeFieldType();

template <class F>
inline constexpr FieldType kFieldType = MakeFieldType<F>();

template <class T, std::size_t... I, class... F>
consteval auto MakeFields(const FieldTuple<std::index_sequence<I...>, F...>*) {
  constexpr auto kPointers = TieFields(slot<T>.object, FieldCount<sizeof...(I)>{});
  std::array<Field, sizeof...(I)> fields{
      Field{{kFieldName<GetField<I>(kPointers)>.data(), kFieldName<GetField<I>(kPointers)>.size()},
            &kFieldType<F>,
            0}...};
  std::uint32_t offset = 0;
  for (Field& field : fields) {
    field.offset = offset;
    offset += field.type->bytes;
  }
  return fields;
}

template <class T>
inline constexpr auto kFields = [] {
  if constexpr (std::is_empty_v<T>) {
    return std::array<Field, 0>{};
  } else {
    return MakeFields<T>(static_cast<const FieldsOf<T>*>(nullptr));
  }
}();

template <class F>
consteval FieldType MakeFieldType() {
  constexpr std::uint32_t kBytes = sizeof(F);
  if constexpr (std::is_enum_v<F>) {
    return {FieldKind::kEnum, ScalarKind<std::underlying_type_t<F>>(), kBytes, 0, nullptr, {}};
  } else if constexpr (kIsStdArray<F>) {
    using Element = std::remove_const_t<typename F::value_type>;
    constexpr std::uint32_t kExtent = std::tuple_size_v<F>;
    return {FieldKind::kArray, FieldKind::kArray, kBytes, kExtent, &kFieldType<Element>, {}};
  } else if constexpr (std::is_class_v<F>) {
    return {FieldKind::kStruct, FieldKind::kStruct, kBytes, 0, nullptr, kFields<F>};
  } else {
    return {ScalarKind<F>(), ScalarKind<F>(), kBytes, 0, nullptr, {}};
  }
}

// Writes the canonical text, or only measures it when `out` is null.
class LayoutTextWriter {
 public:
  constexpr explicit LayoutTextWriter(char* out) noexcept : out_(out) {}

  constexpr void WriteFields(std::span<const Field> fields) noexcept {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) Write(",");
      Write(fields[i].name);
      Write(":");
      WriteType(*fields[i].type);
      Write("@");
      WriteNumber(fields[i].offset);
    }
  }

  constexpr std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::string_view ScalarName(FieldKind kind) noexcept {
    constexpr std::array<std::string_view, 12> kNames{"i8",  "i16", "i32", "i64", "u8",   "u16",
                                                      "u32", "u64", "f32", "f64", "bool", "char"};
    return kNames[static_cast<std::size_t>(kind)];
  }

  constexpr void WriteType(const FieldType& type) noexcept {
    if (type.kind == FieldKind::kStruct) {
      Write("{");
      WriteFields(type.fields);
      Write("}");
    } else if (type.kind == FieldKind::kArray) {
      Write("array<");
      WriteNumber(type.extent);
      Write(",");
      WriteType(*type.element);
      Write(">");
    } else if (type.kind == FieldKind::kEnum) {
      Write("enum<");
      Write(ScalarName(type.underlying));
      Write(">");
    } else {
      Write(ScalarName(type.kind));
    }
  }

  constexpr void WriteNumber(std::uint32_t number) noexcept {
    if (number >= 10) WriteNumber(number / 10);
    const char digit = static_cast<char>('0' + number % 10);
    Write({&digit, 1});
  }

  constexpr void Write(std::string_view text) noexcept {
    for (const char c : text) {
      if (out_ != nullptr) out_[size_] = c;
      ++size_;
    }
  }

  char* out_;
  std::size_t size_ = 0;
};

template <class T>
inline constexpr auto kText = [] {
  constexpr std::size_t kChars = [] {
    LayoutTextWriter measure(nullptr);
    measure.WriteFields(kFields<T>);
    return measure.size();
  }();
  std::array<char, kChars> text{};
  LayoutTextWriter(text.data()).WriteFields(kFields<T>);
  return text;
}();

// FNV-1a. Tells versions of one type apart; it is no checksum and no defence.
constexpr std::uint64_t HashText(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x0000'0100'0000'01b3;
  }
  return hash;
}

}  // namespace layout_detail

// The fields of T in declaration order.
template <PlainStruct T>
constexpr std::span<const Field> LayoutFields() noexcept {
  return layout_detail::kFields<std::remove_cv_t<T>>;
}

// The fields as text, e.g. "cents:i64@0,to:{hi:u64@0,lo:u64@8}@8"; empty without fields. Written
// into logs: the grammar below is part of the format and must not change.
//   fields = [ field { "," field } ]
//   field  = name ":" type "@" offset          offset in bytes from the start of the holding struct
//   type   = i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bool char
//          | "enum<" type ">" | "array<" count "," type ">" | "{" fields "}"
template <PlainStruct T>
constexpr std::string_view LayoutText() noexcept {
  constexpr const auto& kText = layout_detail::kText<std::remove_cv_t<T>>;
  return {kText.data(), kText.size()};
}

// Hash of LayoutText<T>(): equal on every machine and compiler, different for another layout.
template <PlainStruct T>
constexpr std::uint64_t LayoutHash() noexcept {
  return layout_detail::HashText(LayoutText<T>());
}

}  // namespace pawl::inline v0
