#include "subject.h"

#include <cstring>
#include <map>
#include <span>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "life.h"
#include "pawl/crc32c.h"
#include "pawl/format.h"
#include "pawl/hot_marks.h"

namespace pawl::inline v0 {
namespace {

constexpr char kDirectory[] = "/disk/log";
constexpr char kMemory[] = "/dev/shm";
constexpr char kManifestFile[] = "manifest";
constexpr char kEvidenceFile[] = "evidence";
constexpr char kMarksFile[] = "marks";
// Segments 0 and 1 are sealed, 2 is the live one.
constexpr std::uint64_t kFirstLifeEnd = kSegmentBytesMin + kSegmentBytesMin / 2;
constexpr std::uint64_t kSecondLifeEnd = 2 * kSegmentBytesMin + kSegmentBytesMin / 2;
constexpr std::uint64_t kUndurable = kSegmentBytesMin / 4;
constexpr std::uint32_t kStepsMax = 100'000;

enum class End : std::uint8_t { kClosed, kCut, kKilled };

std::vector<std::string> Names(SimStorage& machine, const std::string& directory) {
  absl::StatusOr<std::vector<std::string>> names = machine.List(directory);
  PAWL_CHECK(names.ok());
  return *std::move(names);
}

FrameKept Kept(const SimOp& op) {
  FrameHeader header;
  std::memcpy(&header, op.head.data(), sizeof header);
  FrameKept kept;
  kept.seen = {.address = header.address,
               .length = header.length,
               .end_position = header.first_position + header.records - 1,
               .durable_address = header.durable_address,
               .digest = DigestOf(op.head)};
  kept.epoch = header.epoch;
  kept.is_seal = header.kind == FrameKind::kSeal;
  std::size_t size = op.head.size();
  while (size > 0 && op.head[size - 1] == std::byte{0}) --size;
  kept.last_byte = header.address + size;
  return kept;
}

// Runs the two lives of a subject, and watches them.
class Making {
 public:
  Making(std::uint64_t seed, End end) : seed_(seed), end_(end) {}

  Subject Run();

 private:
  void FirstLife();
  void SecondLife(Subject& subject);
  void Watch(const SimOp& op, Subject& subject);
  bool IsTheEnd(const SimOp& op) const;
  void WorkUpTo(std::uint64_t address);
  void TakeFiles(Subject& subject) const;
  void TakeFrames(Subject& subject) const;
  static void TakeSlots(Subject& subject);
  static void TakeMarks(Subject& subject);

