#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "history.h"
#include "pawl/log_reader.h"
#include "pawl/log_writer.h"

namespace pawl::inline v0 {

// Events that say themselves what they are: everything about event `number` follows from the log's
// seed, the life that wrote it and the number. So a reader that knows only which life wrote which
// numbers can judge every byte; an event of another life is another event.
class RecordScript {
 public:
  RecordScript(std::uint64_t seed, std::uint32_t life) noexcept : seed_(seed), life_(life) {}

  // Appends one commit with the events first…; returns the number of the last one.
  std::uint64_t AppendCommit(LogWriter& writer, std::uint64_t first) const;
  // Events of the commit that begins with `first`.
  std::uint32_t CommitRecords(std::uint64_t first) const noexcept;
  std::uint32_t PayloadBytes(std::uint64_t number) const noexcept;
  // Whether `record` is event `number`, byte for byte.
  bool IsEvent(const RecordView& record, std::uint64_t number) const;

 private:
  std::uint64_t WordOf(std::uint64_t number, std::uint64_t purpose) const noexcept;
  void Fill(std::byte* payload, std::uint32_t bytes, std::uint64_t number) const noexcept;

  const std::uint64_t seed_;
  const std::uint32_t life_;
};

// What a log was given over its lives and what it owes, kept outside of it.
class RecordHistory {
 public:
  explicit RecordHistory(std::uint64_t seed) noexcept : seed_(seed) {}

  std::uint64_t seed() const noexcept { return seed_; }
  std::uint64_t given() const noexcept { return life_of_.size(); }
  std::uint64_t owed() const noexcept { return owed_; }

  // A life began, recovered the first `kept` events, and made them durable anew.
  void Recovered(std::uint64_t kept);
  // That life was given events up to `given` and acknowledged those up to `acked` as durable.
  void Worked(std::uint32_t life, std::uint64_t given, std::uint64_t acked);

  // Reads the log from its first frame to `limit` and compares: whole commits, every event as it
  // was given, none missing that is owed, none that was not given. Errors of the reader stay in its
  // status().
  Judgement Judge(LogReader& reader, Address limit) const;

 private:
  class Reading;

  const std::uint64_t seed_;
  std::vector<std::uint32_t> life_of_;  // [number − 1]: life that wrote the event
  std::uint64_t owed_ = 0;              // events that were acknowledged as durable
};

}  // namespace pawl::inline v0
