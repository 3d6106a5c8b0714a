#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pawl/histogram.h>

// Numbers and results as people and programs read them.
namespace console {

// 1234567 as "1,234,567".
std::string WithCommas(std::uint64_t number);
// 1234567 ns as "1.23 ms": three digits and the unit that fits.
std::string Duration(std::int64_t ns);
// 7654321 as "7.65 million", 4321 as "4,321".
std::string Rate(double per_second);
// 150000000 as "150 MB".
std::string Bytes(std::uint64_t bytes);

// One JSON object on one line, its members in the order they were added.
class JsonObject {
 public:
  JsonObject& Add(std::string_view name, std::uint64_t number);
  JsonObject& Add(std::string_view name, double number);
  JsonObject& Add(std::string_view name, bool fact);
  JsonObject& Add(std::string_view name, std::string_view text);
  // {"p50": …, "p99": …, "p999": …, "max": …} in nanoseconds.
  JsonObject& Add(std::string_view name, const pawl::Histogram& latency);

  std::string Text() const { return "{" + members_ + "}"; }

 private:
  JsonObject& AddRaw(std::string_view name, std::string_view value);

  std::string members_;
};

// Rows of label and value, the values in one column.
class Table {
 public:
  Table& Row(std::string label, std::string value);
  Table& Gap();
  std::string Text() const;

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

}  // namespace console
