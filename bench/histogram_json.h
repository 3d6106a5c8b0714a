#pragma once

#include <cstdint>
#include <string_view>

#include "json_writer.h"
#include "pawl/histogram.h"

namespace pawl::inline v0::bench {

// Writes what `times` holds, nanoseconds; nothing if it is empty.
inline void WriteTimes(JsonWriter& json, std::string_view key, const Histogram& times) {
  if (times.count() == 0) return;
  const auto at = [&times](double percentile) {
    return static_cast<std::uint64_t>(times.ValueAtPercentile(percentile));
  };
  json.BeginObject(key);
  json.Integer("p50", at(50));
  json.Integer("p99", at(99));
  json.Integer("p999", at(99.9));
  json.Integer("p9999", at(99.99));
  json.Integer("max", static_cast<std::uint64_t>(times.max()));
  json.Integer("samples", times.count());
  json.EndObject();
}

}  // namespace pawl::inline v0::bench
