#pragma once

#include <cstdint>
#include <string_view>

namespace pawl::inline v0 {

// What a handler that can fail returns: Outcome() or Fail(code, text). A handler that returns void
// cannot fail.
class [[nodiscard]] Outcome {
 public:
  constexpr Outcome() noexcept = default;

  constexpr bool ok() const noexcept { return is_ok_; }
  constexpr std::uint32_t code() const noexcept { return code_; }
  constexpr std::string_view text() const noexcept { return text_; }

 private:
  friend constexpr Outcome Fail(std::uint32_t code, std::string_view text) noexcept;

  bool is_ok_ = true;
  std::uint32_t code_ = 0;
  std::string_view text_;
};

//   text      why; lives as long as the program, like a string literal
constexpr Outcome Fail(std::uint32_t code, std::string_view text) noexcept {
  Outcome outcome;
  outcome.is_ok_ = false;
  outcome.code_ = code;
  outcome.text_ = text;
  return outcome;
}

}  // namespace pawl::inline v0
