#include "durable_floor.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <thread>

#include "durable_file.h"
#include "wake_word.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;
constexpr std::uint64_t kSourceMibMax = 128;  // More than caches hold.

// Whether each piece of the file begins with its number: 1, 2, 3…
bool HoldsNumbers(const DurableFile& file, std::size_t piece_bytes, std::uint64_t pieces) {
  const DiskBytes block = NewDiskBytes(kDiskBlockBytes);
  bool holds = pieces > 0;
  for (std::uint64_t i = 0; i < pieces && holds; ++i) {
    file.Read(i * piece_bytes, block.get(), kDiskBlockBytes);
    std::uint64_t number = 0;
    std::memcpy(&number, block.get(), sizeof number);
    holds = number == i + 1;
  }
  return holds;
}

}  // namespace

SyncedWrites::SyncedWrites(const DurableOptions& options)
    : file_(options.directory, "durable_synced", options.synced_mib * kMib,
            DurableFile::Writes::kDurable),
      source_mib_(std::min(options.synced_mib, kSourceMibMax)),
      source_(NewDiskBytes(source_mib_ * kMib)) {}

double SyncedWrites::Write(std::uint64_t mib) {
  const std::int64_t begin_ns = SteadyNowNs();
  for (; mib > 0 && written_bytes() < file_.bytes(); --mib) {
    std::byte* const piece = source_.get() + written_mib_ % source_mib_ * kMib;
    const std::uint64_t number = written_mib_ + 1;
    std::memcpy(piece, &number, sizeof number);
    file_.Write(written_bytes(), piece, kMib);
    ++written_mib_;
  }
  return static_cast<double>(SteadyNowNs() - begin_ns) / 1e9;
}

std::uint64_t SyncedWrites::written_bytes() const { return written_mib_ * kMib; }

bool SyncedWrites::is_verified() const { return HoldsNumbers(file_, kMib, written_mib_); }

TimedResult RunBareAppends(const DurableOptions& options) {
  PinThisThread(options.placement.producer_core);
  const std::uint64_t mib = options.samples * kDiskBlockBytes / kMib + 1;
  const DurableFile file(options.directory, "durable_bare", mib * kMib,
                         DurableFile::Writes::kDurable);
  const DiskBytes block = NewDiskBytes(kDiskBlockBytes);
  TimedResult result{.times = {}, .is_direct = file.is_direct()};
  WakeSchedule schedule(options.seed, options.gaps);
  schedule.Begin();
  for (std::uint64_t i = 0; i < options.samples; ++i) {
    const std::uint64_t number = i + 1;
    std::memcpy(block.get(), &number, sizeof number);
    const std::int64_t intended_ns = schedule.Next();
    WakeSchedule::WaitFor(intended_ns, [] {});
    file.Write(i * kDiskBlockBytes, block.get(), kDiskBlockBytes);
    result.times.Record(SteadyNowNs() - intended_ns);
  }
  result.is_verified = HoldsNumbers(file, kDiskBlockBytes, options.samples);
  return result;
}

TimedResult RunTwoHandOffs(const DurableOptions& options) {
  PinThisThread(options.placement.producer_core);
  WakeWord there;
  WakeWord back;
  const auto last = static_cast<std::uint32_t>(options.samples);
  std::thread relay([&] {
    PinThisThread(options.placement.loop_core);
    for (std::uint32_t number = 0; number != last;) {
      number = there.Await(number);
      back.Send(number);
    }
  });
  TimedResult result{.times = {}, .is_direct = true, .is_verified = true};
  WakeSchedule schedule(options.seed, options.gaps);
  schedule.Begin();
  for (std::uint32_t number = 1; number <= last; ++number) {
    const std::int64_t intended_ns = schedule.Next();
    WakeSchedule::WaitFor(intended_ns, [] {});
    there.Send(number);
    result.is_verified = result.is_verified && back.Await(number - 1) == number;
    result.times.Record(SteadyNowNs() - intended_ns);
  }
  relay.join();
  return result;
}

}  // namespace pawl::inline v0::bench
