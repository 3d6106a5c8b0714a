#include "options.h"

#include <random>

#include <absl/status/status.h>

#include "../console/arguments.h"

namespace bank {

const char* const kUsage =
    R"(A bank: deposits, withdrawals and transfers into a durable log, balances out of live views.

  bank [--commands N] [--accounts N] [--producers N] [--ack published|durable] [--rate R]
       [--directory D] [--json] [--seed S]
  bank --crash --cycles N [--json] [--seed S] [--forge]

  --commands N    how many commands to send               (1,000,000)
  --accounts N    how many accounts they go to             (1,000)
  --producers N   how many threads send them               (1)
  --ack LEVEL     published: survives the death of the process
                  durable:   survives power loss           (durable)
  --rate R        commands a second, on a schedule, latency counted from the scheduled time;
                  0: as fast as they are taken             (0)
  --directory D   where the log is; it stays, and a later run goes on with it
                  (a temporary folder, removed at the end)
  --json          one JSON object on standard output, all else on standard error
  --seed S        makes a run choose the same commands again (random, printed)

  --crash         kills its own child with SIGKILL in mid-run, again and again, and looks for
                  every acknowledged command in the log that is left
  --cycles N      how often                                (100)
  --forge         tells the oracle of one answer that was never given, so that a run which does
                  not fail shows itself to be blind

Exit status: 0 all checks passed; 1 a check failed; 2 wrong usage or no start;
130 interrupted, and all that was sent is checked.
)";

absl::StatusOr<Options> ParseOptions(int argc, char** argv) {
  console::Arguments arguments(argc, argv);
  Options options;
  options.is_help = arguments.Flag("--help") || arguments.Flag("-h");
  options.is_json = arguments.Flag("--json");
  options.is_crash = arguments.Flag("--crash");
  std::random_device random;
  options.seed = arguments.Number("--seed", random(), 0, UINT64_MAX);
  if (options.is_crash) {
    options.cycles = arguments.Number("--cycles", options.cycles, 1, 1'000'000);
    options.is_forged = arguments.Flag("--forge");
  } else {
    options.commands = arguments.Number("--commands", options.commands, 1, 1'000'000'000'000);
    options.accounts = arguments.Number("--accounts", options.accounts, 1, 100'000'000);
    options.producers = arguments.Number("--producers", options.producers, 1, 256);
    options.rate = arguments.Number("--rate", options.rate, 0, 1'000'000'000);
    options.directory = arguments.Text("--directory", "");
    const std::string ack = arguments.Text("--ack", "durable");
    if (ack != "published" && ack != "durable") {
      return absl::InvalidArgumentError("--ack: expected published or durable, found '" + ack +
                                        "'");
    }
    options.ack = ack == "published" ? pawl::Ack::kPublished : pawl::Ack::kDurable;
  }
  if (absl::Status status = arguments.Finish(); !status.ok()) return status;
  return options;
}

}  // namespace bank
