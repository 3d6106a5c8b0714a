#pragma once

#include <atomic>
#include <mutex>
#include <utility>

#include <absl/status/status.h>

#include "pawl/doorbell.h"
#include "pawl/log.h"

namespace pawl::inline v0 {

// Whether the log takes more, and why not. A failure stays; a low disk can get better.
//   threads   any; health() is wait-free, the others take a short lock
class HealthBoard {
 public:
  LogHealth health() const noexcept {
    // Acquire: what the agent did before it reported. Pairs with the release in Set().
    return health_.load(std::memory_order_acquire);
  }

  // A status of the caller's own: copies of one status share a counted text, and who frees it last
  // would be decided in the library, where a race detector cannot look.
  absl::Status error() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {error_.code(), error_.message()};
  }

  void SetFailed(absl::Status why) { Set(LogHealth::kFailed, std::move(why)); }
  void SetDiskLow(absl::Status why) { Set(LogHealth::kDiskLow, std::move(why)); }
  void SetOpen() { Set(LogHealth::kOpen, absl::OkStatus()); }

  // Borrowed; set before any agent runs.
  void set_bell(Doorbell* bell) noexcept { bell_ = bell; }
  void RingBell() noexcept {
    if (bell_ != nullptr) bell_->Ring();
  }

 private:
  void Set(LogHealth health, absl::Status why) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      // Relaxed: all writers hold the lock.
      if (health_.load(std::memory_order_relaxed) == LogHealth::kFailed) return;
      error_ = std::move(why);
      // Release: error_ and the agent's doings before the state. Pairs with health().
      health_.store(health, std::memory_order_release);
    }
    RingBell();
  }

  // Writers: sync agent, preparer, under mutex_. Readers: any.
  std::atomic<LogHealth> health_{LogHealth::kOpen};
  mutable std::mutex mutex_;
  absl::Status error_;        // under mutex_
  Doorbell* bell_ = nullptr;  // constant once an agent runs
};

}  // namespace pawl::inline v0
