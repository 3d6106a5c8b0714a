// Question: what does it cost the loop to append a 64-byte event as a commit of its own, its share
// of the frame, the checksum, the copy into the hot image and the publishing included, at 1, 16
// and 256 commits a frame? Beside it the floor: the same events copied into warm memory.
//
// The sync agent and the preparer are stepped outside the timed region, every 8 MiB; so is the
// reader that checks every event. The log is real: files on disk, images in memory.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench_log.h"
#include "numbered_events.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::uint64_t kSegmentBytes = std::uint64_t{32} << 20U;
constexpr std::uint64_t kRestEveryBytes = std::uint64_t{8} << 20U;

void Append(benchmark::State& state) {
  const auto commits = static_cast<std::uint64_t>(state.range(0));
  BenchLog log("append_bench", kSegmentBytes);
  LogWriter& writer = log->writer();
  LogReader reader = log->NewReader();
  EventTotals read;
  std::uint64_t sent = 0;
  Address rested = writer.published();
  const auto rest = [&] {
    log.Rest();
    const EventTotals more = TotalsUpTo(reader, log->durable());
    read = {.count = read.count + more.count, .sum = read.sum + more.sum};
    rested = writer.published();
  };
  bool has_room = true;
  const Address begin = rested;
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < commits; ++i) {
      has_room = writer.CanBeginCommit() && StageCommit(writer, ++sent) && has_room;
    }
    const Address published = writer.Publish();
    if (published.value() - rested.value() < kRestEveryBytes) continue;
    state.PauseTiming();
    rest();
    state.ResumeTiming();
  }
  rest();
  if (!has_room || read.count != sent || read.sum != SumOfFirst(sent) || !reader.status().ok()) {
    state.SkipWithError("the log does not hold what was appended");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(sent));
  state.counters["log_bytes_per_event"] =
      static_cast<double>(rested.value() - begin.value()) / static_cast<double>(sent);
}
BENCHMARK(Append)->Arg(1)->Arg(16)->Arg(256);

void AppendRivalCopy(benchmark::State& state) {
  const auto commits = static_cast<std::uint64_t>(state.range(0));
  std::vector<NumberedEvent> memory(kRestEveryBytes / sizeof(NumberedEvent));
  std::uint64_t sent = 0;
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < commits; ++i) {
      ++sent;
      memory[sent % memory.size()] = NumberedEvent::At(sent);
    }
    benchmark::ClobberMemory();
  }
  for (std::uint64_t back = 0; back < std::min<std::uint64_t>(sent, memory.size()); ++back) {
    const std::uint64_t number = sent - back;
    if (SumOf(memory[number % memory.size()]) != SumOf(NumberedEvent::At(number))) {
      state.SkipWithError("another event");
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(sent));
}
BENCHMARK(AppendRivalCopy)->Arg(1)->Arg(16)->Arg(256);

}  // namespace
}  // namespace pawl::inline v0::bench
