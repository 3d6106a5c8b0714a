// Question: how should the deciding thread put a frame into the log while a sync agent keeps the
// disk busy? Three ways, same frames, same pace, same file (written with zeros beforehand):
//
//   mapping    stores into a mapping of the file that the agent syncs (msync of the range)
//   pwrite     one buffered pwrite per frame; the agent calls fdatasync
//   hot-image  stores into a pre-faulted file in memory; the agent copies the range behind it with
//              aligned pwrite on an O_DIRECT | O_DSYNC descriptor
//
// Prints, per way, the time the loop spends on one frame and the time from there to durable.
// Nothing of the engine is linked. Frames are read back from the file and checked after the clock.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arguments.h"
#include "json_writer.h"
#include "placement.h"
#include "write_path_ways.h"

namespace pawl::inline v0::bench {
namespace {

constexpr const char* kUsage =
    "write_path [--directory D] [--hot-directory D] [--milliseconds N] [--runs N] [--region-mib N] "
    "[--loop-core N] [--agent-core N] [--json]";

// Cheapest clock of the machine: a time stamp counter read is 10 ns, clock_gettime 22.
std::uint64_t Ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

double TicksPerMicrosecond() {
  const auto clock_start = std::chrono::steady_clock::now();
  const std::uint64_t ticks_start = Ticks();
  while (std::chrono::steady_clock::now() - clock_start < std::chrono::milliseconds(100)) {
  }
  const std::chrono::duration<double, std::micro> waited =
      std::chrono::steady_clock::now() - clock_start;
  return static_cast<double>(Ticks() - ticks_start) / waited.count();
}

struct Load {
  const char* name;
  std::size_t frame_bytes;
  double bytes_per_second;
};

struct Setup {
  std::string directory;
  std::string hot_directory;
  double seconds = 0;
  std::size_t region_bytes = 0;
  int loop_core = kAnyCore;
  int agent_core = kAnyCore;
};

// Byte counts since the start; they only grow.
struct Marks {
  alignas(64) std::atomic<std::uint64_t> published{0};  // Written by the loop, read by the agent.
  alignas(64) std::atomic<std::uint64_t> durable{0};    // Written by the agent, read by the loop.
  alignas(64) std::atomic<bool> is_finished{false};     // Written by the loop after its last frame.
};

struct Samples {
  std::vector<std::uint64_t> begun;       // Ticks at which the loop began frame i.
  std::vector<std::uint64_t> on_loop;     // Ticks the loop spent on frame i.
  std::vector<std::uint64_t> to_durable;  // Ticks from `begun` until the agent knew it durable.
  std::size_t frames = 0;
  double reached_bytes_per_second = 0;
  bool is_verified = false;
};

class Measurement {
 public:
  Measurement(const Setup& setup, const Load& load, WritePath& path, double ticks_per_us)
      : setup_(setup), load_(load), path_(path), ticks_per_us_(ticks_per_us) {
    const double frames_max =
        setup.seconds * load.bytes_per_second / static_cast<double>(load.frame_bytes);
    for (auto* row : {&samples_.begun, &samples_.on_loop, &samples_.to_durable}) {
      row->assign(static_cast<std::size_t>(frames_max), 1);  // Touched: no fault later.
    }
  }

  Samples Run() {
    std::thread agent([this] { SyncUntilFinished(); });
    std::thread loop([this] { StoreFrames(); });
    loop.join();
    agent.join();
    return std::move(samples_);
  }

 private:
  void StoreFrames() {
    PinThisThread(setup_.loop_core);
    std::vector<std::byte> frame(load_.frame_bytes, std::byte{0x5a});
    const double ticks_per_frame =
        ticks_per_us_ * 1e6 * static_cast<double>(load_.frame_bytes) / load_.bytes_per_second;
    const std::uint64_t start = Ticks();
    const auto end = start + static_cast<std::uint64_t>(setup_.seconds * 1e6 * ticks_per_us_);
    std::size_t i = 0;
    for (; i < samples_.begun.size() && Ticks() < end; ++i) {
      const auto due = start + static_cast<std::uint64_t>(static_cast<double>(i) * ticks_per_frame);
      while (Ticks() < due) SpinOnce();
      WaitForRoom((i + 1) * load_.frame_bytes);
      StoreFrame(i, frame);
    }
    const double seconds = static_cast<double>(Ticks() - start) / ticks_per_us_ / 1e6;
    samples_.frames = i;
    samples_.reached_bytes_per_second = static_cast<double>(i * load_.frame_bytes) / seconds;
    // Release: the last published mark before the end. Pairs with the acquire in
    // SyncUntilFinished().
    marks_.is_finished.store(true, std::memory_order_release);
  }

