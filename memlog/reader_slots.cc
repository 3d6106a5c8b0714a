#include "reader_slots.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "pawl/check.h"
#include "pawl/parking.h"
#include "process_identity.h"
#include "shared_futex.h"

namespace pawl::inline v0 {
namespace {

ReadersHeader* HeaderIn(const Mapping& file) noexcept {
  return reinterpret_cast<ReadersHeader*>(file.data());
}

ReaderSlot* SlotsIn(const Mapping& file) noexcept {
  return reinterpret_cast<ReaderSlot*>(file.data() + kBlockBytes);
}

// What can be shown on a terminal, whatever the bytes are.
std::string Shown(const ReaderSlot& slot) {
  std::string name(kReaderNameBytes, '\0');
  for (std::size_t word = 0; word < slot.name.size(); ++word) {
    // Relaxed, here and below: hints of another process, shown as they are.
    const std::uint64_t bytes = slot.name[word].load(std::memory_order_relaxed);
    std::memcpy(name.data() + word * 8, &bytes, 8);
  }
  name.resize(name.find('\0') == std::string::npos ? name.size() : name.find('\0'));
  for (char& c : name) {
    if (c < ' ' || c > '~') c = '?';
  }
  return name;
}

void SetName(ReaderSlot& slot, std::string_view name) noexcept {
  char bytes[kReaderNameBytes] = {};
  std::memcpy(bytes, name.data(), std::min(name.size(), sizeof bytes));
  for (std::size_t word = 0; word < slot.name.size(); ++word) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes + word * 8, 8);
    // Relaxed: a hint.
    slot.name[word].store(value, std::memory_order_relaxed);
  }
}

}  // namespace

