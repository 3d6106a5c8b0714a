#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "bank_subject.h"
#include "bank_workload.h"

namespace pawl::inline v0::bench {

// Items per bulk operation, on both sides.
inline constexpr std::size_t kFeedBatch = 256;

// The front of reference and rivals: one producer that generates the commands, a moodycamel queue
// with tokens and bulk operations, one consumer. At most `window` commands are in flight, counted
// by credits, because the queue itself has no bound.
//
//   threads   Produce() on the producer's thread, Take() on the loop's, one each; lock-free,
//             nothing is allocated after construction
//   Memory ordering: what the producer wrote into a command is visible to the loop after Take().
class CommandFeed {
 public:
  // `options` outlives the feed; its window is at least one batch.
  explicit CommandFeed(const BankOptions& options);
  CommandFeed(const CommandFeed&) = delete;
  CommandFeed& operator=(const CommandFeed&) = delete;
  ~CommandFeed();

  // Submits every command of the options.
  void Produce();
  // Takes up to kFeedBatch commands; 0 when there are none.
  std::size_t Take(std::array<BankCommand, kFeedBatch>& batch);

 private:
  struct Queue;
  std::unique_ptr<Queue> queue_;
};

}  // namespace pawl::inline v0::bench