  void StoreFrame(std::size_t i, std::vector<std::byte>& frame) {
    const std::uint64_t number = i;
    std::memcpy(frame.data(), &number, sizeof number);
    std::memcpy(frame.data() + frame.size() - sizeof number, &number, sizeof number);
    const std::uint64_t begun = Ticks();
    samples_.begun[i] = begun;
    path_.Store(i * load_.frame_bytes % setup_.region_bytes, frame.data(), frame.size());
    // Release: frame bytes and its `begun` before the mark. Pairs with the acquire in
    // SyncUntilFinished().
    marks_.published.store((i + 1) * load_.frame_bytes, std::memory_order_release);
    samples_.on_loop[i] = Ticks() - begun;
  }

  // Back-pressure: a frame is overwritten only when durable. Not part of the time per frame; it
  // shows as a pace below the wanted one.
  void WaitForRoom(std::uint64_t published_next) const {
    // Acquire: the agent has read the old bytes. Pairs with the release in SyncUntilFinished().
    while (published_next - marks_.durable.load(std::memory_order_acquire) > setup_.region_bytes) {
      SpinOnce();
    }
  }

  void SyncUntilFinished() {
    PinThisThread(setup_.agent_core);
    std::uint64_t durable = 0;
    for (bool is_finished = false; !is_finished;) {
      // Acquire: whoever sees the end sees the last mark. Pairs with the release in StoreFrames().
      is_finished = marks_.is_finished.load(std::memory_order_acquire);
      // Acquire: frame bytes below the mark. Pairs with the release in StoreFrame().
      const std::uint64_t published = marks_.published.load(std::memory_order_acquire);
      if (published == durable) {
        SpinOnce();
        continue;
      }
      durable = SyncRange(durable, published);
    }
    for (const std::uint64_t all = samples_.frames * load_.frame_bytes; durable < all;) {
      durable = SyncRange(durable, all);
    }
  }

  std::uint64_t SyncRange(std::uint64_t begin, std::uint64_t end) {
    const std::uint64_t offset = begin % setup_.region_bytes;
    end = std::min(end, begin + setup_.region_bytes - offset);
    path_.Sync(offset, offset + (end - begin));
    const std::uint64_t now = Ticks();
    for (std::uint64_t i = begin / load_.frame_bytes; i < end / load_.frame_bytes; ++i) {
      samples_.to_durable[i] = now - samples_.begun[i];
    }
    // Release: the agent is done with these bytes. Pairs with the acquire in WaitForRoom().
    marks_.durable.store(end, std::memory_order_release);
    return end;
  }

  const Setup& setup_;
  const Load& load_;
  WritePath& path_;
  double ticks_per_us_;
  Marks marks_;
  Samples samples_;
};

double Percentile(const std::vector<std::uint64_t>& sorted, double fraction, double ticks_per_us) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return static_cast<double>(sorted[static_cast<std::size_t>(fraction * last)]) / ticks_per_us;
}

struct Row {
  std::string load;
  std::string way;
  double p50, p99, p999, max;  // Microseconds on the loop per frame.
  double durable_p50, durable_p99;
  double gigabytes_per_second;
  std::size_t frames;
  bool is_verified;
};

Row Summarise(const Load& load, const char* way, Samples samples, double ticks_per_us) {
  samples.on_loop.resize(samples.frames);
  samples.to_durable.resize(samples.frames);
  std::sort(samples.on_loop.begin(), samples.on_loop.end());
  std::sort(samples.to_durable.begin(), samples.to_durable.end());
  const auto on_loop = [&](double f) { return Percentile(samples.on_loop, f, ticks_per_us); };
  const auto durable = [&](double f) { return Percentile(samples.to_durable, f, ticks_per_us); };
  return {.load = load.name,
          .way = way,
          .p50 = on_loop(0.5),
          .p99 = on_loop(0.99),
          .p999 = on_loop(0.999),
          .max = on_loop(1.0),
          .durable_p50 = durable(0.5),
          .durable_p99 = durable(0.99),
          .gigabytes_per_second = samples.reached_bytes_per_second / 1e9,
          .frames = samples.frames,
          .is_verified = samples.is_verified};
}

// Reads the last lap of frames back from the disk, past the page cache.
bool HoldsFrames(const TemporaryFile& file, const Load& load, std::size_t frames) {
  const int descriptor = file.OpenAgain(O_RDONLY | O_DIRECT);
  const std::unique_ptr<std::byte, decltype(&std::free)> block(
      static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, kSyncBytesMax)), &std::free);
  const std::size_t frames_kept = std::min(frames, file.bytes() / load.frame_bytes);
  std::size_t in_block = file.bytes();  // Offset that `block` holds; none yet.
  bool holds = frames_kept > 0;
  for (std::size_t i = frames - frames_kept; i < frames && holds; ++i) {
    const std::size_t offset = i * load.frame_bytes % file.bytes();
    const std::size_t wanted = offset - offset % kSyncBytesMax;
    if (wanted != in_block) {
      Require(pread(descriptor, block.get(), kSyncBytesMax, static_cast<off_t>(wanted)) ==
                  static_cast<ssize_t>(kSyncBytesMax),
              "read back");
      in_block = wanted;
    }
    const std::uint64_t number = i;
    const std::byte* frame = block.get() + (offset - wanted);
    holds = std::memcmp(frame, &number, sizeof number) == 0 &&
            std::memcmp(frame + load.frame_bytes - sizeof number, &number, sizeof number) == 0;
  }
  close(descriptor);
  return holds;
}

