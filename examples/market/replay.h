#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "day.h"
#include "views.h"

namespace market {

// What came out of a day.
struct ReplayResult {
  std::uint64_t rows = 0;
  OrdersByState orders;
  Volume volume;
  VolumePerMinute per_minute;
  TopOfBook top;
  std::uint64_t rows_matched = 0;  // best bid and ask as the exchange had them
  std::uint64_t rows_derived = 0;
  std::uint64_t rows_told = 0;
  std::uint64_t rows_first = 0;
  bool is_view_equal = false;  // the views count what the files and the aggregates count
  double seconds = 0;          // first message sent → last one durable

  double messages_per_second() const;
  bool is_good() const { return rows_matched == rows && is_view_equal; }
};

// Sends every message of the day as a command, and compares the book after each with the file. Says
// on standard error which rows differ: file, line, expected, found. A level that was told is
// believed until a later row contradicts it: there is nothing else to compare it with.
//   errors   FAILED_PRECONDITION a message was refused: file, line, why; those of the engine
absl::StatusOr<ReplayResult> Replay(const Day& day, const std::string& directory);

}  // namespace market
