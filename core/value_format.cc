#include "pawl/value_format.h"

#include <charconv>
#include <cstring>

namespace pawl::inline v0::testing {
namespace {

constexpr std::uint32_t kElementsShown = 16;  // of an array; a line stays readable
constexpr std::uint32_t kCharsShown = 80;     // of text

template <class T>
T Load(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
void AppendNumber(std::string& text, T value) {
  std::array<char, 64> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  text.append(digits.data(), end.ptr);
}

std::int64_t LoadInteger(FieldKind kind, const std::byte* at) noexcept {
  switch (kind) {
    case FieldKind::kI8: return Load<std::int8_t>(at);
    case FieldKind::kI16: return Load<std::int16_t>(at);
    case FieldKind::kI32: return Load<std::int32_t>(at);
    case FieldKind::kU8: return Load<std::uint8_t>(at);
    case FieldKind::kU16: return Load<std::uint16_t>(at);
    case FieldKind::kU32: return Load<std::uint32_t>(at);
    case FieldKind::kBool: return Load<std::uint8_t>(at);
    case FieldKind::kChar: return Load<char>(at);
    default: return Load<std::int64_t>(at);  // kI64, and the bits of kU64
  }
}

void AppendInteger(std::string& text, FieldKind kind, const std::byte* at) {
  if (kind == FieldKind::kU64) {
    AppendNumber(text, Load<std::uint64_t>(at));
  } else {
    AppendNumber(text, LoadInteger(kind, at));
  }
}

void AppendChar(std::string& text, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\'' || c == '\\') {
    text += '\\';
    text += c;
  } else if (byte >= 0x20 && byte != 0x7F) {
    text += c;  // UTF-8 stays as it is
  } else {
    text += "\\x";
    text += kHex[byte >> 4];
    text += kHex[byte & 0xF];
  }
}

// Without the zeros that fill it up.
void AppendText(std::string& text, const std::byte* chars, std::uint32_t count) {
  std::string_view all(reinterpret_cast<const char*>(chars), count);
  while (!all.empty() && all.back() == '\0') all.remove_suffix(1);
  text += '"';
  for (const char c : all.substr(0, kCharsShown)) AppendChar(text, c);
  text += all.size() > kCharsShown ? "…\"" : "\"";
}

bool IsText(const ValueFormat& format) noexcept {
  return format.type->kind == FieldKind::kArray && format.type->element->kind == FieldKind::kChar;
}

void AppendArray(std::string& text, const ValueFormat& format, const std::byte* value) {
  const FieldType& type = *format.type;
  text += '[';
  for (std::uint32_t i = 0; i < type.extent && i < kElementsShown; ++i) {
    if (i > 0) text += ", ";
    AppendValue(text, *format.element, value + std::size_t{i} * type.element->bytes);
  }
  if (type.extent > kElementsShown) text += ", … " + std::to_string(type.extent) + " elements";
  text += ']';
}

void AppendStruct(std::string& text, const ValueFormat& format, const std::byte* value) {
  if (format.is_key) {
    text += "key " + KeyText(Load<Key>(value));
    return;
  }
  text += '{';
  for (std::size_t i = 0; i < format.fields.size(); ++i) {
    const Field& field = format.type->fields[i];
    if (i > 0) text += ", ";
    text.append(field.name).append(": ");
    AppendValue(text, *format.fields[i], value + field.offset);
  }
  text += '}';
}

void AppendEnum(std::string& text, const ValueFormat& format, const std::byte* value) {
  const auto number = static_cast<std::uint64_t>(LoadInteger(format.type->underlying, value));
  if (number < format.enumerators.size() && !format.enumerators[number].empty()) {
    text += format.enumerators[number];
  } else {
    AppendInteger(text, format.type->underlying, value);
  }
}

void AppendDifference(std::string_view path, const ValueFormat& format, const std::byte* expected,
                      const std::byte* actual, std::vector<std::string>& lines) {
  std::string before;
  std::string after;
  AppendValue(before, format, expected);
  AppendValue(after, format, actual);
  std::string line(path);
  line += ": expected " + before + ", was " + after;
  if (before == after) line += ", in other bits";  // NaNs; the far end of a long text
  lines.push_back(std::move(line));
}

void AddDifferences(const std::string& path, const ValueFormat& format, const std::byte* expected,
                    const std::byte* actual, std::vector<std::string>& lines) {
  const FieldType& type = *format.type;
  if (std::memcmp(expected, actual, type.bytes) == 0) return;
  if (type.kind == FieldKind::kStruct && !format.is_key) {
    for (std::size_t i = 0; i < format.fields.size(); ++i) {
      const Field& field = type.fields[i];
      AddDifferences((path.empty() ? "" : path + ".") + std::string(field.name), *format.fields[i],
                     expected + field.offset, actual + field.offset, lines);
    }
  } else if (type.kind == FieldKind::kArray && !IsText(format)) {
    for (std::uint32_t i = 0; i < type.extent; ++i) {
      const std::size_t offset = std::size_t{i} * type.element->bytes;
      AddDifferences(path + "[" + std::to_string(i) + "]", *format.element, expected + offset,
                     actual + offset, lines);
    }
  } else {
    AppendDifference(path, format, expected, actual, lines);
  }
}

}  // namespace

std::string KeyText(const Key& key) {
  if (key.high == 0) return std::to_string(key.low);
  std::string text;
  for (const std::uint64_t half : {key.high, key.low}) {
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), half, 16);
    text.append(16 - static_cast<std::size_t>(end.ptr - digits.data()), '0');
    text.append(digits.data(), end.ptr);
  }
  return text;
}

void AppendValue(std::string& text, const ValueFormat& format, const std::byte* value) {
  switch (format.type->kind) {
    case FieldKind::kBool: text += Load<std::uint8_t>(value) == 0 ? "false" : "true"; break;
    case FieldKind::kChar:
      text += '\'';
      AppendChar(text, Load<char>(value));
      text += '\'';
      break;
    case FieldKind::kF32: AppendNumber(text, Load<float>(value)); break;
    case FieldKind::kF64: AppendNumber(text, Load<double>(value)); break;
    case FieldKind::kEnum: AppendEnum(text, format, value); break;
    case FieldKind::kStruct: AppendStruct(text, format, value); break;
    case FieldKind::kArray:
      if (IsText(format)) {
        AppendText(text, value, format.type->extent);
      } else {
        AppendArray(text, format, value);
      }
      break;
    default: AppendInteger(text, format.type->kind, value);
  }
}

std::vector<std::string> DifferingFields(const ValueFormat& format, const std::byte* expected,
                                         const std::byte* actual) {
  std::vector<std::string> lines;
  AddDifferences("", format, expected, actual, lines);
  return lines;
}

}  // namespace pawl::inline v0::testing
