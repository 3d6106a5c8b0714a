#pragma once

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

}  // namespace type_name_detail

// The compiler's name of a type, for people to read. Not the same for all compilers.
template <class T>
inline constexpr std::string_view kTypeName = type_name_detail::Cut(type_name_detail::Spell<T>());

}  // namespace pawl::inline v0
