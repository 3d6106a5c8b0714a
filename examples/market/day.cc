#include "day.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "csv_row.h"

namespace market {
namespace {

constexpr std::int64_t kPriceMax = 1'000'000'000'000;  // $100 million; what a level may not exceed
constexpr std::int64_t kSharesMax = std::numeric_limits<std::int32_t>::max();

absl::StatusOr<std::vector<Message>> ReadMessages(const std::string& file);
absl::StatusOr<std::vector<Quote>> ReadBook(const std::string& file);

// Calls take(row) for every line of `file`, until a row is wrong.
template <class F>
absl::Status ForEachRow(const std::string& file, F&& take) {
  std::ifstream stream(file);
  if (!stream) {
    return absl::NotFoundError(absl::StrCat(file, ": ", std::strerror(errno)));
  }
  std::string text;
  std::size_t line = 0;
  while (std::getline(stream, text)) {
    if (!text.empty() && text.back() == '\r') text.pop_back();
    CsvRow row(file, ++line, text);
    take(row);
    if (absl::Status status = row.Finish(); !status.ok()) return status;
  }
  if (stream.bad()) return absl::NotFoundError(absl::StrCat(file, ": cannot be read to its end"));
  if (line == 0) {
    return absl::InvalidArgumentError(absl::StrCat(file, ":1:1: expected a row; found nothing"));
  }
  return absl::OkStatus();
}

Message TakeMessage(CsvRow& row, std::int64_t earliest_ns) {
  Message message{};
  message.time_ns = row.SecondsAsNs("the time");
  if (message.time_ns < earliest_ns) row.Reject("a time that is not before the row above");
  const std::int64_t type = row.Integer("the type", 1, 5);
  message.type = static_cast<MessageType>(type);
  const bool has_order = message.type != MessageType::kExecuteHidden;
  message.order = static_cast<std::uint64_t>(
      row.Integer("the order id", has_order ? 1 : 0, std::numeric_limits<std::int64_t>::max()));
  message.shares = static_cast<std::int32_t>(row.Integer("the size", 1, kSharesMax));
  message.price = row.Integer("the price", 1, kPriceMax);
  const std::int64_t side = row.Integer("the side", -1, 1);
  if (side == 0) row.Reject("the side, 1 (buy) or -1 (sell)");
  message.side = side == 1 ? Side::kBuy : Side::kSell;
  return message;
}

absl::StatusOr<std::vector<Message>> ReadMessages(const std::string& file) {
  std::vector<Message> messages;
  absl::Status status = ForEachRow(file, [&](CsvRow& row) {
    messages.push_back(TakeMessage(row, messages.empty() ? 0 : messages.back().time_ns));
  });
  if (!status.ok()) return status;
  return messages;
}

// An empty side of the book has no shares, and a price that is out of reach.
Quote TakeQuote(CsvRow& row) {
  Quote quote;
  quote.ask.price = row.Integer("the best ask", -kPriceMax, kPriceMax);
  quote.ask.shares = row.Integer("the size of the best ask", 0, kSharesMax);
  quote.bid.price = row.Integer("the best bid", -kPriceMax, kPriceMax);
  quote.bid.shares = row.Integer("the size of the best bid", 0, kSharesMax);
  return quote;
}

absl::StatusOr<std::vector<Quote>> ReadBook(const std::string& file) {
  std::vector<Quote> book;
  absl::Status status = ForEachRow(file, [&](CsvRow& row) { book.push_back(TakeQuote(row)); });
  if (!status.ok()) return status;
  return book;
}

}  // namespace

absl::StatusOr<Day> ReadDay(const std::string& messages_file, const std::string& book_file) {
  auto messages = ReadMessages(messages_file);
  if (!messages.ok()) return messages.status();
  auto book = ReadBook(book_file);
  if (!book.ok()) return book.status();
  if (messages->size() != book->size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(book_file, ":", std::min(book->size(), messages->size()) + 1, ":1: expected ",
                     messages->size(), " rows, one per message; found ", book->size()));
  }
  return Day{messages_file, book_file, *std::move(messages), *std::move(book)};
}

}  // namespace market
