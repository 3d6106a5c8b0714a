#include "durable_pawl.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "durable_floor.h"
#include "or_fail.h"
#include "pawl/log_reader.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::uint32_t kBatch = 256;
constexpr std::uint64_t kStreams = 1000;
constexpr std::uint64_t kLogBytesPerCommandMax = 112;  // The byte budget of the format, under load.
constexpr std::uint64_t kSegmentGrainBytes = std::uint64_t{16} << 20U;
constexpr std::uint64_t kWarmUp = 100;
constexpr std::chrono::milliseconds kWaitMax{1};  // The undurable bytes shrink without a ring.

// Command and event: 64 bytes that follow from the number.
struct Note {
  std::uint64_t number;
  std::array<std::uint64_t, 7> memo;
};
struct Noted {
  static constexpr EventType kType{"bench.noted", 1};
  std::uint64_t number;
  std::array<std::uint64_t, 7> memo;
};
static_assert(sizeof(Note) == 64 && sizeof(Noted) == 64);

Note NoteOf(std::uint64_t number) {
  Note note{.number = number, .memo = {}};
  note.memo.fill(number * 0x9e37'79b9'7f4a'7c15U);
  return note;
}
Key KeyOf(std::uint64_t number) { return Key(1 + number % kStreams); }

struct Notebook {
  using Commands = pawl::Commands<Note>;
  using Events = pawl::Events<Noted>;
  static constexpr std::string_view kCategory = "notebook";
  struct State {
    std::uint64_t notes = 0;
  };
  static Verdict Decide(const State&, const Note& command, Emit<Notebook>& emit) noexcept {
    emit(Noted{.number = command.number, .memo = command.memo});
    return Accept();
  }
  static void Evolve(State& state, const Noted&) noexcept { ++state.notes; }
};

void Tell(std::string_view notice) {
  std::fprintf(stderr, "pawl: %.*s\n", static_cast<int>(notice.size()), notice.data());
}

// An engine whose log holds the notes 1, 2, 3… in order.
class NoteLog {
 public:
  NoteLog(const DurableOptions& options, EngineOptions engine)
      : directory_(options.directory, "durable_pawl") {
    engine.directory = directory_.path();
    engine.loop_core = options.placement.loop_core;
    engine.disk_core = options.placement.producer_core;
    engine.streams_max = kStreams;
    engine.on_notice = Tell;
    engine_ = OrFail(Engine::Open(engine, Aggregates<Notebook>{}));
    while (!engine_->log().is_warm()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  Engine& engine() { return *engine_; }

  // Stops the engine, opens the log again and counts: true if it holds the notes 1…`count`, each
  // once, whole, in order.
  bool StopAndCount(std::uint64_t count) {
    OrFail(engine_->Stop());
    engine_ = nullptr;
    const auto log = OrFail(Log::Open({.directory = directory_.path(), .on_notice = Tell}));
    LogReader reader = log->NewReader();
    std::uint64_t found = 0;
    bool is_right = log->recovery().cut_bytes == 0;
    while (const FrameHeader* frame = reader.NextFrame(log->published())) {
      ForEachRecord(*frame, [&](const RecordView& record) {
        if (record.header.kind != RecordKind::kEvent) return;
        const Note expected = NoteOf(++found);
        is_right = is_right && std::memcmp(record.payload(), &expected, sizeof expected) == 0;
      });
    }
    OrFail(reader.status());
    OrFail(log->Close());
    return is_right && found == count;
  }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

EngineOptions LoadOptions(const DurableOptions& options) {
  EngineOptions engine;
  const std::uint64_t grains = 2 * options.commands * kLogBytesPerCommandMax / kSegmentGrainBytes;
  engine.segment_bytes =
      options.segment_bytes > 0 ? options.segment_bytes : (grains + 2) * kSegmentGrainBytes;
  engine.undurable_bytes_max = std::max(engine.segment_bytes, engine.undurable_bytes_max);
  engine.session_window = static_cast<std::uint32_t>(options.window);
  engine.idle = pawl::Idle::kYield;
  return engine;
}

class Load {
 public:
  explicit Load(const DurableOptions& options)
      : options_(options),
        log_(options, LoadOptions(options)),
        bare_(options),
        producer_(OrFail(log_.engine().NewProducer())) {}

  LoadResult Run(bool is_turned) {
    std::thread producer([&] {
      PinThisThread(options_.placement.producer_core);
      Send(Ack::kPublished, kWarmUp);
      for (std::uint64_t slice = 0; slice < options_.slices; ++slice) Slice(is_turned);
    });
    producer.join();
    LoadResult result = Result();
    producer_.reset();
    result.is_verified = log_.StopAndCount(number_) && accepted_ == number_ && bare_.is_verified();
    return result;
  }

 private:
  struct Phase {
    std::uint64_t commands = 0;
    double bytes = 0;
    double seconds = 0;
  };

  void Slice(bool is_turned) {
    const std::uint64_t commands = options_.commands / options_.slices;
    const std::uint64_t mib = std::max<std::uint64_t>(1, options_.synced_mib / options_.slices);
    const auto publish = [&] { Add(published_, Send(Ack::kPublished, commands)); };
    const auto make_durable = [&] { Add(durable_, Send(Ack::kDurable, commands)); };
    const auto write_bare = [&] {
      CatchUp();
      bare_seconds_ += bare_.Write(mib);
    };
    if (is_turned) {
      write_bare();
      make_durable();
      publish();
    } else {
      publish();
      make_durable();
      write_bare();
    }
  }

  static void Add(Phase& to, const Phase& more) {
    to.commands += more.commands;
    to.bytes += more.bytes;
    to.seconds += more.seconds;
  }

  LoadResult Result() {
    return {
        .published_commands_per_second =
            static_cast<double>(published_.commands) / published_.seconds,
        .durable_commands_per_second = static_cast<double>(durable_.commands) / durable_.seconds,
        .log_bytes_per_command = durable_.bytes / static_cast<double>(durable_.commands),
        .published_bytes_per_second = published_.bytes / published_.seconds,
        .durable_bytes_per_second = durable_.bytes / durable_.seconds,
        .synced_bytes_per_second = static_cast<double>(bare_.written_bytes()) / bare_seconds_,
        .is_direct = log_.engine().log().is_direct() && bare_.is_direct()};
  }

  void CatchUp() {
    const Log& log = log_.engine().log();
    while (log.durable() < log.published()) std::this_thread::yield();
  }

  // From the first command sent until the last answer.
  Phase Send(Ack ack, std::uint64_t commands) {
    CatchUp();
    const Log& log = log_.engine().log();
    const std::uint64_t begin_bytes = log.published().value();
    const std::int64_t begin_ns = SteadyNowNs();
    for (const std::uint64_t end = number_ + commands; number_ < end;) SendBatch(ack, end);
    while (producer_->in_flight() != 0) {
      if (Poll(ack) == 0) producer_->Wait(kWaitMax);
    }
    return {.commands = commands,
            .bytes = static_cast<double>(log.published().value() - begin_bytes),
            .seconds = static_cast<double>(SteadyNowNs() - begin_ns) / 1e9};
  }

  void SendBatch(Ack ack, std::uint64_t end) {
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(kBatch, end - number_));
    const auto fill = [this](std::uint32_t i, Key& key, Note& note) noexcept {
      note = NoteOf(number_ + i + 1);
      key = KeyOf(note.number);
    };
    const SentBatch sent = producer_->SubmitBatch<Notebook, Note>(count, fill, {.ack = ack});
    number_ += sent.count;
    const bool is_back_pressure = sent.fault == SendFault::kNone ||
                                  sent.fault == SendFault::kWindowFull ||
                                  sent.fault == SendFault::kUndurable;
    if (!is_back_pressure) Fail(std::string(Sent(sent.fault).reason()));
    if (Poll(ack) == 0 && sent.fault != SendFault::kNone) producer_->Wait(kWaitMax);
  }

  std::size_t Poll(Ack ack) {
    return producer_->PollRanges([this, ack](const CompletionRange& range) noexcept {
      const bool is_right = range.verdict().is_accepted() && range.receipt(0).level >= ack;
      accepted_ += is_right ? range.count() : 0;
    });
  }

  const DurableOptions& options_;
  NoteLog log_;
  SyncedWrites bare_;
  std::optional<Producer> producer_;  // Ends before the engine.
  // The producer's thread only, until it is joined.
  std::uint64_t number_ = 0;  // Of the last note sent.
  std::uint64_t accepted_ = 0;
  Phase published_;
  Phase durable_;
  double bare_seconds_ = 0;
};

Receipt ExecuteNext(Producer& producer, std::uint64_t number) {
  return OrFail(producer.Execute<Notebook>(KeyOf(number), NoteOf(number), {.ack = Ack::kDurable}));
}

// Sends notes at their times, and writes down how late their answers are. Sleeps in between: who
// spins, and be it with sched_yield, keeps the kernel's own threads from the disk's core.
class PacedSender {
 public:
  PacedSender(const DurableOptions& options, Producer& producer, Histogram& times)
      : producer_(producer), times_(times), gap_ns_(1'000'000'000 / double(options.rate)) {
    prctl(PR_SET_TIMERSLACK, 1);  // Of this thread: 50 µs otherwise, which is the gap.
  }
  PacedSender(const PacedSender&) = delete;
  PacedSender& operator=(const PacedSender&) = delete;
  ~PacedSender() { prctl(PR_SET_TIMERSLACK, 0); }

  // Returns how many of the notes behind `first` were accepted and durable.
  std::uint64_t Send(std::uint64_t first, std::uint64_t count) {
    first_sequence_ = producer_.last_sequence().value() + 1;
    begin_ns_ = SteadyNowNs() + 1'000'000;
    for (std::uint64_t i = 0; i < count; ++i) {
      for (std::int64_t left_ns = 0; (left_ns = IntendedNs(i) - SteadyNowNs()) > 0;) {
        PollOrWait(std::chrono::nanoseconds(left_ns));
      }
      const std::uint64_t number = first + i + 1;
      while (!Submit(number)) PollOrWait(kWaitMax);
    }
    while (producer_.in_flight() != 0) PollOrWait(kWaitMax);
    return accepted_;
  }

 private:
  std::int64_t IntendedNs(std::uint64_t i) const {
    return begin_ns_ + static_cast<std::int64_t>(static_cast<double>(i) * gap_ns_);
  }
  bool Submit(std::uint64_t number) {
    const Sent sent = producer_.Submit<Notebook>(KeyOf(number), NoteOf(number));
    if (!sent && sent.code() != absl::StatusCode::kResourceExhausted) {
      Fail(std::string(sent.reason()));
    }
    return static_cast<bool>(sent);
  }
  void PollOrWait(std::chrono::nanoseconds time) {
    const std::size_t count = producer_.Poll([this](const Completion& completion) noexcept {
      const bool is_right =
          completion.verdict.is_accepted() && completion.receipt.level == Ack::kDurable;
      accepted_ += is_right ? 1 : 0;
      times_.Record(SteadyNowNs() - IntendedNs(completion.sequence.value() - first_sequence_));
    });
    if (count == 0) producer_.Wait(time);
  }

  Producer& producer_;
  Histogram& times_;
  const double gap_ns_;
  std::uint64_t first_sequence_ = 0;
  std::int64_t begin_ns_ = 0;
  std::uint64_t accepted_ = 0;
};

}  // namespace

LoadResult RunLoad(const DurableOptions& options, bool is_turned) {
  return Load(options).Run(is_turned);
}

TimedResult RunIsolated(const DurableOptions& options, Threads threads) {
  PinThisThread(options.placement.producer_core);
  NoteLog log(options, {.threads = threads});
  TimedResult result{.times = {}, .is_direct = log.engine().log().is_direct()};
  std::uint64_t number = 0;
  {
    Producer producer = OrFail(log.engine().NewProducer());
    while (number < kWarmUp) ExecuteNext(producer, ++number);
    WakeSchedule schedule(options.seed, options.gaps);
    schedule.Begin();
    for (std::uint64_t i = 0; i < options.samples; ++i) {
      const std::int64_t intended_ns = schedule.Next();
      WakeSchedule::WaitFor(intended_ns, [] {});
      const Receipt receipt = ExecuteNext(producer, ++number);
      result.times.Record(SteadyNowNs() - intended_ns);
      if (receipt.level != Ack::kDurable) Fail("an answer below the level asked for");
    }
  }
  result.is_verified = log.StopAndCount(number);
  return result;
}

TimedResult RunPaced(const DurableOptions& options) {
  PinThisThread(options.placement.producer_core);
  NoteLog log(options, {});
  TimedResult result{.times = {}, .is_direct = log.engine().log().is_direct()};
  bool is_answered = false;
  {
    Producer producer = OrFail(log.engine().NewProducer());
    for (std::uint64_t number = 0; number < kWarmUp;) ExecuteNext(producer, ++number);
    PacedSender sender(options, producer, result.times);
    is_answered = sender.Send(kWarmUp, options.paced_commands) == options.paced_commands;
  }
  result.is_verified = log.StopAndCount(kWarmUp + options.paced_commands) && is_answered &&
                       result.times.count() == options.paced_commands;
  return result;
}

}  // namespace pawl::inline v0::bench
