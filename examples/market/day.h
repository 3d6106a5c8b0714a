#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "book.h"

namespace market {

// Kinds of messages, as the file numbers them.
enum class MessageType : std::uint8_t {
  kPlace = 1,
  kReduce = 2,
  kDelete = 3,
  kExecute = 4,
  kExecuteHidden = 5,
};

struct Message {
  std::int64_t time_ns;  // since midnight
  std::int64_t price;    // dollars × 10,000
  std::uint64_t order;
  std::int32_t shares;
  Side side;
  MessageType type;
};

// A recorded trading day: what the exchange said, and its best ask and bid after each message.
struct Day {
  std::string messages_file;
  std::string book_file;
  std::vector<Message> messages;
  std::vector<Quote> book;  // as many; row i of the files is at i − 1
};

// Reads both files to their ends before anything is made of them: a day with a mistake in it is no
// day, and nothing of it is replayed.
//   errors   NOT_FOUND a file cannot be read; INVALID_ARGUMENT a row that is not what it should be:
//            file, line, column, what was expected and what was found
absl::StatusOr<Day> ReadDay(const std::string& messages_file, const std::string& book_file);

}  // namespace market
