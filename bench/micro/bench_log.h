#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "disk_agents.h"
#include "or_fail.h"
#include "pawl/log.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {

// A log in a folder that disappears with it; its images in memory, its files on disk (below the
// working directory). Runs no thread: Rest() does the disk agents' work.
class BenchLog {
 public:
  BenchLog(std::string_view name, std::uint64_t segment_bytes)
      : directory_(".", name),
        log_(OrFail(Log::Open({.directory = directory_.path(), .segment_bytes = segment_bytes}))) {
    Rest();
  }

  BenchLog(const BenchLog&) = delete;
  BenchLog& operator=(const BenchLog&) = delete;
  // Closes: a log that is only let go of leaves its images in memory for the next opening.
  ~BenchLog() { OrFail(log_->Close()); }

  Log& operator*() const { return *log_; }
  Log* operator->() const { return log_.get(); }

  // Makes durable what is published, and the next segment ready.
  void Rest() { RunDiskAgents(*log_); }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<Log> log_;
};

}  // namespace pawl::inline v0::bench
