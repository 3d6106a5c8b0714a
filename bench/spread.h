#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace pawl::inline v0::bench {

// What several runs came to.
struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

// `values` holds at least one.
inline Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {.median = median, .min = values.front(), .max = values.back()};
}

}  // namespace pawl::inline v0::bench
