#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace pawl::inline v0 {

// The way of commands to the loop: many producers, one consumer, pre-sized, never growing. The
// commands themselves stand in their lanes' rings (WindowRing); what goes through the queue are
// tickets for them. Order is per producer only: the log decides the order between producers. Its
// memory is allocated by the constructor; enqueueing allocates nothing and refuses when there is no
// room. TryEnqueue and TryDequeue are lock-free.
//   source    moodycamel::ConcurrentQueue, which this file's .cc alone includes
//
// Memory ordering: what a producer did before TryEnqueue() is visible to the loop after
// TryDequeue() handed the ticket out.
class CommandQueue {
 public:
  // The next `count` commands of a lane.
  struct Ticket {
    std::uint16_t lane;
    std::uint16_t count;
  };

  // A producer's own sub-queue. One thread at a time.
  class Token;
  struct TokenDeleter {
    void operator()(Token* token) const noexcept;
  };
  using TokenPointer = std::unique_ptr<Token, TokenDeleter>;

  //   window         tickets one producer may have in the queue
  //   producers_max  tokens at any time
  CommandQueue(std::uint32_t window, std::uint32_t producers_max);
  CommandQueue(const CommandQueue&) = delete;
  CommandQueue& operator=(const CommandQueue&) = delete;
  ~CommandQueue();

  // One at a time, from any thread; at most producers_max, which live until the loop has ended.
  //   returns   nullptr: no memory
  TokenPointer NewToken() noexcept;

  bool TryEnqueue(Token& token, Ticket ticket) noexcept;
  // Up to into.size() tickets: producers are visited one after the other, from where the last call
  // ended, and each gives all that there is room for. So a ticket that waits is passed by at most
  // into.size() tickets of each other producer. Loop only.
  std::size_t TryDequeue(std::span<Ticket> into) noexcept;
  // False only if nothing was enqueued before the caller's last heavy barrier. Loop only.
  bool MayHaveCommands() const noexcept;

  std::size_t memory_bytes() const noexcept { return memory_bytes_; }

 private:
  struct Queue;
  std::unique_ptr<Queue> queue_;
  std::size_t memory_bytes_;
};

}  // namespace pawl::inline v0
