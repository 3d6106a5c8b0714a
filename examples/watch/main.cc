// Shows a log while another process writes it: every record of a bank, a market or any other, as
// far as it survives a power cut. Ends with Ctrl-C, or with --once at the end of the log.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "../console/arguments.h"
#include "pawl/attached_log.h"

namespace {

using namespace std::chrono_literals;

// Names what it learns from the log itself: no type of the program that wrote it is known here.
class Printer {
 public:
  void operator()(const pawl::RecordView& record) {
    std::printf("%12llu  ", static_cast<unsigned long long>(record.position.value()));
    switch (record.header.kind) {
      case pawl::RecordKind::kEvent: PrintEvent(record); break;
      case pawl::RecordKind::kEpochBegan:
        std::printf("epoch %u began", Payload<pawl::EpochBegan>(record).epoch);
        break;
      case pawl::RecordKind::kTypeBound: LearnType(record); break;
      case pawl::RecordKind::kCategoryBound:
        categories_[record.header.type] = Text(record, 0, record.header.payload_bytes());
        std::printf("category %u is %s", record.header.type,
                    categories_[record.header.type].c_str());
        break;
      case pawl::RecordKind::kStreamBound: PrintStream(record); break;
      case pawl::RecordKind::kStreamClosed:
        std::printf("stream %u closed, after version %llu", record.header.stream,
                    static_cast<unsigned long long>(record.header.version()));
        break;
      case pawl::RecordKind::kAccepted: std::printf("accepted, without an event"); break;
      case pawl::RecordKind::kClockAdopted: std::printf("clock adopted"); break;
      case pawl::RecordKind::kSessionOpened:
      case pawl::RecordKind::kLaneOpened:
      case pawl::RecordKind::kSessionClosed: PrintSession(record); break;
      case pawl::RecordKind::kTimerSet:
      case pawl::RecordKind::kTimerFired:
      case pawl::RecordKind::kTimerCancelled: PrintTimer(record); break;
      default: std::printf("record of kind %u", static_cast<unsigned>(record.header.kind));
    }
    std::printf("\n");
  }

 private:
  template <class T>
  static T Payload(const pawl::RecordView& record) {
    T payload{};
    std::memcpy(&payload, record.payload(),
                std::min<std::size_t>(sizeof payload, record.header.payload_bytes()));
    return payload;
  }
  static std::string Text(const pawl::RecordView& record, std::size_t from, std::size_t bytes) {
    const std::size_t end = record.header.payload_bytes();
    from = std::min(from, end);
    return {reinterpret_cast<const char*>(record.payload()) + from, std::min(bytes, end - from)};
  }

  void LearnType(const pawl::RecordView& record) {
    const auto bound = Payload<pawl::TypeBound>(record);
    types_[record.header.type] = Text(record, sizeof bound, bound.name_bytes);
    std::printf("type %u is %s, version %u", record.header.type, types_[record.header.type].c_str(),
                bound.type_version);
  }
  void PrintStream(const pawl::RecordView& record) {
    const auto bound = Payload<pawl::StreamBound>(record);
    std::printf("stream %u is %s %016llx%016llx", record.header.stream,
                categories_[record.header.type].c_str(),
                static_cast<unsigned long long>(bound.key_high),
                static_cast<unsigned long long>(bound.key_low));
  }
  static void PrintSession(const pawl::RecordView& record) {
    const auto opened = Payload<pawl::SessionOpened>(record);
    std::printf("session %u", opened.session);
    if (record.header.kind == pawl::RecordKind::kSessionClosed) {
      std::printf(" closed");
      return;
    }
    const bool is_bulk = record.header.kind == pawl::RecordKind::kLaneOpened;
    std::printf(" is %s, %s lane opened, generation %u",
                Text(record, sizeof opened, opened.name_bytes).c_str(),
                is_bulk ? "bulk" : "control", opened.generation);
  }
  void PrintTimer(const pawl::RecordView& record) {
    std::printf("stream %u, timer %s %llu ", record.header.stream,
                types_[record.header.type].c_str(),
                static_cast<unsigned long long>(Payload<pawl::TimerSetPayload>(record).id));
    if (record.header.kind == pawl::RecordKind::kTimerSet) {
      std::printf("set, due at %llu ns",
                  static_cast<unsigned long long>(Payload<pawl::TimerSetPayload>(record).due_ns));
    } else if (record.header.kind == pawl::RecordKind::kTimerFired) {
      const auto fired = Payload<pawl::TimerFiredPayload>(record);
      std::printf("fired, %s", fired.outcome == 0 ? "accepted" : "not accepted");
    } else {
      std::printf("cancelled");
    }
  }
  void PrintEvent(const pawl::RecordView& record) {
    std::printf("stream %u, version %llu: %s", record.header.stream,
                static_cast<unsigned long long>(record.header.version()),
                types_[record.header.type].c_str());
    for (std::uint32_t i = 0; i < record.header.payload_bytes(); ++i) {
      std::printf("%s%02x", i % 8 == 0 ? " " : "", std::to_integer<unsigned>(record.payload()[i]));
    }
  }

  std::map<std::uint16_t, std::string> types_;
  std::map<std::uint16_t, std::string> categories_;
};

// clang-format off
// [readme]
// Every record that survives a power cut, as it comes, until something is wrong with the log.
absl::Status Watch(const pawl::AttachOptions& options, bool once, Printer& print) {
  auto log = pawl::AttachedLog::Attach(options);
  if (!log.ok()) return log.status();
  pawl::LogReader reader = (*log)->NewReader();             // Seek() to a checkpoint, if there is one
  for (;;) {
    while (const pawl::FrameHeader* frame = reader.NextFrame((*log)->durable())) {
      pawl::ForEachRecord(*frame, print);
    }
    if (!reader.status().ok()) return reader.status();      // DATA_LOSS, or ABORTED: see below
    auto more = (*log)->Wait(reader, pawl::LogMark::kDurable, 100ms);
    if (!more.ok()) return more.status();
    if (once && !*more) return absl::OkStatus();
  }
}
// [/readme]
// clang-format on

absl::Status Run(console::Arguments arguments) {
  const pawl::AttachOptions options{.directory = arguments.Text("--directory", ""),
                                    .hot_directory = arguments.Text("--hot-directory", ""),
                                    .name = "watch",
                                    .on_notice = [](std::string_view text) {
                                      std::fprintf(stderr, "watch: %.*s\n",
                                                   static_cast<int>(text.size()), text.data());
                                    }};
  const bool once = arguments.Flag("--once");
  if (const absl::Status good = arguments.Finish(); !good.ok()) return good;
  if (options.directory.empty()) {
    return absl::InvalidArgumentError("--directory LOG names the log; --once ends at its end");
  }
  Printer print;
  return Watch(options, once, print);
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status ended = Run(console::Arguments(argc, argv));
  if (ended.ok()) return 0;
  std::fprintf(stderr, "watch: %s\n", std::string(ended.message()).c_str());
  return absl::IsInvalidArgument(ended) ? 2 : 1;
}
