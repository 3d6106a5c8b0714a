#include "durable_store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <thread>

#include "disk_agents.h"
#include "durable_file.h"
#include "pawl/log.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::uint32_t kFrameBytes = 128;
constexpr std::uint64_t kBytesPerSecond = 10'000'000;
constexpr std::uint32_t kPayloadBytes =
    kFrameBytes - sizeof(FrameHeader) - sizeof(CommitHeader) - sizeof(RecordHeader);
constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;

using Payload = std::array<std::uint64_t, kPayloadBytes / sizeof(std::uint64_t)>;
static_assert(sizeof(Payload) == kPayloadBytes && kPayloadBytes > 0);

Payload PayloadOf(std::uint64_t number) {
  Payload payload;
  payload.fill(number);
  return payload;
}

// Calls store(number) for 1, 2, 3… at the pace of the scenario. A store that took too long is
// followed by those that were due meanwhile; each counts by itself.
template <class Store>
Histogram StoreAtPace(const DurableOptions& options, const Store& store) {
  Histogram times;
  const std::int64_t begin_ns = SteadyNowNs();
  for (std::uint64_t i = 0; i < options.frames; ++i) {
    const auto due_ns =
        begin_ns + static_cast<std::int64_t>(i * kFrameBytes * 1'000'000'000U / kBytesPerSecond);
    while (SteadyNowNs() < due_ns) SpinOnce();
    const std::int64_t before_ns = SteadyNowNs();
    store(i + 1);
    times.Record(SteadyNowNs() - before_ns);
  }
  return times;
}

// A thread for one of the log's agents: works, and sleeps at its bell.
class AgentThread {
 public:
  enum class Job { kSync, kPrepare };

  AgentThread(Log& log, Job job, int core)
      : log_(log), job_(job), thread_([this, core] { Run(core); }) {}
  AgentThread(const AgentThread&) = delete;
  AgentThread& operator=(const AgentThread&) = delete;
  ~AgentThread() {
    // Release: pairs with the acquire in is_ending().
    is_ending_.store(true, std::memory_order_release);
    Bell().Ring();
    thread_.join();
  }

 private:
  void Run(int core) {
    PinThisThread(core);
    while (!is_ending()) {
      const bool is_sync = job_ == Job::kSync;
      if ((is_sync ? log_.SyncWork() : log_.PrepareWork()) > 0) continue;
      const auto has_work = [&]() noexcept {
        return is_ending() || (is_sync ? log_.HasSyncWork() : log_.HasPrepareWork());
      };
      Bell().Wait(has_work, is_sync ? log_.sync_delay_ns() : log_.prepare_delay_ns());
    }
  }
  Doorbell& Bell() { return job_ == Job::kSync ? log_.sync_bell() : log_.prepare_bell(); }
  [[nodiscard]] bool is_ending() const {
    // Acquire: pairs with the release in the destructor.
    return is_ending_.load(std::memory_order_acquire);
  }

  Log& log_;
  const Job job_;
  // Writer: the destructor. Reader: the thread. Guards nothing but the end.
  std::atomic<bool> is_ending_{false};
  std::thread thread_;
};

void StoreFrame(LogWriter& writer, std::uint64_t number) {
  const Payload payload = PayloadOf(number);
  writer.BeginCommit();
  std::byte* const room =
      writer.AppendRecord({.type = 1, .stream = 1, .version = Version(number)}, kPayloadBytes);
  if (room == nullptr) Fail("no room for a record");
  std::memcpy(room, payload.data(), kPayloadBytes);
  writer.EndCommit({.session = 1, .sequence = Sequence(number)});
  writer.Publish();
}

// Opens the log again: true if it holds the frames 1…`count`, each once, whole, in order.
bool HoldsFrames(const LogOptions& options, std::uint64_t count) {
  const auto log = OrFail(Log::Open(options));
  LogReader reader = log->NewReader();
  std::uint64_t found = 0;
  bool is_right = true;
  while (const FrameHeader* frame = reader.NextFrame(log->published())) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      if (record.header.kind != RecordKind::kEvent) return;
      const Payload expected = PayloadOf(++found);
      is_right = is_right && frame->length == kFrameBytes &&
                 std::memcmp(record.payload(), expected.data(), kPayloadBytes) == 0;
    });
  }
  OrFail(reader.status());
  OrFail(log->Close());
  return is_right && found == count;
}

