#include "open_scenario.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "disk_agents.h"
#include "machine_facts.h"
#include "or_fail.h"
#include "pawl/log.h"
#include "spread_json.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::string_view kUsage =
    "usage: pawl_bench open [--events N] [--events-large N] [--runs N] [--rivals scan]\n"
    "                       [--segment-bytes N] [--directory D] [--json]\n";
constexpr std::uint64_t kStreams = 1000;
constexpr std::uint32_t kEventBytes = 64;

struct Plan {
  std::uint64_t events = 0;
  std::uint64_t events_large = 0;
  std::uint64_t runs = 0;
  std::uint64_t segment_bytes = 0;
  std::string directory;
  bool has_scan = false;
  bool is_json = false;
};

Plan ReadPlan(Arguments& arguments) {
  Plan plan;
  plan.events =
      static_cast<std::uint64_t>(arguments.Number("--events", 1'000'000, 1'000, 1'000'000'000));
  plan.events_large = static_cast<std::uint64_t>(
      arguments.Number("--events-large", 50'000'000, 1'000, 1'000'000'000));
  plan.runs = static_cast<std::uint64_t>(arguments.Number("--runs", 7, 1, 1'000));
  plan.segment_bytes = static_cast<std::uint64_t>(arguments.Number(
      "--segment-bytes", std::int64_t{64} << 20, kSegmentBytesMin, kSegmentBytesMax));
  plan.directory = arguments.Text("--directory", ".");
  const std::string rivals = arguments.Text("--rivals", "scan");
  plan.has_scan = rivals == "scan";
  if (!plan.has_scan && !rivals.empty()) Fail("no rival '" + rivals + "' here: scan");
  plan.is_json = arguments.Flag("--json");
  arguments.RefuseTheRest(kUsage);
  return plan;
}

// A log of numbered events, made once and opened many times.
class LongLog {
 public:
  LongLog(const Plan& plan, std::string_view name, std::uint64_t events_min)
      : directory_(plan.directory, name), segment_bytes_(plan.segment_bytes) {
    const auto log = OpenIt();
    // Logs of different length get tails of the same one: an eighth of a segment.
    const std::uint64_t tail = segment_bytes_ / 8;
    while (events_ < events_min || log->published().value() % segment_bytes_ > tail + 65'536 ||
           log->published().value() % segment_bytes_ < tail) {
      AppendFrame(*log);
    }
    RunDiskAgents(*log);
    log_bytes_ = log->published().value();
    OrFail(log->Close());
  }

  std::uint64_t events() const { return events_; }
  std::uint64_t log_bytes() const { return log_bytes_; }
  std::uint64_t segments_indexed() const { return segments_indexed_; }
  bool is_verified() const { return is_verified_; }

  // Opens, looks at a few events, closes. Milliseconds of the opening.
  double Open() {
    const auto begun = std::chrono::steady_clock::now();
    const auto log = OpenIt();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
    segments_indexed_ = log->recovery().segments_indexed;
    for (std::uint64_t i = 0; i < 16; ++i) Verify(*log, 1 + i * (events_ - 1) / 15);
    RunDiskAgents(*log);
    OrFail(log->Close());
    return took.count();
  }

  void RemoveIndexes() const {
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      if (entry.path().extension() == ".idx") std::filesystem::remove(entry.path());
    }
  }

 private:
  std::unique_ptr<Log> OpenIt() const {
    return OrFail(Log::Open({.directory = directory_.path(), .segment_bytes = segment_bytes_}));
  }

  void AppendFrame(Log& log) {
    LogWriter& writer = log.writer();
    while (!writer.CanBeginCommit()) {
      log.SyncWork();
      log.PrepareWork();
      OrFail(log.error());
    }
    for (int commits = 0; commits < 256; ++commits) {
      writer.BeginCommit();
      const std::uint64_t number = ++events_;
      std::byte* const payload = writer.AppendRecord(
          {.type = 1,
           .stream = 1 + number % kStreams,
           .version = Version(1 + (number - 1) / kStreams),
           .back_link = number > kStreams ? Position(number - kStreams + 1) : Position()},
          kEventBytes);
      if (payload == nullptr) Fail("no room for an event");
      std::memset(payload, 0, kEventBytes);
      std::memcpy(payload, &number, sizeof number);
      writer.EndCommit({.session = 1, .sequence = Sequence(number)});
    }
    writer.Publish();
    log.SyncWork();
  }

  // Event `number` stands at position number + 1, behind the first epoch.
  void Verify(const Log& log, std::uint64_t number) {
    LogReader reader = log.NewReader();
    const Position position(number + 1);
    OrFail(reader.Seek(position, log.published()));
    const FrameHeader* const frame = reader.NextFrame(log.published());
    bool is_there = false;
    if (frame != nullptr) {
      ForEachRecord(*frame, [&](const RecordView& record) {
        std::uint64_t found = 0;
        if (record.position == position) std::memcpy(&found, record.payload(), sizeof found);
        is_there = is_there || found == number;
      });
    }
    is_verified_ = is_verified_ && is_there;
  }

  const TemporaryDirectory directory_;
  const std::uint64_t segment_bytes_;
  std::uint64_t events_ = 0;
  std::uint64_t log_bytes_ = 0;
  std::uint64_t segments_indexed_ = 0;
  bool is_verified_ = true;
};

void WriteLog(JsonWriter& json, std::string_view key, const LongLog& log,
              const std::vector<double>& open_ms) {
  json.BeginObject(key);
  json.Integer("events", log.events());
  json.Integer("log_bytes", log.log_bytes());
  json.Integer("segments_indexed", log.segments_indexed());
  WriteSpread(json, "open_ms", SpreadOf(open_ms));
  json.Boolean("verified", log.is_verified());
  json.EndObject();
}

void Say(const char* what, std::uint64_t run, const LongLog& log, double ms) {
  std::fprintf(stderr, "run %lu: %-5s %11lu events %9.1f ms\n", static_cast<unsigned long>(run),
               what, static_cast<unsigned long>(log.events()), ms);
}

}  // namespace

