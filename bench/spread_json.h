#pragma once

#include <string_view>

#include "json_writer.h"
#include "spread.h"

namespace pawl::inline v0::bench {

inline void WriteSpread(JsonWriter& json, std::string_view key, const Spread& spread) {
  json.BeginObject(key);
  json.Number("median", spread.median);
  json.Number("min", spread.min);
  json.Number("max", spread.max);
  json.EndObject();
}

}  // namespace pawl::inline v0::bench