Row Measure(const Setup& setup, const Load& load, const std::string& way, double ticks_per_us) {
  const TemporaryFile file(setup.directory, setup.region_bytes);
  file.WriteZeros();
  std::unique_ptr<TemporaryFile> image;
  std::unique_ptr<WritePath> path;
  if (way == "mapping") path = std::make_unique<MappingPath>(file);
  if (way == "pwrite") path = std::make_unique<PwritePath>(file);
  if (way == "hot-image") {
    image = std::make_unique<TemporaryFile>(setup.hot_directory, setup.region_bytes);
    path = std::make_unique<HotImagePath>(file, *image);
  }
  Samples samples = Measurement(setup, load, *path, ticks_per_us).Run();
  samples.is_verified = HoldsFrames(file, load, samples.frames);
  return Summarise(load, way.c_str(), std::move(samples), ticks_per_us);
}

void PrintTable(const std::vector<Row>& rows) {
  std::printf("us on the loop per frame, sync agent busy\n");
  std::printf("%-18s %-10s %8s %8s %8s %9s | %11s %11s | %6s %8s %s\n", "load", "way", "p50", "p99",
              "p99.9", "max", "durable p50", "durable p99", "GB/s", "frames", "verified");
  for (const Row& row : rows) {
    std::printf("%-18s %-10s %8.2f %8.2f %8.2f %9.1f | %11.0f %11.0f | %6.3f %8zu %s\n",
                row.load.c_str(), row.way.c_str(), row.p50, row.p99, row.p999, row.max,
                row.durable_p50, row.durable_p99, row.gigabytes_per_second, row.frames,
                row.is_verified ? "yes" : "NO");
  }
}

void PrintJson(const Setup& setup, const std::vector<Row>& rows) {
  JsonWriter json;
  json.BeginObject();
  json.Number("seconds", setup.seconds);
  json.Integer("region_bytes", setup.region_bytes);
  json.BeginArray("rows");
  for (const Row& row : rows) {
    json.BeginObject();
    json.Text("load", row.load);
    json.Text("way", row.way);
    json.Number("loop_us_p50", row.p50);
    json.Number("loop_us_p99", row.p99);
    json.Number("loop_us_p999", row.p999);
    json.Number("loop_us_max", row.max);
    json.Number("durable_us_p50", row.durable_p50);
    json.Number("durable_us_p99", row.durable_p99);
    json.Number("gigabytes_per_second", row.gigabytes_per_second);
    json.Integer("frames", row.frames);
    json.Boolean("verified", row.is_verified);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::printf("%s\n", json.text().c_str());
}

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv);
  Setup setup;
  setup.directory = arguments.Text("--directory", ".");
  setup.hot_directory = arguments.Text("--hot-directory", "/dev/shm");
  setup.seconds = static_cast<double>(arguments.Number("--milliseconds", 5000, 1, 600'000)) / 1e3;
  setup.region_bytes = static_cast<std::size_t>(arguments.Number("--region-mib", 1024, 1, 65536))
                       << 20U;
  setup.loop_core = static_cast<int>(arguments.Number("--loop-core", 0, -1, 1023));
  setup.agent_core = static_cast<int>(arguments.Number("--agent-core", 1, -1, 1023));
  const auto runs = arguments.Number("--runs", 1, 1, 100);
  const bool is_json = arguments.Flag("--json");
  arguments.RefuseTheRest(kUsage);

  const double ticks_per_us = TicksPerMicrosecond();
  std::vector<Row> rows;
  for (const Load& load : {Load{"128 B, 10 MB/s", 128, 10e6}, Load{"16 KiB, 1 GB/s", 16384, 1e9}}) {
    for (const char* way : {"mapping", "pwrite", "hot-image"}) {
      for (std::int64_t run = 0; run < runs; ++run) {
        rows.push_back(Measure(setup, load, way, ticks_per_us));
        std::fprintf(stderr, "%s, %s: done\n", load.name, way);
      }
    }
  }
  if (is_json) {
    PrintJson(setup, rows);
  } else {
    PrintTable(rows);
  }
  return std::all_of(rows.begin(), rows.end(), [](const Row& r) { return r.is_verified; }) ? 0 : 1;
}

}  // namespace
}  // namespace pawl::inline v0::bench

int main(int argc, char** argv) { return pawl::bench::Main(argc, argv); }
