#include "flight_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <optional>

namespace pawl::inline v0 {

std::uint64_t ProgramOf(std::span<const AggregateTraits* const> aggregates) noexcept {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;  // FNV-1a
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100'0000'01B3; };
  const auto add_text = [&add](std::string_view text) {
    for (const char c : text) add(static_cast<std::uint8_t>(c));
    add(0);
  };
  for (const AggregateTraits* aggregate : aggregates) {
    add_text(aggregate->category);
    for (std::size_t i = 0; i < aggregate->commands.size(); ++i) {
      add_text(aggregate->commands[i]);
      for (int shift = 0; shift < 32; shift += 8) {
        add(static_cast<std::uint8_t>(aggregate->command_bytes[i] >> shift));
      }
    }
  }
  return hash;
}

// --- what the engine before left ---

namespace {

constexpr std::uint64_t kLanesMax = 8'192;
constexpr std::uint64_t kWindowMax = 65'536;
constexpr std::uint64_t kParcelBytesMax = std::uint64_t{1} << 31;

template <class T>
bool ReadInto(File& file, std::uint64_t offset, T& into) {
  return file.ReadAt(offset, std::as_writable_bytes(std::span<T, 1>(&into, 1))).ok();
}

// The header as bytes say it is, copied word by word: its atomics cannot be copied.
struct FlightWords {
  std::array<std::uint64_t, sizeof(FlightHeader) / 8> words;

  std::uint64_t At(std::size_t offset) const noexcept { return words[offset / 8]; }
  std::uint32_t Half(std::size_t offset) const noexcept {
    return static_cast<std::uint32_t>(At(offset) >> (offset % 8 * 8));
  }
  template <class Id>
  bool Has(std::size_t offset, const Id& id) const noexcept {
    return std::memcmp(&words[offset / 8], id.data(), id.size()) == 0;
  }
};

// A flight file as somebody left it. Every number of it is looked at before it is used.
class FoundFlight {
 public:
  FoundFlight(File& file, std::span<const AggregateTraits* const> aggregates)
      : file_(file), aggregates_(aggregates) {}

  FlightNote Read(const LogId& log_id, const BootId& boot_id) {
    FlightNote note;
    if (!ReadInto(file_, 0, header_) || !IsOurs(log_id, boot_id)) return note;
    note.epoch = header_.Half(offsetof(FlightHeader, epoch));
    note.survived = header_.At(offsetof(FlightHeader, survived));
    note.replaying = Position(header_.At(offsetof(FlightHeader, replaying)));
    note.firing = Position(header_.At(offsetof(FlightHeader, firing)));
    note.has_command = ReadCommand(note);
    return note;
  }

 private:
  bool IsOurs(const LogId& log_id, const BootId& boot_id) {
    parts_ = {.lanes = header_.Half(offsetof(FlightHeader, lanes)),
              .window = header_.Half(offsetof(FlightHeader, window)),
              .parcel_bytes = header_.Half(offsetof(FlightHeader, parcel_bytes))};
    const absl::StatusOr<std::uint64_t> size = file_.Size();
    return header_.At(offsetof(FlightHeader, magic)) == kFlightMagic &&
           header_.Half(offsetof(FlightHeader, version)) == kFlightVersion &&
           header_.Half(offsetof(FlightHeader, epoch)) != 0 &&
           header_.Has(offsetof(FlightHeader, log_id), log_id) &&
           header_.Has(offsetof(FlightHeader, boot_id), boot_id) && parts_.lanes <= kLanesMax &&
           parts_.window <= kWindowMax && parts_.parcel_bytes <= kParcelBytesMax && size.ok() &&
           *size == parts_.bytes() && header_.At(offsetof(FlightHeader, bytes)) == *size;
  }

  // Where in the file an address of that process is, if `bytes` bytes are there.
  std::optional<std::uint64_t> OffsetOf(std::uint64_t address, std::uint64_t bytes) const noexcept {
    const std::uint64_t base = header_.At(offsetof(FlightHeader, base));
    if (address < base || bytes > parts_.bytes() || address - base > parts_.bytes() - bytes) {
      return std::nullopt;
    }
    return address - base;
  }

  bool ReadCommand(FlightNote& note) {
    const std::uint64_t address = header_.At(offsetof(FlightHeader, deciding));
    // What a slot says it says to the program that wrote it.
    const bool is_ours = header_.At(offsetof(FlightHeader, program)) == ProgramOf(aggregates_);
    if (address == 0 || !is_ours) return false;
    const std::optional<std::uint64_t> at = OffsetOf(address, sizeof(CommandSlot));
    if (!at.has_value() || !ReadInto(file_, *at, note.slot) || !ReadSession(*at, note))
      return false;
    const CommandSlot& slot = note.slot;
    if (slot.key.is_zero() || slot.has_conditions() || slot.aggregate >= aggregates_.size() ||
        slot.type >= aggregates_[slot.aggregate]->command_bytes.size()) {
      return false;
    }
    return ReadBody(aggregates_[slot.aggregate]->command_bytes[slot.type], note);
  }

