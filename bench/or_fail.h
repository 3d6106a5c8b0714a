#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace pawl::inline v0::bench {

// Ends the process: a run that cannot be made has no figures.
[[noreturn]] inline void Fail(const std::string& what) {
  std::fprintf(stderr, "pawl: %s\n", what.c_str());
  std::exit(1);
}

inline void OrFail(const absl::Status& status) {
  if (!status.ok()) Fail(status.ToString());
}

template <class T>
T OrFail(absl::StatusOr<T> result) {
  OrFail(result.status());
  return *std::move(result);
}

}  // namespace pawl::inline v0::bench
