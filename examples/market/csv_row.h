#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace market {

// One line of a CSV file, taken apart field by field. What is wrong is said once, with file, line,
// column and what was expected, and then every call returns 0.
//   CsvRow row("message.csv", 17, line);
//   const std::int64_t price = row.Integer("the price", 1, kPriceMax);
//   if (absl::Status status = row.Finish(); !status.ok()) …
class CsvRow {
 public:
  CsvRow(std::string_view file, std::size_t line, std::string_view text)
      : file_(file), line_(line), text_(text) {}

  // A whole number from `least` to `most`.
  std::int64_t Integer(std::string_view what, std::int64_t least, std::int64_t most);
  // Seconds since midnight with up to nine decimals, as nanoseconds.
  std::int64_t SecondsAsNs(std::string_view what);
  // For what only the caller can judge, of the field taken last.
  void Reject(const std::string& expected);

  // INVALID_ARGUMENT: the first thing that was wrong, or that there is more than was taken.
  absl::Status Finish();

 private:
  std::string_view TakeField(std::string_view what);
  void Complain(std::string_view expected, std::string_view found);

  const std::string_view file_;
  const std::size_t line_;
  const std::string_view text_;
  std::size_t at_ = 0;        // where the next field begins
  std::size_t field_at_ = 0;  // where the field taken last begins
  std::string_view field_;    // the field taken last
  bool is_at_end_ = false;
  absl::Status status_;
};

}  // namespace market
