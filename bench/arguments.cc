#include "arguments.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace pawl::inline v0::bench {
namespace {

[[noreturn]] void Refuse(const std::string& program, const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
  std::exit(2);
}

}  // namespace

Arguments::Arguments(int argc, char** argv) : program_(argc > 0 ? argv[0] : "bench") {
  for (int i = 1; i < argc; ++i) rest_.emplace_back(argv[i]);
}

std::string Arguments::Word(std::string_view otherwise) {
  if (rest_.empty() || rest_.front().starts_with("--")) return std::string(otherwise);
  std::string word = rest_.front();
  rest_.erase(rest_.begin());
  return word;
}

bool Arguments::Flag(std::string_view name) {
  const auto found = std::find(rest_.begin(), rest_.end(), name);
  if (found == rest_.end()) return false;
  rest_.erase(found);
  return true;
}

std::string Arguments::Text(std::string_view name, std::string_view otherwise) {
  const auto found = std::find(rest_.begin(), rest_.end(), name);
  if (found == rest_.end()) return std::string(otherwise);
  if (found + 1 == rest_.end()) Refuse(program_, std::string(name) + " wants a value");
  std::string value = *(found + 1);
  rest_.erase(found, found + 2);
  return value;
}

std::int64_t Arguments::Number(std::string_view name, std::int64_t otherwise, std::int64_t min,
                               std::int64_t max) {
  const std::string text = Text(name, "");
  if (text.empty()) return otherwise;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  if (!is_whole || value < min || value > max) {
    Refuse(program_, std::string(name) + " wants a whole number in [" + std::to_string(min) + ", " +
                         std::to_string(max) + "], not '" + text + "'");
  }
  return value;
}

void Arguments::RefuseTheRest(std::string_view usage) const {
  if (rest_.empty()) return;
  Refuse(program_, "unknown argument '" + rest_.front() + "'\nusage: " + std::string(usage));
}

}  // namespace pawl::inline v0::bench
