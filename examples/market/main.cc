// A recorded trading day on Pawl. book.h and order.h decide each message, views.h folds what
// happened, replay.cc sends the day and compares it with the exchange's own book.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "../console/arguments.h"
#include "../console/log_directory.h"
#include "day.h"
#include "replay.h"
#include "report.h"

namespace {

constexpr int kGood = 0;
constexpr int kCheckFailed = 1;
constexpr int kNotStarted = 2;

constexpr const char* kUsage =
    R"(A recorded trading day: every message is decided, logged, folded and compared.

  market [--messages F] [--book F] [--directory D] [--json]

  --messages F    the messages of the day      ($PAWL_MARKET_DATA/message.csv)
  --book F        best ask and bid after each  ($PAWL_MARKET_DATA/orderbook.csv)
  --directory D   where the log is; it stays, and must hold no day yet
                  (a temporary folder, removed at the end)
  --json          one JSON object on standard output, all else on standard error

Both files are LOBSTER's, level 1. PAWL_MARKET_DATA is ../shared/data/amzn-2012-06-21 unless set.
A malformed row ends the program before anything is sent.

Exit status: 0 all rows match; 1 a row differs or is refused; 2 wrong usage, malformed row, no start.
)";

int Fail(int exit_status, const std::string& message) {
  std::fprintf(stderr, "market: %s\n", message.c_str());
  return exit_status;
}

std::string DataFolder() {
  const char* const folder = std::getenv("PAWL_MARKET_DATA");
  return folder == nullptr ? "../shared/data/amzn-2012-06-21" : folder;
}

int Run(const market::Day& day, const std::string& named_directory, bool is_json) {
  auto directory = console::LogDirectory::Make(named_directory, "market");
  if (!directory.ok()) return Fail(kNotStarted, directory.status().ToString());
  const auto result = market::Replay(day, directory->path());
  if (!result.ok()) {
    const bool is_refused = result.status().code() == absl::StatusCode::kFailedPrecondition;
    return Fail(is_refused ? kCheckFailed : kNotStarted, std::string(result.status().message()));
  }
  std::fprintf(is_json ? stderr : stdout, "%s", market::ReportTable(*result).c_str());
  if (is_json) std::printf("%s\n", market::ReportJson(*result).c_str());
  return result->is_good() ? kGood : kCheckFailed;
}

}  // namespace

int main(int argc, char** argv) {
  console::Arguments arguments(argc, argv);
  if (arguments.Flag("--help") || arguments.Flag("-h")) {
    std::printf("%s", kUsage);
    return kGood;
  }
  const bool is_json = arguments.Flag("--json");
  const std::string messages = arguments.Text("--messages", DataFolder() + "/message.csv");
  const std::string book = arguments.Text("--book", DataFolder() + "/orderbook.csv");
  const std::string directory = arguments.Text("--directory", "");
  if (absl::Status status = arguments.Finish(); !status.ok()) {
    return Fail(kNotStarted, std::string(status.message()) + "; see market --help");
  }
  const auto day = market::ReadDay(messages, book);
  if (!day.ok()) return Fail(kNotStarted, std::string(day.status().message()));
  return Run(*day, directory, is_json);
}