  bool ReadSession(std::uint64_t slot_at, FlightNote& note) {
    std::uint64_t sender = header_.At(offsetof(FlightHeader, plain_session));
    if (slot_at != offsetof(FlightHeader, plain)) {
      if (slot_at < parts_.slots_at()) return false;
      const std::uint64_t index = (slot_at - parts_.slots_at()) / sizeof(CommandSlot);
      const bool is_slot = (slot_at - parts_.slots_at()) % sizeof(CommandSlot) == 0;
      if (!is_slot || index >= parts_.lanes * parts_.window) return false;
      const std::uint64_t lane = index / parts_.window;
      if (!ReadInto(file_, parts_.sessions_at() + lane * sizeof(FlightWord), sender)) return false;
    }
    note.session = static_cast<std::uint32_t>(sender);
    note.generation = static_cast<std::uint32_t>(sender >> 32);
    return (note.session & ~kFlightBulkLane) != 0 ? note.generation != 0 : sender == 0;
  }

  bool ReadBody(std::uint32_t bytes, FlightNote& note) {
    note.body.resize(bytes);
    if (bytes <= kSlotCommandBytes) {
      std::memcpy(note.body.data(), note.slot.command.data(), bytes);
      return true;
    }
    const auto parcel = reinterpret_cast<std::uintptr_t>(note.slot.parcel());
    const std::optional<std::uint64_t> at = OffsetOf(parcel, bytes);
    return at.has_value() && file_.ReadAt(*at, note.body).ok();
  }

  File& file_;
  const std::span<const AggregateTraits* const> aggregates_;
  FlightWords header_{};
  FlightParts parts_{};
};

}  // namespace

FlightNote FlightFile::Read(Storage& storage, const std::string& directory, const LogId& log_id,
                            std::span<const AggregateTraits* const> aggregates) {
  // Without a boot id nothing of an earlier life is believed.
  const absl::StatusOr<BootId> boot_id = storage.ReadBootId();
  if (!boot_id.ok()) return {};
  const auto file = storage.Open(directory + "/" + kFlightName, FileMode::kRead);
  if (!file.ok()) return {};
  return FoundFlight(**file, aggregates).Read(log_id, *boot_id);
}

// --- of this engine ---

FlightFile::FlightFile(const Setup& setup)
    : storage_(setup.storage),
      path_(setup.directory + "/" + kFlightName),
      on_notice_(setup.on_notice),
      parts_(setup.parts) {
  const absl::StatusOr<BootId> boot_id =
      setup.is_wanted ? storage_->ReadBootId() : absl::StatusOr<BootId>(BootId{});
  if (setup.is_wanted && boot_id.ok()) {
    absl::StatusOr<std::shared_ptr<Mapping>> mapped = storage_->MapImage(path_, parts_.bytes());
    if (mapped.ok() && (*mapped)->size() >= parts_.bytes()) {
      mapping_ = *std::move(mapped);
    } else {
      Tell("inputs that end the process will not be found out: " +
           std::string(mapped.status().message()));
    }
  }
  if (mapping_ == nullptr) {
    // What is left under the name is of an engine that was accounted for.
    const absl::Status gone = storage_->Unlink(path_);
    if (!gone.ok() && !absl::IsNotFound(gone)) {
      Tell("an old flight file stays: " + std::string(gone.message()));
    }
    own_ = std::make_unique<FlightHeader>();
    header_ = own_.get();
    return;
  }
  header_ = ::new (static_cast<void*>(mapping_->data())) FlightHeader{};
  for (std::uint64_t lane = 0; lane < parts_.lanes; ++lane) {
    ::new (static_cast<void*>(mapping_->data() + parts_.sessions_at() + lane * sizeof(FlightWord)))
        FlightWord{0};
  }
  header_->version = kFlightVersion;
  header_->epoch = setup.epoch;
  header_->log_id = setup.log_id;
  header_->boot_id = *boot_id;
  header_->program = setup.program;
  header_->base = reinterpret_cast<std::uintptr_t>(mapping_->data());
  header_->bytes = parts_.bytes();
  header_->lanes = static_cast<std::uint32_t>(parts_.lanes);
  header_->window = static_cast<std::uint32_t>(parts_.window);
  header_->parcel_bytes = static_cast<std::uint32_t>(parts_.parcel_bytes);
  header_->magic = kFlightMagic;
}

FlightFile::~FlightFile() { Remove(); }

void FlightFile::SetSender(std::uint32_t lane, std::uint64_t sender) noexcept {
  if (mapping_ == nullptr) return;
  auto* const words = reinterpret_cast<FlightWord*>(mapping_->data() + parts_.sessions_at());
  // Relaxed: guards nothing.
  words[lane].store(sender, std::memory_order_relaxed);
}

CommandSlot* FlightFile::SlotsOf(std::uint32_t lane) const noexcept {
  if (mapping_ == nullptr) return nullptr;
  std::byte* const slots = mapping_->data() + parts_.slots_at();
  return reinterpret_cast<CommandSlot*>(slots + lane * parts_.window * sizeof(CommandSlot));
}

std::byte* FlightFile::ParcelsOf(std::uint32_t lane) const noexcept {
  if (mapping_ == nullptr) return nullptr;
  return mapping_->data() + parts_.parcels_at() + lane * parts_.parcel_bytes;
}

void FlightFile::Remove() {
  if (mapping_ == nullptr || is_removed_) return;
  is_removed_ = true;
  const absl::Status gone = storage_->Unlink(path_);
  if (!gone.ok() && !absl::IsNotFound(gone)) {
    Tell("the flight file of an engine that stopped stays: " + std::string(gone.message()));
  }
}

}  // namespace pawl::inline v0
