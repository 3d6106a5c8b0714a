#include "arguments.h"

#include <algorithm>
#include <charconv>

#include <absl/strings/str_cat.h>

namespace console {

Arguments::Arguments(int argc, char** argv) : left_(argv + 1, argv + argc) {}

bool Arguments::Flag(std::string_view name) {
  const auto at = std::find(left_.begin(), left_.end(), name);
  if (at == left_.end()) return false;
  left_.erase(at);
  return true;
}

std::string Arguments::Text(std::string_view name, std::string_view otherwise) {
  const auto at = std::find(left_.begin(), left_.end(), name);
  if (at == left_.end()) return std::string(otherwise);
  if (at + 1 == left_.end()) {
    Complain(absl::StrCat(std::string(name), " needs a value"));
    left_.erase(at);
    return std::string(otherwise);
  }
  std::string value = *(at + 1);
  left_.erase(at, at + 2);
  return value;
}

std::uint64_t Arguments::Number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                                std::uint64_t most) {
  const std::string text = Text(name, "");
  if (text.empty()) return otherwise;
  const absl::StatusOr<std::uint64_t> number = ParseNumber(text, least, most);
  if (!number.ok()) Complain(absl::StrCat(std::string(name), ": ", number.status().message()));
  return number.value_or(otherwise);
}

absl::Status Arguments::Finish() const {
  if (!mistake_.ok() || left_.empty()) return mistake_;
  return absl::InvalidArgumentError(
      absl::StrCat("'", left_.front(), "' is no option of this program, or is given twice"));
}

void Arguments::Complain(std::string message) {
  if (mistake_.ok()) mistake_ = absl::InvalidArgumentError(message);
}

absl::StatusOr<std::uint64_t> ParseNumber(std::string_view text, std::uint64_t least,
                                          std::uint64_t most) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stopped == end && number >= least && number <= most) return number;
  return absl::InvalidArgumentError(absl::StrCat("expected a whole number from ", least, " to ",
                                                 most, ", found '", std::string(text), "'"));
}

}  // namespace console
