#include "text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>

namespace console {
namespace {

std::string Formatted(const char* format, double number) {
  std::array<char, 64> text{};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  std::snprintf(text.data(), text.size(), format, number);
#pragma GCC diagnostic pop
  return text.data();
}

// Three digits: 1.23, 12.3, 123.
std::string ThreeDigits(double number) {
  if (number < 9.995) return Formatted("%.2f", number);
  if (number < 99.95) return Formatted("%.1f", number);
  return Formatted("%.0f", number);
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return escaped;
}

// Characters, not bytes: labels are UTF-8.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

std::string WithCommas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string Duration(std::int64_t ns) {
  const double value = static_cast<double>(ns);
  if (ns < 1'000) return std::to_string(ns) + " ns";
  if (value < 999.5e3) return ThreeDigits(value / 1e3) + " µs";
  if (value < 999.5e6) return ThreeDigits(value / 1e6) + " ms";
  return ThreeDigits(value / 1e9) + " s";
}

std::string Rate(double per_second) {
  if (per_second >= 999'500) return ThreeDigits(per_second / 1e6) + " million";
  return WithCommas(static_cast<std::uint64_t>(per_second + 0.5));
}

std::string Bytes(std::uint64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (bytes < 1'000) return std::to_string(bytes) + " bytes";
  if (value < 999.5e3) return ThreeDigits(value / 1e3) + " kB";
  if (value < 999.5e6) return ThreeDigits(value / 1e6) + " MB";
  return ThreeDigits(value / 1e9) + " GB";
}

JsonObject& JsonObject::Add(std::string_view name, std::uint64_t number) {
  return AddRaw(name, std::to_string(number));
}

JsonObject& JsonObject::Add(std::string_view name, double number) {
  return AddRaw(name, Formatted("%.3f", number));
}

JsonObject& JsonObject::Add(std::string_view name, bool fact) {
  return AddRaw(name, fact ? "true" : "false");
}

JsonObject& JsonObject::Add(std::string_view name, std::string_view text) {
  return AddRaw(name, "\"" + Escaped(text) + "\"");
}

JsonObject& JsonObject::Add(std::string_view name, const pawl::Histogram& latency) {
  const auto at = [&latency](double percentile) {
    return static_cast<std::uint64_t>(latency.ValueAtPercentile(percentile));
  };
  JsonObject values;
  values.Add("p50", at(50)).Add("p99", at(99)).Add("p999", at(99.9));
  values.Add("max", static_cast<std::uint64_t>(latency.max()));
  return AddRaw(name, values.Text());
}

JsonObject& JsonObject::AddRaw(std::string_view name, std::string_view value) {
  if (!members_.empty()) members_ += ", ";
  members_.append("\"").append(name).append("\": ").append(value);
  return *this;
}

Table& Table::Row(std::string label, std::string value) {
  rows_.emplace_back(std::move(label), std::move(value));
  return *this;
}

Table& Table::Gap() {
  rows_.emplace_back();
  return *this;
}

std::string Table::Text() const {
  std::size_t width = 0;
  for (const auto& [label, value] : rows_) width = std::max(width, Width(label));
  std::string text;
  for (const auto& [label, value] : rows_) {
    if (!label.empty()) text += "  " + label + std::string(width + 2 - Width(label), ' ') + value;
    text += '\n';
  }
  return text;
}

}  // namespace console