  const std::uint64_t seed_;
  const End end_;
  std::unique_ptr<SimStorage> machine_;
  std::unique_ptr<Life> life_;
  std::map<std::uint64_t, FrameKept> frames_;  // newest of each address
  std::uint64_t last_address_ = 0;
  std::uint64_t written_ = 0;  // address up to which durable writes went
};

void Making::WorkUpTo(std::uint64_t address) {
  const Conduct conduct{.steps = 1, .commits_max = 6, .payload_max = 160};
  for (std::uint32_t step = 0; step < kStepsMax && last_address_ < address; ++step) {
    PAWL_CHECK(life_->Work(conduct).is_good());
  }
  PAWL_CHECK(last_address_ >= address);
}

void Making::FirstLife() {
  SimOptions options;
  options.seed = seed_;
  machine_ = std::make_unique<SimStorage>(options);
  Life::Prepare(*machine_);
  life_ = std::make_unique<Life>(machine_.get(), LogHistory{}, seed_ + 1);
  machine_->set_observer([&](const SimOp& op) {
    life_->Watch(op);
    if (op.kind != SimOpKind::kStoreFrame) return;
    const FrameKept kept = Kept(op);
    last_address_ = kept.seen.address;
    frames_[last_address_] = kept;
  });
  PAWL_CHECK(life_->Begin(0).is_good());
  WorkUpTo(kFirstLifeEnd);
  machine_->set_observer({});
  RandomCut choices(seed_, CutMode::kCoin);
  std::unique_ptr<SimStorage> next = machine_->Cut(choices, seed_ + 2);
  LogHistory history = life_->Now();
  history.owed.published = history.owed.durable;
  life_ = nullptr;
  machine_ = std::move(next);
  life_ = std::make_unique<Life>(machine_.get(), std::move(history), seed_ + 3);
}

// The operation in which the power goes, or the process dies.
bool Making::IsTheEnd(const SimOp& op) const {
  if (last_address_ < kSecondLifeEnd) return false;
  if (end_ == End::kCut) {
    return op.kind == SimOpKind::kWriteDurable && absl::EndsWith(op.path, ".seg") &&
           op.head.size() + op.tail.size() >= 2 * kBlockBytes;
  }
  return end_ == End::kKilled && op.kind == SimOpKind::kStoreFrame &&
         last_address_ > written_ + kUndurable;
}

void Making::Watch(const SimOp& op, Subject& subject) {
  if (subject.machine != nullptr) return;
  life_->Watch(op);
  if (op.kind == SimOpKind::kStoreFrame) {
    const FrameKept kept = Kept(op);
    last_address_ = kept.seen.address;
    frames_[last_address_] = kept;
  }
  if (op.kind == SimOpKind::kWriteDurable && absl::EndsWith(op.path, ".seg")) {
    written_ = last_address_;
  }
  if (!IsTheEnd(op)) return;
  RandomCut choices(seed_ + 4, end_ == End::kCut ? CutMode::kCoin : CutMode::kAll);
  subject.machine =
      end_ == End::kCut ? machine_->Cut(choices, seed_ + 5) : machine_->Kill(choices, seed_ + 5);
  subject.history = life_->Now();
  subject.owed = end_ == End::kCut ? subject.history.owed.durable : subject.history.owed.published;
}

void Making::SecondLife(Subject& subject) {
  machine_->set_observer([&](const SimOp& op) { Watch(op, subject); });
  PAWL_CHECK(life_->Begin(0).is_good());
  WorkUpTo(kSecondLifeEnd);
  if (end_ == End::kClosed) {
    PAWL_CHECK(life_->Work({.closes = true}).is_good());
    machine_->set_observer({});
    subject.history = life_->Now();
    subject.owed = subject.history.owed.durable;
    RandomCut choices(seed_ + 4, CutMode::kAll);
    subject.machine = machine_->Cut(choices, seed_ + 5);
    return;
  }
  // Many small steps: the process shall die far ahead of its disk.
  const Conduct conduct{.steps = 1, .commits_max = 40, .payload_max = 160};
  for (std::uint32_t step = 0; step < kStepsMax && subject.machine == nullptr; ++step) {
    PAWL_CHECK(life_->Work(conduct).is_good());
  }
  machine_->set_observer({});
  PAWL_CHECK(subject.machine != nullptr);
}

void Making::TakeFiles(Subject& subject) const {
  for (const std::string& name : Names(*subject.machine, kDirectory)) {
    FileKept file{.path = absl::StrCat(kDirectory, "/", name), .bytes = {}};
    if (name == kManifestFile) file.kind = FileKind::kManifest;
    if (name == kEvidenceFile) file.kind = FileKind::kEvidence;
    if (absl::EndsWith(name, ".seg")) {
      file.kind = FileKind::kSegment;
      file.index = std::stoull(name);
    }
    subject.files.push_back(std::move(file));
  }
  subject.has_marks = end_ == End::kKilled;
  for (const std::string& directory : Names(*subject.machine, kMemory)) {
    if (!subject.has_marks) break;
    const std::string path = absl::StrCat(kMemory, "/", directory);
    for (const std::string& name : Names(*subject.machine, path)) {
      FileKept file{.path = absl::StrCat(path, "/", name), .bytes = {}};
      const bool is_image = absl::EndsWith(name, ".img");
      if (!is_image && name != kMarksFile) continue;
      file.kind = is_image ? FileKind::kImage : FileKind::kMarks;
      if (is_image) file.index = std::stoull(name);
      subject.files.push_back(std::move(file));
    }
  }
  for (FileKept& file : subject.files) file.bytes = subject.machine->Bytes(file.path);
}

// Of all that was ever stored, the frames that are whole where they belong.
void Making::TakeFrames(Subject& subject) const {
  const auto is_in = [&](const FrameKept& frame, FileKind kind) {
    for (const FileKept& file : subject.files) {
      if (file.kind != kind || file.index != frame.seen.address / kSegmentBytesMin) continue;
      const std::uint64_t offset = frame.seen.address % kSegmentBytesMin;
      if (offset + frame.seen.length > file.bytes.size()) return false;
      return DigestOf(std::span(file.bytes).subspan(offset, frame.seen.length)) ==
             frame.seen.digest;
    }
    return false;
  };
  for (const auto& [address, frame] : frames_) {
    FrameKept kept = frame;
    kept.is_in_file = is_in(frame, FileKind::kSegment);
    kept.is_in_image = is_in(frame, FileKind::kImage);
    if (kept.is_in_file || kept.is_in_image) subject.frames.push_back(kept);
  }
  subject.history.frames.clear();
  for (const FrameKept& frame : subject.frames) subject.history.frames.push_back(frame.seen);
  subject.durable_records = subject.history.owed.durable;
  // Every end of a frame is a place where the log may end; nothing else is.
  subject.history.owed = {};
  subject.history.unseen_epochs = 0;
}

void Making::TakeSlots(Subject& subject) {
  for (const FileKept& file : subject.files) {
    if (file.kind != FileKind::kEvidence) continue;
    for (std::size_t i = 0; i < subject.slots.size(); ++i) {
      EvidenceSlot slot;
      std::memcpy(&slot, file.bytes.data() + i * sizeof slot, sizeof slot);
      subject.slots[i] = {
          .is_valid = slot.magic == kEvidenceMagic &&
                      slot.checksum == Crc32c(0, &slot, offsetof(EvidenceSlot, checksum)),
          .round = slot.round,
          .durable_address = slot.durable_address};
    }
  }
}

void Making::TakeMarks(Subject& subject) {
  for (const FileKept& file : subject.files) {
    if (file.kind != FileKind::kMarks) continue;
    std::memcpy(&subject.published, file.bytes.data() + offsetof(HotMarks, published), 8);
    std::memcpy(&subject.durable, file.bytes.data() + offsetof(HotMarks, durable), 8);
  }
}

Subject Making::Run() {
  Subject subject;
  FirstLife();
  SecondLife(subject);
  life_ = nullptr;
  TakeFiles(subject);
  TakeFrames(subject);
  TakeSlots(subject);
  TakeMarks(subject);
  return subject;
}

}  // namespace

std::vector<Subject> MakeSubjects(std::uint64_t seed) {
  std::vector<Subject> subjects;
  for (const auto& [end, name] : {std::pair{End::kClosed, "closed"}, std::pair{End::kCut, "cut"},
                                  std::pair{End::kKilled, "killed"}}) {
    const std::uint64_t own = SimRandom::For(seed, static_cast<std::uint64_t>(end), 0).Next();
    subjects.push_back(Making(own, end).Run());
    subjects.back().name = name;
  }
  return subjects;
}

}  // namespace pawl::inline v0
