#pragma once

#include <cstddef>
#include <string_view>

namespace pawl::inline v0 {

namespace type_name_detail {

// "… [with T = bank::Deposit; …]" (g++), "… [T = bank::Deposit]" (clang).
template <class T>
consteval std::string_view Spell() {
  return std::string_view{__PRETTY_FUNCTION__};
}

constexpr std::string_view Cut(std::string_view spelling) noexcept {
  const std::size_t begin = spelling.find("T = ") + 4;
  const std::size_t end = spelling.find("; std::", begin);
  return spelling.substr(begin, (end < spelling.size() ? end : spelling.size() - 1) - begin);
}

constexpr std::string_view OwnOf(std::string_view name) noexcept {
  std::size_t begin = 0;
  int depth = 0;  // of "Box<a::b>::", "(anonymous namespace)::", "{anonymous}::", "f(a::b)::"
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
    if (c == '>' || c == ')' || c == '}' || c == ']') --depth;
    if (c == ':' && depth == 0) begin = i + 1;
  }
  const std::string_view own = name.substr(begin);
  return own.substr(0, own.find('<'));
}

}  // namespace type_name_detail

// The compiler's name of a type, for people to read. Not the same for all compilers.
template <class T>
inline constexpr std::string_view kTypeName = type_name_detail::Cut(type_name_detail::Spell<T>());

// A class's name as its definition has it: without namespaces, classes and functions around it, and
// without template arguments. All compilers spell that alike.
template <class T>
inline constexpr std::string_view kOwnName = type_name_detail::OwnOf(kTypeName<T>);

}  // namespace pawl::inline v0
