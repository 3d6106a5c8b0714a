#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include <pawl/receipt.h>

namespace bank {

struct Options {
  std::uint64_t commands = 1'000'000;
  std::uint64_t accounts = 1'000;
  std::uint64_t producers = 1;
  pawl::Ack ack = pawl::Ack::kDurable;
  std::uint64_t rate = 0;  // commands a second, all producers together; 0: saturated
  std::string directory;   // empty: a temporary one
  bool is_json = false;
  std::uint64_t seed = 0;

  bool is_crash = false;
  std::uint64_t cycles = 100;
  bool is_forged = false;

  bool is_help = false;
};

extern const char* const kUsage;

// INVALID_ARGUMENT: an unknown option, or a value out of its range.
absl::StatusOr<Options> ParseOptions(int argc, char** argv);

}  // namespace bank
