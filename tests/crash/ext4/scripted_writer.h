#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "pawl/log.h"
#include "record_oracle.h"

namespace pawl::inline v0 {

// Gives a log the events of a script, one frame or more at a time, and acknowledges them by the
// durable mark, as an engine does.
//   threads   the log's loop
class ScriptedWriter {
 public:
  //   log       borrowed
  //   number    of the last event that the log has
  ScriptedWriter(Log* log, const RecordScript& script, std::uint64_t number)
      : log_(log), script_(script), given_(number), acked_(number) {}

  // A planted fault: what is published counts as durable.
  void set_acks_published(bool acks) noexcept { acks_published_ = acks; }

  // Events that the next commit brings the log to.
  std::uint64_t next_given() const noexcept { return given_ + script_.CommitRecords(given_ + 1); }
  // Stages one commit. The log has room for one.
  void Append() { given_ = script_.AppendCommit(log_->writer(), given_ + 1); }
  void Publish() { undurable_.emplace_back(log_->writer().Publish(), given_); }

  // Last event given, and last event whose frame is durable now.
  std::uint64_t given() const noexcept { return given_; }
  std::uint64_t Acked() {
    const Address durable = acks_published_ ? log_->published() : log_->durable();
    for (; !undurable_.empty() && undurable_.front().first <= durable; undurable_.pop_front()) {
      acked_ = undurable_.front().second;
    }
    return acked_;
  }

 private:
  Log* const log_;
  const RecordScript script_;
  bool acks_published_ = false;
  std::uint64_t given_;
  std::uint64_t acked_;
  std::deque<std::pair<Address, std::uint64_t>> undurable_;  // end of frame, last event
};

}  // namespace pawl::inline v0
