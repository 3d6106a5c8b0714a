// Opens whatever files a directory holds. What opens is judged, written to, ended and opened again.
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "fuzz_target.h"
#include "log_judge.h"

namespace pawl::inline v0 {

const std::uint32_t kTargetFiles = kAllFiles;

namespace {

// A manifest may ask for 4 GiB a segment, and Open() holds three: not here.
constexpr std::uint64_t kSegmentBytesHere = 4 * kSegmentBytes;

enum class Ending : std::uint8_t { kClose, kDeath, kPowerCut, kPowerCutMidway };

// The target's choices.
struct Choices {
  explicit Choices(std::uint8_t bits)
      : ending(static_cast<Ending>(bits & 3)),
        is_buffered((bits & 4) != 0),
        commits(bits >> 3 & 7),
        payload_bytes((bits & 0x40) != 0 ? 12'000 : 40),
        syncs_midway((bits & 0x80) != 0) {}

  Ending ending;
  bool is_buffered;
  std::uint32_t commits;
  std::uint32_t payload_bytes;
  bool syncs_midway;
};

LogOptions Options(SimStorage& machine) {
  LogOptions options;
  options.directory = kLogDirectory;
  options.hot_directory = kHotDirectory;
  options.segment_bytes = kSegmentBytes;
  options.undurable_bytes_max = 4 * kSegmentBytes;
  options.storage = &machine;
  return options;
}

bool IsTooLarge(const LogFiles& files) {
  const auto& manifest = files[kManifestFile];
  return manifest && manifest->size() == sizeof(Manifest) && FrameWalk::IsBlock(*manifest) &&
         LoadAt<Manifest>(*manifest, 0).segment_bytes > kSegmentBytesHere;
}

void SyncAll(Log& log) {
  while (log.durable() < log.published()) PAWL_CHECK(log.SyncWork() > 0);
}

void Append(Log& log, const Choices& choices) {
  LogWriter& writer = log.writer();
  for (std::uint32_t i = 0; i < choices.commits; ++i) {
    while (!writer.CanBeginCommit()) PAWL_CHECK(log.PrepareWork() > 0);
    writer.BeginCommit();
    std::byte* const payload = writer.AppendRecord({.stream = i}, choices.payload_bytes);
    PAWL_CHECK(payload != nullptr);
    std::memset(payload, static_cast<int>(i), choices.payload_bytes);
    writer.EndCommit({.sequence = Sequence(i)});
    writer.Publish();
    if (choices.syncs_midway) SyncAll(log);
  }
  SyncAll(log);
  PAWL_CHECK(log.health() == LogHealth::kOpen);
}

// A refusal says why, and leaves every byte where it was.
void CheckRefusal(const absl::Status& status, const LogFiles& files, SimStorage& machine) {
  PAWL_CHECK(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status));
  PAWL_CHECK(!status.message().empty());
  if (IsNoLog(files)) return;  // a new log was begun before images of another one were found
  PAWL_CHECK(HoldsFiles(files, machine));
}

// The machine that the log is opened on again.
std::unique_ptr<SimStorage> End(std::unique_ptr<SimStorage> machine, std::unique_ptr<Log> log,
                                Ending ending) {
  if (ending == Ending::kClose) PAWL_CHECK(log->Close().ok());
  const bool is_cut = ending == Ending::kPowerCut || ending == Ending::kPowerCutMidway;
  // Midway: the next segment is in the making.
  if (ending == Ending::kPowerCutMidway) log->PrepareWork();
  RandomCut choices(7, CutMode::kCoin);
  std::unique_ptr<SimStorage> next = is_cut ? machine->Cut(choices, 7) : std::move(machine);
  log.reset();
  return next;
}

// True if the log was opened.
bool Run(const LogFiles& files, const Choices& choices) {
  auto machine = std::make_unique<SimStorage>(MachineOptions(choices.is_buffered));
  PutFiles(files, *machine);
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(Options(*machine));
  if (!log.ok()) {
    CheckRefusal(log.status(), files, *machine);
    return false;
  }
  CheckRecovered(files, **log);
  Append(**log, choices);
  const std::vector<FrameWalk::Frame> given = ReadFrames(**log);
  // The files may claim the last epoch but one.
  const bool is_last_epoch = (*log)->epoch() == Epoch(std::numeric_limits<std::uint32_t>::max());

  // All of it was durable: it comes back whatever happens.
  const std::unique_ptr<SimStorage> next = End(std::move(machine), *std::move(log), choices.ending);
  const absl::StatusOr<std::unique_ptr<Log>> again = Log::Open(Options(*next));
  if (is_last_epoch) {
    PAWL_CHECK(absl::IsFailedPrecondition(again.status()));
    return true;
  }
  PAWL_CHECK(again.ok());
  const std::vector<FrameWalk::Frame> found = ReadFrames(**again);
  PAWL_CHECK(found.size() == given.size() + 1 &&
             std::equal(given.begin(), given.end(), found.begin()));
  const bool was_closed = choices.ending == Ending::kClose;
  PAWL_CHECK(((*again)->recovery().reason == EpochReason::kReopened) == was_closed);
  PAWL_CHECK((*again)->recovery().cut_bytes == 0);
  PAWL_CHECK(next->violations().empty());
  return true;
}

}  // namespace
}  // namespace pawl::inline v0

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const pawl::EditScript script = pawl::EditScript::Parse({data, size});
  const pawl::LogFiles files = script.Files(pawl::kTargetFiles);
  if (pawl::IsTooLarge(files)) return 0;
  const bool was_opened = pawl::Run(files, pawl::Choices(script.choices));
  PAWL_CHECK(was_opened || !script.edits.empty());  // the made logs are valid
  return 0;
}
