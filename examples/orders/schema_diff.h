#pragma once

#include <string>

namespace orders {

// What keeps `newer` from reading what `older` wrote, or from being read by it; empty: nothing.
// Both are schemas as `flatc --binary --schema` compiles them. Fields may be added at the end of
// tables and be deprecated, values be added to enums; nothing else.
std::string DiffSchemas(const std::string& older, const std::string& newer);

// A file's bytes; of one that cannot be read, none.
std::string ReadFile(const std::string& path);

}  // namespace orders
