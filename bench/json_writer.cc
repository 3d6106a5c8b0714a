#include "json_writer.h"

#include <cmath>
#include <cstdio>

namespace pawl::inline v0::bench {

void JsonWriter::BeginObject(std::string_view key) {
  Key(key);
  text_ += '{';
  has_element_ = false;
}

void JsonWriter::EndObject() {
  text_ += '}';
  has_element_ = true;
}

void JsonWriter::BeginArray(std::string_view key) {
  Key(key);
  text_ += '[';
  has_element_ = false;
}

void JsonWriter::EndArray() {
  text_ += ']';
  has_element_ = true;
}

void JsonWriter::Text(std::string_view key, std::string_view value) {
  Key(key);
  Quote(value);
}

void JsonWriter::Integer(std::string_view key, std::uint64_t value) {
  Key(key);
  text_ += std::to_string(value);
}

void JsonWriter::Number(std::string_view key, double value) {
  Key(key);
  if (!std::isfinite(value)) {
    text_ += "null";
    return;
  }
  char digits[32];
  std::snprintf(digits, sizeof digits, std::abs(value) >= 1e6 ? "%.0f" : "%.6g", value);
  text_ += digits;
}

void JsonWriter::Boolean(std::string_view key, bool value) {
  Key(key);
  text_ += value ? "true" : "false";
}

void JsonWriter::Key(std::string_view key) {
  if (has_element_) text_ += ',';
  has_element_ = true;
  if (key.empty()) return;
  Quote(key);
  text_ += ':';
}

void JsonWriter::Quote(std::string_view value) {
  text_ += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      text_ += escaped;
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

}  // namespace pawl::inline v0::bench