std::uint64_t ReaderBoard::BytesFor(std::uint32_t readers_max) noexcept {
  const std::uint64_t slots = std::uint64_t{readers_max} * sizeof(ReaderSlot);
  return kBlockBytes + (slots + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

ReaderBoard::ReaderBoard(HotMarks* marks) : marks_(marks) {}

ReaderBoard::ReaderBoard(std::shared_ptr<Mapping> file, HotMarks* marks, const LogId& log_id,
                         Epoch epoch)
    : file_(std::move(file)), marks_(marks) {
  PAWL_CHECK(file_->size() > kBlockBytes);
  slots_count_ = static_cast<std::uint32_t>((file_->size() - kBlockBytes) / sizeof(ReaderSlot));
  header_ = new (file_->data()) ReadersHeader{};
  header_->format_version = kFormatVersion;
  header_->slots = slots_count_;
  header_->log_id = log_id;
  header_->epoch = epoch.value();
  slots_ = SlotsIn(*file_);
  // Release: the rest before the word that makes the file believed. Pairs with the acquire in
  // ReaderSeat::Take().
  std::atomic_ref<std::uint64_t>(header_->magic).store(kReadersMagic, std::memory_order_release);
}

// Cleared before the wake: who sets it again behind this has seen the mark that moved before, or is
// woken, because the kernel looks at the mark once more before it lets anybody sleep.
void ReaderBoard::WakePublished(std::uint64_t now_ns) noexcept {
  if (now_ns < woken_at_ns_ + kWakeEveryNs) return;
  woken_at_ns_ = now_ns;
  // Relaxed: a hint.
  header_->is_published_awaited.store(0, std::memory_order_relaxed);
  WakeWaitersOf(marks_->published);
}

void ReaderBoard::WakeForDurable() noexcept {
  // Relaxed, all four: hints.
  if (header_->is_published_awaited.load(std::memory_order_relaxed) != 0) {
    header_->is_published_awaited.store(0, std::memory_order_relaxed);
    WakeWaitersOf(marks_->published);
  }
  if (header_->is_durable_awaited.load(std::memory_order_relaxed) != 0) {
    header_->is_durable_awaited.store(0, std::memory_order_relaxed);
    WakeWaitersOf(marks_->durable);
  }
}

std::vector<ReaderProcess> ReaderBoard::List() const {
  std::vector<ReaderProcess> found;
  const auto now = static_cast<std::uint64_t>(KernelParking::NowNs());
  for (std::uint32_t i = 0; i < slots_count_; ++i) {
    const ReaderSlot& slot = slots_[i];
    // Relaxed, all: hints of another process, perhaps of two moments.
    const std::uint64_t owner = slot.owner.load(std::memory_order_relaxed);
    if (owner == 0) continue;
    const std::uint64_t heartbeat = slot.heartbeat_ns.load(std::memory_order_relaxed);
    found.push_back({.pid = PidOf(owner),
                     .name = Shown(slot),
                     // Relaxed, all: as above.
                     .position = Position(slot.position.load(std::memory_order_relaxed)),
                     .address = Address(slot.address.load(std::memory_order_relaxed)),
                     .silent_ns = now > heartbeat ? now - heartbeat : 0,
                     .is_waiting = slot.is_waiting.load(std::memory_order_relaxed) != 0,
                     .is_alive = IsAlive(owner)});
  }
  return found;
}

absl::StatusOr<std::unique_ptr<ReaderSeat>> ReaderSeat::Take(std::shared_ptr<Mapping> file,
                                                             const LogId& log_id,
                                                             std::string_view name) {
  if (file->size() <= kBlockBytes) return absl::FailedPreconditionError("no slots in it");
  ReadersHeader& header = *HeaderIn(*file);
  // Acquire: the rest of the header. Pairs with the release of the engine that made it.
  const std::uint64_t magic =
      std::atomic_ref<std::uint64_t>(header.magic).load(std::memory_order_acquire);
  if (magic != kReadersMagic || header.format_version != kFormatVersion ||
      header.log_id != log_id) {
    return absl::FailedPreconditionError("it is not of this log");
  }
  const std::uint64_t count = (file->size() - kBlockBytes) / sizeof(ReaderSlot);
  const std::uint64_t self = ThisProcess();
  for (std::uint64_t i = 0; i < count; ++i) {
    ReaderSlot& slot = SlotsIn(*file)[i];
    // Relaxed: the exchange below decides.
    std::uint64_t owner = slot.owner.load(std::memory_order_relaxed);
    if (owner != 0 && IsAlive(owner)) continue;
    // Relaxed, both ways: the slot's words are hints and are written anew by the winner.
    if (!slot.owner.compare_exchange_strong(owner, self, std::memory_order_relaxed)) continue;
    SetName(slot, name);
    return std::unique_ptr<ReaderSeat>(new ReaderSeat(std::move(file), &slot));
  }
  return absl::ResourceExhaustedError("all " + std::to_string(count) +
                                      " slots are taken: raise readers_max of the engine");
}

ReaderSeat::ReaderSeat(std::shared_ptr<Mapping> file, ReaderSlot* slot)
    : file_(std::move(file)), header_(HeaderIn(*file_)), slot_(slot) {
  Tell(Address(), Position());
  EndWait();
}

// Relaxed, all below: hints for who lists the readers. A seat that another process took, because
// it could not see this one, is left to it.
ReaderSeat::~ReaderSeat() {
  std::uint64_t self = ThisProcess();
  slot_->owner.compare_exchange_strong(self, 0, std::memory_order_relaxed);
}

void ReaderSeat::Tell(Address address, Position position) noexcept {
  // Relaxed, all: hints for who lists the readers.
  slot_->address.store(address.value(), std::memory_order_relaxed);
  slot_->position.store(position.value(), std::memory_order_relaxed);
  slot_->heartbeat_ns.store(static_cast<std::uint64_t>(KernelParking::NowNs()),
                            std::memory_order_relaxed);
}

void ReaderSeat::BeginWait(bool for_durable) noexcept {
  // Relaxed: a hint.
  slot_->is_waiting.store(1, std::memory_order_relaxed);
  std::atomic<std::uint32_t>& flag =
      for_durable ? header_->is_durable_awaited : header_->is_published_awaited;
  // Relaxed: a hint that comes too late costs one time-out. The system call that sleeps behind it
  // looks at the mark again.
  flag.store(1, std::memory_order_relaxed);
}

void ReaderSeat::EndWait() noexcept {
  // Relaxed: a hint.
  slot_->is_waiting.store(0, std::memory_order_relaxed);
}

}  // namespace pawl::inline v0
