#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

namespace bank {

// What many kills and reopenings found.
struct CrashResult {
  std::uint64_t cycles = 0;
  std::uint64_t kills_in_flight = 0;  // kills with commands sent and not answered
  std::uint64_t acknowledged = 0;     // commands answered as accepted before a kill
  std::uint64_t unacked_present = 0;  // not answered before the kill, but in the log: allowed
  std::uint64_t lost = 0;             // should be in the log and is not
  std::uint64_t duplicated = 0;       // in the log twice
  std::uint64_t unexpected = 0;       // in the log although nobody sent it, or it had to be refused
  std::uint64_t wrong_receipts = 0;   // the log or a resend contradicts an answer
  std::uint64_t wrong_balances = 0;   // aggregate or view differs from what the log adds up to
  std::uint64_t seed = 0;
  double seconds = 0;

  bool is_sound() const;
  bool is_good() const;  // and nearly all kills came in mid-run
};

// Again and again: a child runs the bank, is killed with SIGKILL at a random moment, and another
// one opens what is left and compares it with an oracle that lives outside both. Call it before the
// process has threads: it forks.
//   is_forged  tells the oracle of one answer that was never given; the result must not be sound
//   stop     set by the user's Ctrl-C: no more cycles
//   errors   a child could not open the bank, or failed in another way than being killed
absl::StatusOr<CrashResult> RunCrashCycles(std::uint64_t cycles, std::uint64_t seed, bool is_forged,
                                           const std::atomic<bool>& stop);

std::string CrashTable(const CrashResult& result);
std::string CrashJson(const CrashResult& result);

}  // namespace bank
