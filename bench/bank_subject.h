#pragma once

#include <cstdint>
#include <string>

#include "placement.h"

namespace pawl::inline v0::bench {

struct BankOptions {
  std::uint64_t commands = 0;
  std::uint64_t accounts = 1000;
  std::uint64_t seed = 1;
  std::uint64_t window = 8192;  // Commands in flight.
  Placement placement;
  Idle idle = Idle::kYield;
  std::string directory;      // On disk.
  std::string hot_directory;  // In memory.
};

// What one run of a subject came to. Sent through a pipe, hence plain.
struct BankResult {
  double seconds = 0;  // From the first submit until the last accepted event is in the view.
  std::uint64_t commands = 0;
  std::uint64_t accepted = 0;
  std::uint64_t log_bytes = 0;            // 0: not known.
  std::uint64_t undurable_bytes_max = 0;  // 0: nothing is ever made durable.
  // How far loop and producer were apart right before the clock began and once it had ended.
  double core_to_core_ns_before = 0;
  double core_to_core_ns_after = 0;
  bool is_verified = false;
};

// One way to do the bank scenario's work. A run that cannot be made ends the process with a
// message.
struct BankSubject {
  const char* name;
  const char* description;
  std::uint64_t commands_default;
  BankResult (*run)(const BankOptions& options);
};

}  // namespace pawl::inline v0::bench
