#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pawl::inline v0::bench {

// Writes one JSON object into a string, in the order of the calls.
//   threads   one
class JsonWriter {
 public:
  // An empty key opens the outermost object or an element of an array.
  void BeginObject(std::string_view key = {});
  void EndObject();
  void BeginArray(std::string_view key);
  void EndArray();
  void Text(std::string_view key, std::string_view value);
  void Integer(std::string_view key, std::uint64_t value);
  // Six significant digits, from a million on whole; not-a-number and infinities become null.
  void Number(std::string_view key, double value);
  void Boolean(std::string_view key, bool value);

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void Key(std::string_view key);
  void Quote(std::string_view value);

  std::string text_;
  bool has_element_ = false;  // Whether the innermost open object or array has one.
};

}  // namespace pawl::inline v0::bench