int RunOpenScenario(Arguments& arguments) {
  const Plan plan = ReadPlan(arguments);
  LongLog small(plan, "pawl-open-small", plan.events);
  LongLog large(plan, "pawl-open-large", plan.events_large);
  LongLog* const logs[2] = {&small, &large};
  std::vector<double> open_ms[2];
  for (std::uint64_t run = 1; run <= plan.runs; ++run) {
    // The order alternates: neither log always follows the other.
    for (std::size_t k = 0; k < 2; ++k) {
      const std::size_t which = (run + k) % 2;
      open_ms[which].push_back(logs[which]->Open());
      Say("open", run, *logs[which], open_ms[which].back());
    }
  }
  const std::uint64_t indexed[2] = {small.segments_indexed(), large.segments_indexed()};
  const double ratio = SpreadOf(open_ms[1]).median / SpreadOf(open_ms[0]).median;
  JsonWriter json;
  json.BeginObject();
  json.Text("scenario", "open");
  json.BeginObject("pawl");
  WriteLog(json, "small", small, open_ms[0]);
  WriteLog(json, "large", large, open_ms[1]);
  json.Number("open_ratio_large_to_small", ratio);
  json.EndObject();
  // Once is enough: it is made again while the log is open, and takes as long as the log is long.
  if (plan.has_scan) {
    json.BeginObject("rivals");
    json.BeginObject("scan");
    for (std::size_t which = 0; which < 2; ++which) {
      logs[which]->RemoveIndexes();
      const double scan_ms = logs[which]->Open();
      Say("scan", 1, *logs[which], scan_ms);
      json.Number(which == 0 ? "small_ms" : "large_ms", scan_ms);
    }
    json.EndObject();
    json.EndObject();
  }
  const bool is_verified = small.is_verified() && large.is_verified() && indexed[1] > indexed[0];
  json.Boolean("verified", is_verified);
  json.Integer("runs", plan.runs);
  WriteMachineFacts(json, {});
  json.EndObject();
  if (plan.is_json) {
    std::printf("%s\n", json.text().c_str());
  } else {
    std::printf("%11s events: open %8.1f ms\n%11s events: open %8.1f ms, %.2f x\n",
                std::to_string(small.events()).c_str(), SpreadOf(open_ms[0]).median,
                std::to_string(large.events()).c_str(), SpreadOf(open_ms[1]).median, ratio);
  }
  if (!is_verified) std::fprintf(stderr, "pawl_bench: NOT VERIFIED\n");
  return is_verified ? 0 : 1;
}

}  // namespace pawl::inline v0::bench
