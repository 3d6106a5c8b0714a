#include "command_feed.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <concurrentqueue.h>

namespace pawl::inline v0::bench {

struct CommandFeed::Queue {
  struct Traits : moodycamel::ConcurrentQueueDefaultTraits {
    static constexpr std::size_t BLOCK_SIZE = kFeedBatch;  // A batch touches one or two blocks.
  };

  explicit Queue(const BankOptions& feed_options)
      : options(feed_options),
        items(feed_options.window + 2 * kFeedBatch, 1, 0),
        producer_token(items),
        consumer_token(items) {}

  const BankOptions& options;
  moodycamel::ConcurrentQueue<BankCommand, Traits> items;
  moodycamel::ProducerToken producer_token;         // Producer only.
  moodycamel::ConsumerToken consumer_token;         // Loop only.
  alignas(64) std::uint64_t taken_so_far = 0;       // Loop only.
  alignas(64) std::atomic<std::uint64_t> taken{0};  // Loop writes, producer reads; only grows.
};

CommandFeed::CommandFeed(const BankOptions& options) : queue_(std::make_unique<Queue>(options)) {}
CommandFeed::~CommandFeed() = default;

void CommandFeed::Produce() {
  const BankOptions& options = queue_->options;
  BankCommands commands(options.seed, options.accounts);
  std::array<BankCommand, kFeedBatch> batch;
  std::uint64_t taken = 0;  // Last value seen: the loop's line is read only when credit is out.
  for (std::uint64_t sent = 0; sent < options.commands;) {
    const std::uint64_t count = std::min<std::uint64_t>(kFeedBatch, options.commands - sent);
    for (std::size_t i = 0; i < count; ++i) commands.Next(batch[i]);
    while (sent + count > taken + options.window) {
      // Relaxed: a count of credits; the queue itself orders the commands.
      taken = queue_->taken.load(std::memory_order_relaxed);
      if (sent + count > taken + options.window) IdleOnce(options.idle);
    }
    while (!queue_->items.try_enqueue_bulk(queue_->producer_token, batch.begin(), count)) {
      IdleOnce(options.idle);
    }
    sent += count;
  }
}

std::size_t CommandFeed::Take(std::array<BankCommand, kFeedBatch>& batch) {
  const std::size_t count =
      queue_->items.try_dequeue_bulk(queue_->consumer_token, batch.begin(), kFeedBatch);
  if (count == 0) return 0;
  queue_->taken_so_far += count;
  // Relaxed: a count of credits; the commands are copied out and nothing else is handed back.
  queue_->taken.store(queue_->taken_so_far, std::memory_order_relaxed);
  return count;
}

}  // namespace pawl::inline v0::bench
