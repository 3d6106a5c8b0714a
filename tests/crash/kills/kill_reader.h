#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/status.h>

#include "kill_report.h"
#include "pawl/attached_log.h"

namespace pawl::inline v0 {

// What a reader process is told.
struct ReaderOrders {
  std::string root;
  LogMark mark = LogMark::kPublished;
  bool sees_images = true;  // false: as a process without the memory of the engine
};

// A process that reads along for ever: every record once, in order, with the bytes that were given,
// whoever is writing. Ends with a finding, or never.
class KillReader {
 public:
  //   report   borrowed, shared with the parent
  KillReader(ReaderOrders orders, ReaderReport* report);

  void Run();

 private:
  bool Attach();
  bool ReadOn(LogReader& reader);
  bool Check(const FrameHeader& frame);
  bool IsToPass(const absl::Status& status);

  const ReaderOrders orders_;
  ReaderReport* const report_;
  std::unique_ptr<AttachedLog> log_;
  std::uint64_t position_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace pawl::inline v0
