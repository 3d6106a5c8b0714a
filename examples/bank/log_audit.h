#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>

#include <pawl/key.h>
#include <pawl/log.h>
#include <pawl/log_reader.h>
#include <pawl/position.h>

namespace bank {

// One event of the bank as it lies in the log.
struct AuditEvent {
  pawl::Key key;
  std::int64_t cents = 0;  // negative: withdrawn

  friend bool operator==(const AuditEvent&, const AuditEvent&) = default;
};

// One command of the session, as its commit in the log says.
struct AuditCommit {
  std::uint64_t sequence = 0;
  pawl::Position position;  // of its last record
  pawl::Epoch epoch;
  std::vector<AuditEvent> events;
};

// Reads the log itself, record by record, without aggregates, views or the engine's tables: what it
// finds does not depend on what they believe.
//   threads   one at a time
class LogAudit {
 public:
  LogAudit(const pawl::Log& log, std::string session);

  // Reads on to what is published now, adding to commits().
  //   errors   DATA_LOSS the log is not whole
  absl::Status ReadOn();

  const std::vector<AuditCommit>& commits() const noexcept { return commits_; }

 private:
  void Take(const pawl::RecordView& record);
  void TakeEvent(const pawl::RecordView& record);

  const pawl::Log& log_;
  const std::string session_;
  pawl::LogReader reader_;
  std::uint32_t session_number_ = 0;
  std::unordered_map<std::uint32_t, pawl::Key> keys_;      // by stream number
  std::unordered_map<std::uint16_t, std::string> events_;  // names by type number
  std::vector<AuditCommit> commits_;
  const pawl::CommitHeader* open_commit_ = nullptr;  // whose records are being read
};

}  // namespace bank
