// Question: what does a command cost on its way through the command queue, one at a time and in
// bulks, uncontended (one thread does both sides) and from core to core?

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "command_queue.h"
#include "placement.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::uint32_t kWindow = 4096;

// Checks that commands arrive as they were sent, by sequence.
class ArrivalOrder {
 public:
  bool Take(std::span<const CommandSlot> commands) {
    for (const CommandSlot& command : commands) {
      if (command.sequence.value() != ++last_) return false;
    }
    return true;
  }

 private:
  std::uint64_t last_ = 0;
};

class Numbered {
 public:
  explicit Numbered(std::size_t bulk) : commands_(bulk) {}
  std::span<const CommandSlot> Next() {
    for (CommandSlot& command : commands_) command.sequence = Sequence(++last_);
    return commands_;
  }

 private:
  std::vector<CommandSlot> commands_;
  std::uint64_t last_ = 0;
};

void QueueUncontended(benchmark::State& state) {
  const auto bulk = static_cast<std::size_t>(state.range(0));
  CommandQueue queue(kWindow, 1);
  const CommandQueue::TokenPointer token = queue.NewToken();
  Numbered numbered(bulk);
  ArrivalOrder order;
  std::vector<CommandSlot> taken(bulk);
  for (auto _ : state) {
    const bool is_sent = queue.TryEnqueue(*token, numbered.Next());
    const std::size_t count = queue.TryDequeue(taken);
    if (!is_sent || count != bulk || !order.Take(taken))
      state.SkipWithError("lost or out of order");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(QueueUncontended)->Arg(1)->Arg(64)->Arg(256);

// The benchmark's thread takes, a second one sends; a full queue refuses, and it tries again.
void QueueCoreToCore(benchmark::State& state) {
  const auto bulk = static_cast<std::size_t>(state.range(0));
  CommandQueue queue(kWindow, 1);
  const CommandQueue::TokenPointer token = queue.NewToken();
  std::atomic<bool> is_over{false};
  std::thread sender([&] {
    Numbered numbered(bulk);
    std::span<const CommandSlot> next = numbered.Next();
    // Relaxed: only says when to stop; the queue orders the commands.
    while (!is_over.load(std::memory_order_relaxed)) {
      if (queue.TryEnqueue(*token, next)) {
        next = numbered.Next();
      } else {
        SpinOnce();
      }
    }
  });
  ArrivalOrder order;
  std::vector<CommandSlot> taken(256);
  std::int64_t items = 0;
  for (auto _ : state) {
    std::size_t count = 0;
    while ((count = queue.TryDequeue(taken)) == 0) SpinOnce();
    if (!order.Take(std::span(taken).first(count))) state.SkipWithError("lost or out of order");
    items += static_cast<std::int64_t>(count);
  }
  // Relaxed: as above.
  is_over.store(true, std::memory_order_relaxed);
  sender.join();
  state.SetItemsProcessed(items);
}
BENCHMARK(QueueCoreToCore)->Arg(1)->Arg(64)->Arg(256)->UseRealTime();

}  // namespace
}  // namespace pawl::inline v0::bench
