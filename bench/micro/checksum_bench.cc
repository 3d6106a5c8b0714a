// Question: what does the checksum of a frame cost, from one small commit to a full frame?

#include <cstddef>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "pawl/crc32c.h"

namespace pawl::inline v0::bench {
namespace {

void Checksum(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<std::uint8_t> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::uint8_t>(i * 131);
  const std::uint32_t expected = Crc32c(0, data.data(), bytes);
  for (auto _ : state) {
    benchmark::DoNotOptimize(data.data());
    if (Crc32c(0, data.data(), bytes) != expected) state.SkipWithError("another checksum");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
// 26,624: what a full frame of 64-byte events holds.
BENCHMARK(Checksum)->ArgsProduct({{64, 128, 256, 1024, 4096, 16384, 26624, 65536}});

}  // namespace
}  // namespace pawl::inline v0::bench
