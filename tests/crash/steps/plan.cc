#include "plan.h"

#include <algorithm>
#include <cstring>

#include "sim_random.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kForLog = 1;
constexpr std::uint64_t kForBank = 2;
constexpr std::uint32_t kSmallPayloadMax = 100;
constexpr std::uint32_t kLargePayloadMax = 700;
constexpr std::uint32_t kRecordsMax = 4;

PlannedRecord DrawnRecord(SimRandom& random, std::uint32_t payload_max) {
  PlannedRecord record;
  record.fields = {.type = static_cast<std::uint16_t>(random.Below(9)),
                   .stream = random.Below(1000),
                   .version = Version(random.Below(kVersionMax)),
                   .back_link = Position(random.Below(1000))};
  record.payload.resize(random.Below(payload_max + 1));
  for (std::size_t at = 0; at < record.payload.size(); at += 8) {
    const std::uint64_t word = random.Next();
    std::memcpy(record.payload.data() + at, &word,
                std::min<std::size_t>(8, record.payload.size() - at));
  }
  return record;
}

template <class T>
void Add(std::string& content, T value) {
  content.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

std::vector<PlannedRecord> PlannedCommit(std::uint64_t seed, std::uint64_t number) {
  SimRandom random = SimRandom::For(seed, number, kForLog);
  const bool is_large = number % 8 == 7;
  const std::uint64_t count = is_large ? 1 : 1 + random.Below(kRecordsMax);
  std::vector<PlannedRecord> records;
  for (std::uint64_t i = 0; i < count; ++i) {
    records.push_back(DrawnRecord(random, is_large ? kLargePayloadMax : kSmallPayloadMax));
  }
  return records;
}

std::string ContentOf(const PlannedRecord& record) {
  std::string content;
  Add(content, record.fields.kind);
  Add(content, static_cast<std::uint16_t>(record.fields.type));
  Add(content, static_cast<std::uint32_t>(record.fields.stream));
  Add(content, record.fields.version.value());
  Add(content, record.fields.back_link.value());
  content.append(reinterpret_cast<const char*>(record.payload.data()), record.payload.size());
  return content;
}

std::string ContentOf(const RecordHeader& header, const std::byte* payload) {
  std::string content;
  Add(content, header.kind);
  Add(content, header.type);
  Add(content, header.stream);
  Add(content, header.version());
  Add(content, header.back_link);
  content.append(reinterpret_cast<const char*>(payload), header.payload_bytes());
  return content;
}

// The first ones fill the accounts, so that no transfer is refused.
PlannedTransfer PlannedCommand(std::uint64_t seed, std::uint64_t number) {
  SimRandom random = SimRandom::For(seed, number, kForBank);
  if (number < kAccounts) {
    return {.from = 0, .to = 1 + number, .cents = 1'000'000'000};
  }
  const std::uint64_t from = random.Below(kAccounts + 1);
  const std::uint64_t to = from == 0 ? 1 + random.Below(kAccounts)
                                     : 1 + (from + random.Below(kAccounts - 1)) % kAccounts;
  // No amount is 0: the balances tell how many commands took place.
  return {.from = from, .to = to, .cents = static_cast<std::int64_t>(1 + random.Below(1000))};
}

}  // namespace pawl::inline v0
