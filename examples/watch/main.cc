// Shows a log while another process writes it: every record of a bank, a market or any other, as
// far as it survives a power cut. Ends with Ctrl-C, or with --once at the end of the log.

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

// What the log says of its own types.
class Printer {
 public:
  void operator()(const pawl::RecordView& record) {
    const auto position = static_cast<unsigned long long>(record.position.value());
    if (record.header.kind == pawl::RecordKind::kTypeBound) Learn(record);
    if (record.header.kind != pawl::RecordKind::kEvent) {
      std::printf("%12llu  record of kind %u\n", position, unsigned{Code(record.header.kind)});
      return;
    }
    std::printf("%12llu  stream %u, version %llu: %s", position, record.header.stream,
                static_cast<unsigned long long>(record.header.version()),
                names_[record.header.type].c_str());
    for (std::uint32_t i = 0; i < record.header.payload_bytes(); ++i) {
      std::printf("%s%02x", i % 8 == 0 ? " " : "", std::to_integer<unsigned>(record.payload()[i]));
    }
    std::printf("\n");
  }

 private:
  static std::uint8_t Code(pawl::RecordKind kind) { return static_cast<std::uint8_t>(kind); }
  void Learn(const pawl::RecordView& record) {
    pawl::TypeBound bound;
    std::memcpy(&bound, record.payload(), sizeof bound);
    names_[record.header.type].assign(
        reinterpret_cast<const char*>(record.payload()) + sizeof bound, bound.name_bytes);
  }

  std::map<std::uint16_t, std::string> names_;
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
