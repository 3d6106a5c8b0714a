#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "options.h"
#include <pawl/histogram.h>

namespace bank {

// What a run found out.
struct RunResult {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  double seconds = 0;  // first command sent → last one answered
  std::uint64_t log_bytes = 0;
  std::uint64_t accounts = 0;
  std::int64_t balance_cents = 0;  // of all accounts
  pawl::Histogram submit_to_ack;
  pawl::Histogram submit_to_visible;
  bool is_money_conserved = false;
  bool is_view_equal = false;
  bool is_interrupted = false;

  double commands_per_second() const;
  double log_bytes_per_command() const;  // accepted ones: a refusal leaves nothing in the log
  bool is_good() const { return is_money_conserved && is_view_equal; }
};

// Opens the bank in `directory`, sends the commands, and checks what came out.
//   stop     set by the user's Ctrl-C: send no more, finish what is under way
//   errors   those of the engine: why it did not open, or stopped
absl::StatusOr<RunResult> Run(const Options& options, const std::string& directory,
                              const std::atomic<bool>& stop);

}  // namespace bank
