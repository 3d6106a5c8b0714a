#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "failing_storage.h"
#include "history.h"
#include "pawl/log.h"

namespace pawl::inline v0 {

// What a log was given, noted where its frames reach the storage: nothing of it comes from reading.
class FrameBook {
 public:
  // A frame takes the place of all that was noted from its first position on: what recovery cut.
  void Note(const std::byte* frame, std::uint32_t bytes);
  // All frames that end at or below these addresses are owed from now on.
  void Owe(std::uint64_t durable, std::uint64_t published);
  // The machine goes down: what was only published is owed no more.
  void LosePower() { history_.owed.published = history_.owed.durable; }

  const LogHistory& history() const noexcept { return history_; }
  // Owed records that a later life wrote over. Empty if none were.
  const std::string& loss() const noexcept { return loss_; }

 private:
  LogHistory history_;
  std::string loss_;
};

// A fixed course of lives: open, append, roll into new segments, retire old ones, read along,
// close, open again. Ends where something fails; the log then goes as if the process had died.
class TroubledLife {
 public:
  // Both are borrowed.
  TroubledLife(Storage* storage, SimStorage* machine, FrameBook* book)
      : storage_(storage), machine_(machine), book_(book) {}

  // Two lives of `steps` each. `close_last`: the second ends by Close() too.
  //   returns   the first promise that was broken; empty if none was
  std::string Run(std::uint32_t steps, bool close_last);
  // Why Open(), an agent or Close() gave up; Ok if none did.
  const absl::Status& trouble() const noexcept { return trouble_; }

 private:
  std::string RunOnce(std::uint32_t steps, bool closes);
  std::string Step(Log& log, std::uint32_t step);
  std::string Close(Log& log);
  std::string CheckFailed(Log& log);
  std::string ReadAlong(Log& log, LogReader& reader);
  void Append(Log& log, std::uint32_t step);

  Storage* const storage_;
  SimStorage* const machine_;
  FrameBook* const book_;
  absl::Status trouble_;
  std::uint64_t time_ns_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace pawl::inline v0