bool HoldsWrites(const DurableFile& file, std::uint64_t count) {
  std::array<std::byte, kFrameBytes> frame;
  bool is_right = true;
  for (std::uint64_t number = 1; number <= count && is_right; ++number) {
    file.Read((number - 1) * kFrameBytes, frame.data(), frame.size());
    std::uint64_t found = 0;
    std::memcpy(&found, frame.data(), sizeof found);
    is_right = found == number;
  }
  return is_right;
}

// How far the file was written: the thread behind syncs what is new, without a pause.
class SyncBehind {
 public:
  SyncBehind(const DurableFile& file, int core)
      : thread_([this, &file, core] { Run(file, core); }) {}
  SyncBehind(const SyncBehind&) = delete;
  SyncBehind& operator=(const SyncBehind&) = delete;
  ~SyncBehind() {
    Written(kEnd);
    thread_.join();
  }
  void Written(std::uint64_t frames) {
    // Release: the writes before. Pairs with the acquire in Run().
    frames_.store(frames, std::memory_order_release);
  }

 private:
  static constexpr std::uint64_t kEnd = UINT64_MAX;

  void Run(const DurableFile& file, int core) {
    PinThisThread(core);
    for (std::uint64_t synced = 0; synced != kEnd;) {
      // Acquire: pairs with the release in Written().
      const std::uint64_t frames = frames_.load(std::memory_order_acquire);
      if (frames == synced) {
        SpinOnce();
        continue;
      }
      file.Sync();
      synced = frames;
    }
  }

  // Writer: the storing thread. Reader: the syncing one. Only grows.
  alignas(64) std::atomic<std::uint64_t> frames_{0};
  std::thread thread_;
};

}  // namespace

TimedResult RunLogStore(const DurableOptions& options) {
  const TemporaryDirectory directory(options.directory, "durable_store");
  const LogOptions log_options{
      .directory = directory.path(), .on_notice = [](std::string_view notice) {
        std::fprintf(stderr, "pawl: %.*s\n", static_cast<int>(notice.size()), notice.data());
      }};
  TimedResult result;
  {
    const auto log = OrFail(Log::Open(log_options));
    RunDiskAgents(*log);
    result.is_direct = log->is_direct();
    {
      const int agents_core = options.placement.producer_core;
      const AgentThread sync(*log, AgentThread::Job::kSync, agents_core);
      const AgentThread prepare(*log, AgentThread::Job::kPrepare, agents_core);
      PinThisThread(options.placement.loop_core);
      LogWriter& writer = log->writer();
      result.times = StoreAtPace(options, [&](std::uint64_t number) {
        if (!writer.CanBeginCommit()) Fail("no segment was ready: fewer --frames");
        StoreFrame(writer, number);
      });
    }
    RunDiskAgents(*log);
    OrFail(log->Close());
  }
  result.is_verified = HoldsFrames(log_options, options.frames);
  return result;
}

TimedResult RunPwriteStore(const DurableOptions& options) {
  const std::uint64_t mib = options.frames * kFrameBytes / kMib + 1;
  const DurableFile file(options.directory, "durable_pwrite", mib * kMib,
                         DurableFile::Writes::kBuffered);
  TimedResult result;
  {
    SyncBehind behind(file, options.placement.producer_core);
    PinThisThread(options.placement.loop_core);
    std::array<std::byte, kFrameBytes> frame{};
    result.times = StoreAtPace(options, [&](std::uint64_t number) {
      std::memcpy(frame.data(), &number, sizeof number);
      file.Write((number - 1) * kFrameBytes, frame.data(), frame.size());
      behind.Written(number);
    });
  }
  result.is_direct = false;
  result.is_verified = HoldsWrites(file, options.frames);
  return result;
}

}  // namespace pawl::inline v0::bench
