// Question: what does a command cost on its way to the loop, through the ring of its lane and the
// queue of tickets, one at a time and in bulks, uncontended (one thread does both sides) and from
// core to core?

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>

#include <benchmark/benchmark.h>

#include "command_queue.h"
#include "pawl/command_slot.h"
#include "placement.h"
#include "window_ring.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::uint32_t kWindow = 4096;

// One lane. Numbers the commands that it sends and checks that they arrive so.
class Way {
 public:
  // Sends `bulk` commands if the window has room.
  bool TrySend(std::uint32_t bulk) {
    // Acquire: the taker's reads before the slots are written again. Pairs with the release in
    // Take().
    if (sent_ + bulk - taken_.load(std::memory_order_acquire) > kWindow) return false;
    for (CommandSlot& slot : ring_.From(sent_, bulk)) slot.sequence = Sequence(++numbered_);
    if (!queue_.TryEnqueue(*token_, {0, static_cast<std::uint16_t>(bulk)})) return false;
    sent_ += bulk;
    return true;
  }

  // Takes what there is. Returns how many; the last one's number is wrong if any was.
  std::uint32_t Take() {
    std::uint32_t count = 0;
    const std::size_t tickets = queue_.TryDequeue(tickets_);
    for (std::size_t i = 0; i < tickets; ++i) {
      for (const CommandSlot& slot : ring_.From(read_, tickets_[i].count)) {
        is_in_order_ = is_in_order_ && slot.sequence.value() == ++expected_;
      }
      read_ += tickets_[i].count;
      count += tickets_[i].count;
    }
    // Release: the reads of the slots before their reuse. Pairs with the acquire in TrySend().
    if (count != 0) taken_.store(read_, std::memory_order_release);
    return count;
  }

  bool is_in_order() const { return is_in_order_; }

 private:
  CommandQueue queue_{kWindow, 1};
  WindowRing<CommandSlot> ring_{kWindow};
  const CommandQueue::TokenPointer token_ = queue_.NewToken();
  // Sender only.
  alignas(64) std::uint64_t sent_ = 0;
  std::uint64_t numbered_ = 0;
  // Taker only.
  alignas(64) std::array<CommandQueue::Ticket, 256> tickets_;
  std::uint64_t read_ = 0;
  std::uint64_t expected_ = 0;
  bool is_in_order_ = true;
  // Commands taken. Taker writes, sender reads; only grows; guards the reuse of the slots.
  alignas(64) std::atomic<std::uint64_t> taken_{0};
};

void QueueUncontended(benchmark::State& state) {
  const auto bulk = static_cast<std::uint32_t>(state.range(0));
  Way way;
  for (auto _ : state) {
    const bool is_sent = way.TrySend(bulk);
    if (way.Take() != bulk || !is_sent || !way.is_in_order()) {
      state.SkipWithError("lost or out of order");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(QueueUncontended)->Arg(1)->Arg(64)->Arg(256);

// The benchmark's thread takes, a second one sends; a full window refuses, and it tries again.
void QueueCoreToCore(benchmark::State& state) {
  const auto bulk = static_cast<std::uint32_t>(state.range(0));
  Way way;
  std::atomic<bool> is_over{false};
  std::thread sender([&] {
    // Relaxed: only says when to stop; the queue orders the commands.
    while (!is_over.load(std::memory_order_relaxed)) {
      if (!way.TrySend(bulk)) SpinOnce();
    }
  });
  std::int64_t items = 0;
  for (auto _ : state) {
    std::uint32_t count = 0;
    while ((count = way.Take()) == 0) SpinOnce();
    items += count;
  }
  if (!way.is_in_order()) state.SkipWithError("lost or out of order");
  // Relaxed: as above.
  is_over.store(true, std::memory_order_relaxed);
  sender.join();
  state.SetItemsProcessed(items);
}
BENCHMARK(QueueCoreToCore)->Arg(1)->Arg(64)->Arg(256)->UseRealTime();

}  // namespace
}  // namespace pawl::inline v0::bench
