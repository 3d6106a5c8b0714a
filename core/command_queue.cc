#include "command_queue.h"

#include <new>
#include <utility>

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
      : tickets(window, producers_max, 0), consumer(tickets) {}
  MoodyQueue tickets;
  moodycamel::ConsumerToken consumer;
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
  return token != nullptr && token->producer.valid() ? std::move(token) : nullptr;
}

bool CommandQueue::TryEnqueue(Token& token, Ticket ticket) noexcept {
#ifdef PAWL_QUEUE_ANNOTATED
  __tsan_release(queue_.get());
#endif
  return queue_->tickets.try_enqueue(token.producer, ticket);
}

std::size_t CommandQueue::TryDequeue(std::span<Ticket> into) noexcept {
  const std::size_t count =
      queue_->tickets.try_dequeue_bulk(queue_->consumer, into.data(), into.size());
#ifdef PAWL_QUEUE_ANNOTATED
  __tsan_acquire(queue_.get());
#endif
  return count;
}

bool CommandQueue::MayHaveCommands() const noexcept { return queue_->tickets.size_approx() != 0; }

}  // namespace pawl::inline v0
