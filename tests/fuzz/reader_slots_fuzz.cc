// Whatever reader processes write into their slots: who lists them shows it harmlessly, the log's
// marks are left alone, and a reader that comes takes a slot or says why not.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "fuzz_target.h"
#include "log_files.h"
#include "reader_slots.h"

namespace pawl::inline v0 {

// The input is the file `readers` itself, not an edit of a log; the mutator wants one all the same.
const std::uint32_t kTargetFiles = 1U << kManifestFile;

namespace {

constexpr std::uint32_t kReadersMax = 40;  // two blocks of slots

// Few slots mostly: for each that is not free somebody looks into /proc.
std::size_t BytesOf(std::span<const std::uint8_t> input) {
  if (input.size() < 2 || input[1] % 16 == 15) return ReaderBoard::BytesFor(kReadersMax);
  return kBlockBytes + (1 + input[0] / 2 % 4) * sizeof(ReaderSlot);
}

class SlotsFile final : public Mapping {
 public:
  static std::shared_ptr<Mapping> New(std::size_t bytes) {
    return std::make_shared<SlotsFile>(
        static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kBlockBytes})), bytes);
  }
  SlotsFile(std::byte* data, std::size_t size) noexcept : Mapping(data, size) {
    std::memset(data, 0, size);
  }
  ~SlotsFile() override { ::operator delete (data(), std::align_val_t{kBlockBytes}); }
};

// The input over and over, from the header on or behind it.
void Fill(Mapping& file, std::span<const std::uint8_t> input) {
  if (input.size() < 2) return;
  const std::size_t from = input[0] % 2 == 0 ? 0 : kBlockBytes;
  const std::span<const std::uint8_t> bytes = input.subspan(1);
  for (std::size_t at = from; at < file.size(); at += bytes.size()) {
    std::memcpy(file.data() + at, bytes.data(), std::min(bytes.size(), file.size() - at));
  }
}

void Run(std::span<const std::uint8_t> input) {
  HotMarks marks{};
  marks.published.store(5, std::memory_order_relaxed);  // Relaxed, all: one thread
  const LogId id{1};
  const std::shared_ptr<Mapping> file = SlotsFile::New(BytesOf(input));
  ReaderBoard board(file, &marks, id, Epoch(3));
  Fill(*file, input);

  const std::vector<ReaderProcess> listed = board.List();
  PAWL_CHECK(listed.size() <= (file->size() - kBlockBytes) / sizeof(ReaderSlot));
  for (const ReaderProcess& each : listed) {
    PAWL_CHECK(each.pid != 0 || !each.is_alive);
    PAWL_CHECK(each.name.size() <= kReaderNameBytes);
    PAWL_CHECK(std::all_of(each.name.begin(), each.name.end(),
                           [](char c) { return c >= ' ' && c <= '~'; }));
  }
  board.WakeForPublished(1'000'000);
  board.WakeForDurable();

  const absl::StatusOr<std::unique_ptr<ReaderSeat>> seat = ReaderSeat::Take(file, id, "fuzzer");
  if (!seat.ok()) {
    PAWL_CHECK(!seat.status().message().empty());
  } else {
    (*seat)->Tell(Address(7), Position(7));
    (*seat)->BeginWait(true);
    (*seat)->EndWait();
    PAWL_CHECK(!board.List().empty());
  }
  // Relaxed: one thread.
  PAWL_CHECK(marks.published.load(std::memory_order_relaxed) == 5);
}

}  // namespace
}  // namespace pawl::inline v0

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pawl::Run({data, size});
  return 0;
}
