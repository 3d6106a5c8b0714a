#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pawl/log_writer.h"
#include "pawl/position.h"

namespace pawl::inline v0 {

// A record that a commit is planned to have.
struct PlannedRecord {
  RecordFields fields;
  std::vector<std::byte> payload;
};

// Commit `number` of a memlog scenario, drawn from the seed: victim and oracle draw the same.
// Most are small; every eighth has a record of some hundred bytes.
std::vector<PlannedRecord> PlannedCommit(std::uint64_t seed, std::uint64_t number);

// What of a record must come back unchanged, in one word for comparing.
std::string ContentOf(const PlannedRecord& record);
std::string ContentOf(const RecordHeader& header, const std::byte* payload);

// Command `number` of a bank scenario: so many cents from one account to another, or, with
// from = 0, into it.
struct PlannedTransfer {
  std::uint64_t from = 0;
  std::uint64_t to = 1;
  std::int64_t cents = 0;
};
inline constexpr std::uint64_t kAccounts = 3;
PlannedTransfer PlannedCommand(std::uint64_t seed, std::uint64_t number);

}  // namespace pawl::inline v0
