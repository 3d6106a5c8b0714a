#include "csv_row.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include <absl/strings/str_cat.h>

namespace market {
namespace {

constexpr std::int64_t kSecondsPerDay = 24 * 60 * 60;
constexpr std::size_t kDecimalsMax = 9;

bool IsDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool ParseInteger(std::string_view text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::int64_t CsvRow::Integer(std::string_view what, std::int64_t least, std::int64_t most) {
  const std::string_view field = TakeField(what);
  std::int64_t number = 0;
  if (ParseInteger(field, number) && number >= least && number <= most) return number;
  Complain(absl::StrCat(std::string(what), ", a whole number from ", least, " to ", most), field);
  return 0;
}

std::int64_t CsvRow::SecondsAsNs(std::string_view what) {
  const std::string_view field = TakeField(what);
  const std::size_t point = std::min(field.find('.'), field.size());
  const std::string_view whole = field.substr(0, point);
  std::string decimals(field.substr(std::min(point + 1, field.size())));
  const bool has_decimals = point < field.size();
  std::int64_t seconds = 0;
  if (IsDigits(whole) && ParseInteger(whole, seconds) && seconds < kSecondsPerDay &&
      (!has_decimals || (IsDigits(decimals) && decimals.size() <= kDecimalsMax))) {
    decimals.append(kDecimalsMax - decimals.size(), '0');
    std::int64_t ns = 0;
    ParseInteger(decimals, ns);
    return seconds * 1'000'000'000 + ns;
  }
  Complain(absl::StrCat(std::string(what), ", seconds since midnight with up to 9 decimals"),
           field);
  return 0;
}

void CsvRow::Reject(const std::string& expected) { Complain(expected, field_); }

absl::Status CsvRow::Finish() {
  if (!is_at_end_) {
    field_at_ = at_;
    Complain("the end of the line", text_.substr(at_));
  }
  return status_;
}

std::string_view CsvRow::TakeField(std::string_view what) {
  field_at_ = at_;
  field_ = {};
  if (is_at_end_) {
    Complain(std::string(what) + ", a further field", {});
    return field_;
  }
  const std::size_t comma = std::min(text_.find(',', at_), text_.size());
  field_ = text_.substr(at_, comma - at_);
  is_at_end_ = comma == text_.size();
  at_ = std::min(comma + 1, text_.size());
  return field_;
}

void CsvRow::Complain(std::string_view expected, std::string_view found) {
  if (!status_.ok()) return;
  const bool is_behind_last = field_at_ == text_.size() && (text_.empty() || text_.back() != ',');
  const std::string quoted = !found.empty()   ? "'" + std::string(found) + "'"
                             : is_behind_last ? "the end of the line"
                                              : "an empty field";
  status_ = absl::InvalidArgumentError(absl::StrCat(std::string(file_), ":", line_, ":",
                                                    field_at_ + 1, ": expected ",
                                                    std::string(expected), "; found ", quoted));
}

}  // namespace market
