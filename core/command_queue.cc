#include "command_queue.h"

#include <atomic>
#include <new>
#include <vector>

#include <concurrentqueue.h>

#include "pawl/check.h"

// TSan does not model the fences moodycamel synchronises with; these two lines tell it what the
// queue guarantees (and hide nothing else: they order enqueue before dequeue only).
#if defined(__SANITIZE_THREAD__)
#define PAWL_QUEUE_ANNOTATED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PAWL_QUEUE_ANNOTATED 1
#endif
#endif
#ifdef PAWL_QUEUE_ANNOTATED
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace pawl::inline v0 {

namespace {

struct QueueTraits : moodycamel::ConcurrentQueueDefaultTraits {
  // As many as the loop takes at once.
  static constexpr std::size_t BLOCK_SIZE = 256;
};

using MoodyQueue = moodycamel::ConcurrentQueue<CommandQueue::Ticket, QueueTraits>;

}  // namespace

struct CommandQueue::Queue {
  // Three arguments: the two-argument form refuses below its capacity once tokens are used.
  Queue(std::size_t window, std::size_t producers_max)
      : tickets(window, producers_max, 0), producers(producers_max) {}
  MoodyQueue tickets;
  std::vector<const moodycamel::ProducerToken*> producers;  // the first `made`
  // Writer: who makes a token. Reader: loop. Guards the producers below it; only grows.
  std::atomic<std::size_t> made{0};
  std::size_t next = 0;  // loop only: whose turn it is
};

class CommandQueue::Token {
 public:
  explicit Token(MoodyQueue& queue) : producer(queue) {}
  moodycamel::ProducerToken producer;
};

void CommandQueue::TokenDeleter::operator()(Token* token) const noexcept { delete token; }

CommandQueue::CommandQueue(std::uint32_t window, std::uint32_t producers_max)
    : queue_(std::make_unique<Queue>(std::size_t{window} * producers_max, producers_max)),
      memory_bytes_((std::size_t{window} + 2 * QueueTraits::BLOCK_SIZE) * producers_max *
                    sizeof(Ticket)) {}

CommandQueue::~CommandQueue() = default;

CommandQueue::TokenPointer CommandQueue::NewToken() noexcept {
  TokenPointer token(new (std::nothrow) Token(queue_->tickets));
  if (token == nullptr || !token->producer.valid()) return nullptr;
  // Relaxed: one at a time.
  const std::size_t made = queue_->made.load(std::memory_order_relaxed);
  PAWL_CHECK(made < queue_->producers.size());
  queue_->producers[made] = &token->producer;
  // Release: the token before the count. Pairs with the acquire in TryDequeue().
  queue_->made.store(made + 1, std::memory_order_release);
  return token;
}

bool CommandQueue::TryEnqueue(Token& token, Ticket ticket) noexcept {
#ifdef PAWL_QUEUE_ANNOTATED
  __tsan_release(queue_.get());
#endif
  return queue_->tickets.try_enqueue(token.producer, ticket);
}

std::size_t CommandQueue::TryDequeue(std::span<Ticket> into) noexcept {
  Queue& queue = *queue_;
  // Acquire: pairs with the release in NewToken().
  const std::size_t producers = queue.made.load(std::memory_order_acquire);
  std::size_t count = 0;
  for (std::size_t visits = 0; visits < producers && count < into.size(); ++visits) {
    if (queue.next >= producers) queue.next = 0;
    const moodycamel::ProducerToken& producer = *queue.producers[queue.next++];
    count += queue.tickets.try_dequeue_bulk_from_producer(producer, into.data() + count,
                                                          into.size() - count);
  }
#ifdef PAWL_QUEUE_ANNOTATED
  __tsan_acquire(queue_.get());
#endif
  return count;
}

bool CommandQueue::MayHaveCommands() const noexcept { return queue_->tickets.size_approx() != 0; }

}  // namespace pawl::inline v0
