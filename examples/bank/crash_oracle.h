#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "crash.h"
#include <pawl/engine.h>
#include <pawl/key.h>
#include <pawl/position.h>
#include <pawl/producer.h>
#include <pawl/receipt.h>

namespace bank {

enum class Kind : std::uint8_t { kDeposit, kWithdraw, kTransfer };

// How far a command came, as its sender knows.
enum class Stage : std::uint32_t {
  kNone = 0,      // no command has this sequence
  kChosen = 1,    // perhaps sent
  kAnswered = 2,  // its completion was polled
};

// What the victim knows of one command.
struct OracleEntry {
  // Written by the victim, and by the prover while there is no victim; says what of the rest may
  // be read.
  std::atomic<Stage> stage{Stage::kNone};
  Kind kind = Kind::kDeposit;
  pawl::Ack ack = pawl::Ack::kDurable;
  std::int64_t cents = 0;
  pawl::Key key;
  pawl::Key to;  // of a transfer
  pawl::Verdict verdict;
  pawl::Receipt receipt;
};

// Knows what the victim sent and what it was told, and survives it: lies in anonymous memory that
// parent and children share. Its entries have the sequences of the session as index.
//
// Memory ordering: the victim fills an entry, then stores its stage (release); whoever loads the
// stage (acquire) sees the entry. A SIGKILL between two stores leaves the earlier stage.
class CrashOracle {
 public:
  static constexpr std::size_t kEntriesMax = std::size_t{1} << 21;
  static constexpr const char* kSession = "teller";
  static constexpr std::uint64_t kAccounts = 100;  // few: most commands meet on a busy account
  static constexpr std::uint32_t kWindow = 4'096;

  // Maps an empty oracle; nullptr: no memory. Pages nobody touched cost nothing.
  static CrashOracle* Map();
  static void Unmap(CrashOracle* oracle);

  OracleEntry& At(std::uint64_t sequence) { return entries_[sequence]; }

  // Written by the victim, read by the parent; of this cycle.
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> answered{0};
  // Written by one child at a time, read by the parent after that child died. Sums of all cycles.
  std::atomic<std::uint64_t> acknowledged{0};
  CrashResult findings;

 private:
  std::array<OracleEntry, kEntriesMax> entries_;
};

// Where victim and prover find the bank: small segments, so that kills also meet their ends.
pawl::EngineOptions CrashEngineOptions(const std::string& directory);

// The producer of the one session. Opening a session is a record in the log: while the disk is
// still busy with what the last victim left, that is refused, and tried again for up to 30 s.
absl::StatusOr<pawl::Producer> OpenTeller(pawl::Engine& engine);

}  // namespace bank
