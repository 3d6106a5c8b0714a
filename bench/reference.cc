#include "reference.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bank_workload.h"
#include "command_feed.h"
#include "core_distance.h"

namespace pawl::inline v0::bench {
namespace {

using Clock = std::chrono::steady_clock;

// The log: a file in memory whose every page is faulted in before the clock.
BankEvent* MapWarmLog(const std::string& directory, std::size_t bytes) {
  const std::string path = directory + "/reference." + std::to_string(getpid());
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  void* start = MAP_FAILED;
  if (file >= 0 && ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  unlink(path.c_str());
  close(file);
  if (start == MAP_FAILED || madvise(start, bytes, MADV_POPULATE_WRITE) != 0) {
    std::perror(("reference: map " + path).c_str());
    std::exit(1);
  }
  return static_cast<BankEvent*>(start);
}

class Reference {
 public:
  explicit Reference(const BankOptions& options)
      : options_(options),
        feed_(options),
        log_bytes_((options.commands + 1) * sizeof(BankEvent)),
        log_(MapWarmLog(options.hot_directory, log_bytes_)),
        decided_(options.accounts),
        projected_(options.accounts) {}
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
  ~Reference() { munmap(log_, log_bytes_); }

  BankResult Run() {
    const double before_ns = CoreDistanceNs(options_.placement);
    std::thread projector([this] { Project(); });
    std::thread loop([this] { DecideAll(); });
    std::thread producer([this] {
      PinThisThread(options_.placement.producer_core);
      begun_ = Clock::now();
      feed_.Produce();
    });
    producer.join();
    loop.join();
    projector.join();
    const double after_ns = CoreDistanceNs(options_.placement);
    const std::chrono::duration<double> seconds = ended_ - begun_;
    // Relaxed: the threads are joined.
    const std::uint64_t accepted = published_.load(std::memory_order_relaxed);
    return {.seconds = seconds.count(),
            .commands = options_.commands,
            .accepted = accepted,
            .log_bytes = accepted * sizeof(BankEvent),
            .core_to_core_ns_before = before_ns,
            .core_to_core_ns_after = after_ns,
            .is_verified = IsRight(accepted)};
  }

 private:
  void DecideAll() {
    PinThisThread(options_.placement.loop_core);
    std::array<BankCommand, kFeedBatch> batch;
    std::uint64_t appended = 0;
    for (std::uint64_t taken = 0; taken < options_.commands;) {
      const std::size_t count = feed_.Take(batch);
      if (count == 0) {
        IdleOnce(options_.idle);
        continue;
      }
      for (std::size_t i = 0; i < count; ++i) {
        const BankCommand& command = batch[i];
        const bool is_accepted = Decide(decided_[command.account], command, log_[appended]);
        appended += static_cast<std::uint64_t>(is_accepted);
      }
      taken += count;
      // Release: the events before the mark. Pairs with the acquire in Project().
      published_.store(appended, std::memory_order_release);
    }
    // Release: the last mark before the end. Pairs with the acquire in Project().
    is_finished_.store(true, std::memory_order_release);
  }

  void Project() {
    PinThisThread(options_.placement.projector_core);
    for (std::uint64_t folded = 0;;) {
      // Acquire: who sees the end sees the last mark. Pairs with the release in DecideAll().
      const bool is_finished = is_finished_.load(std::memory_order_acquire);
      // Acquire: the events below the mark. Pairs with the release in DecideAll().
      const std::uint64_t published = published_.load(std::memory_order_acquire);
      if (folded == published && is_finished) break;
      if (folded == published) IdleOnce(options_.idle);
      for (; folded < published; ++folded) {
        projected_[log_[folded].account] += log_[folded].delta_cents;
      }
    }
    ended_ = Clock::now();
  }

  [[nodiscard]] bool IsRight(std::uint64_t accepted) const {
    BankOracle oracle(options_.seed, options_.accounts, options_.commands);
    for (std::uint64_t i = 0; i < accepted; ++i) {
      if (!oracle.ExpectNext(log_[i])) return false;
    }
    return projected_ == decided_ && oracle.Holds(TotalsOf(projected_));
  }

  const BankOptions& options_;
  CommandFeed feed_;
  std::size_t log_bytes_;
  BankEvent* log_;
  std::vector<std::int64_t> decided_;    // Loop only.
  std::vector<std::int64_t> projected_;  // Projector only.
  Clock::time_point begun_;              // Producer only, until joined.
  Clock::time_point ended_;              // Projector only, until joined.
  // Number of events that readers may see. Loop writes, projector reads; only grows.
  alignas(64) std::atomic<std::uint64_t> published_{0};
  alignas(64) std::atomic<bool> is_finished_{false};  // Loop writes once, projector reads.
};

BankResult RunReference(const BankOptions& options) { return Reference(options).Run(); }

}  // namespace

const BankSubject kReference{
    .name = "reference",
    .description = "moodycamel bulk, loop, warm mapped file in memory, reader; nothing else",
    .commands_default = 20'000'000,
    .run = RunReference};

}  // namespace pawl::inline v0::bench
