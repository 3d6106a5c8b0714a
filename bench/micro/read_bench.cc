// Question: what does a reader pay per event when it walks the log in place and looks at every
// byte of it, from the cache (1,000 events) and beyond it (200,000), at 1 and 256 commits a frame?
// Beside it the floor: the same events packed in a vector.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench_log.h"
#include "numbered_events.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::uint64_t kSegmentBytes = std::uint64_t{64} << 20U;

void Read(benchmark::State& state) {
  const auto events = static_cast<std::uint64_t>(state.range(0));
  const auto commits = static_cast<std::uint64_t>(state.range(1));
  BenchLog log("read_bench", kSegmentBytes);
  LogWriter& writer = log->writer();
  bool is_right = true;
  for (std::uint64_t number = 1; number <= events; ++number) {
    is_right = writer.CanBeginCommit() && StageCommit(writer, number) && is_right;
    if (number % commits == 0) writer.Publish();
  }
  writer.Publish();
  for (auto _ : state) {
    LogReader reader = log->NewReader();
    const EventTotals totals = TotalsUpTo(reader, log->published());
    is_right = is_right && totals.count == events && totals.sum == SumOfFirst(events) &&
               reader.status().ok();
  }
  if (!is_right) state.SkipWithError("another log than the one written");
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Read)->ArgsProduct({{1'000, 200'000}, {1, 256}});

void ReadRivalVector(benchmark::State& state) {
  const auto events = static_cast<std::uint64_t>(state.range(0));
  std::vector<NumberedEvent> memory;
  for (std::uint64_t number = 1; number <= events; ++number) {
    memory.push_back(NumberedEvent::At(number));
  }
  bool is_right = true;
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (const NumberedEvent& event : memory) sum += SumOf(event);
    is_right = is_right && sum == SumOfFirst(events);
    benchmark::ClobberMemory();
  }
  if (!is_right) state.SkipWithError("another sum");
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ReadRivalVector)->Arg(1'000)->Arg(200'000);

}  // namespace
}  // namespace pawl::inline v0::bench
