#include "segment_geometry.h"

#include <cstdio>

namespace pawl::inline v0 {
namespace {

std::string NumberedName(std::uint64_t index, const char* extension) {
  char text[32];
  std::snprintf(text, sizeof text, "%010llu.%s", static_cast<unsigned long long>(index), extension);
  return text;
}

}  // namespace

std::string SegmentName(std::uint64_t index) { return NumberedName(index, "seg"); }
std::string ImageName(std::uint64_t index) { return NumberedName(index, "img"); }
std::string IndexName(std::uint64_t index) { return NumberedName(index, "idx"); }

}  // namespace pawl::inline v0
