#include "type_catalog.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pawl::inline v0 {

namespace {

std::string_view TextAt(const RecordView& record, std::size_t offset, std::size_t bytes) {
  return {reinterpret_cast<const char*>(record.payload()) + offset, bytes};
}

absl::Status Damaged(const RecordView& record, const char* what) {
  return absl::DataLossError("position " + std::to_string(record.position.value()) + ": " + what);
}

// nullptr: the commit is full.
std::byte* Append(LogWriter& writer, RecordKind kind, std::uint16_t number, std::size_t bytes) {
  if (writer.commit_records() == 0) writer.BeginCommit();
  return writer.AppendRecord({.kind = kind, .type = number}, static_cast<std::uint32_t>(bytes));
}

absl::Status CommitFull(std::string_view name, const LogWriter& writer) {
  return absl::InvalidArgumentError("the names and layouts of what is new to the log, up to " +
                                    std::string(name) + ", take more than commit_bytes_max (" +
                                    std::to_string(writer.commit_bytes_max()) +
                                    "); raise it, or add fewer types at a time");
}

absl::Status NoNumberLeft(std::string_view name, std::size_t numbers_max, const char* what) {
  return absl::FailedPreconditionError("the log has " + std::to_string(numbers_max) + " " + what +
                                       ", and no number for one more, " + std::string(name) +
                                       "; begin a new log, or list fewer");
}

}  // namespace

absl::Status TypeCatalog::Read(const RecordView& record) {
  const std::uint16_t number = record.header.type;
  const std::uint32_t payload_bytes = record.header.payload_bytes();
  if (record.header.kind == RecordKind::kCategoryBound) {
    if (number != categories_.size() + 1) return Damaged(record, "category number out of order");
    const std::string_view name = TextAt(record, 0, payload_bytes);
    if (FindCategory(name) != 0) return Damaged(record, "category bound twice");
    categories_.emplace_back(name);
    return absl::OkStatus();
  }
  if (record.header.kind != RecordKind::kTypeBound) return absl::OkStatus();
  TypeBound bound;
  if (payload_bytes < sizeof bound) return Damaged(record, "type record too short");
  std::memcpy(&bound, record.payload(), sizeof bound);
  if (number != types_.size() + 1) return Damaged(record, "type number out of order");
  if (sizeof bound + bound.name_bytes + std::uint64_t{bound.layout_bytes} > payload_bytes) {
    return Damaged(record, "type record shorter than its texts");
  }
  const std::string_view name = TextAt(record, sizeof bound, bound.name_bytes);
  // Two numbers for one type: the second one's layout would never be compared with the program's.
  if (NumberOf(name, bound.type_version) != 0) return Damaged(record, "type bound twice");
  types_.push_back({.name = std::string(name),
                    .version = bound.type_version,
                    .layout_hash = bound.layout_hash,
                    .layout_text = std::string(
                        TextAt(record, sizeof bound + bound.name_bytes, bound.layout_bytes)),
                    .bytes = bound.event_bytes});
  return absl::OkStatus();
}

std::uint16_t TypeCatalog::NumberOf(std::string_view name, std::uint16_t version) const noexcept {
  const auto found = std::find_if(types_.begin(), types_.end(), [&](const Type& type) {
    return type.name == name && type.version == version;
  });
  return found == types_.end() ? std::uint16_t{0}
                               : static_cast<std::uint16_t>(found - types_.begin() + 1);
}

absl::StatusOr<std::uint16_t> TypeCatalog::Find(const EventDescriptor& event) const {
  const std::uint16_t number = NumberOf(event.name, event.version);
  if (number == 0) return number;
  const Type& type = types_[number - 1];
  // The texts too: a hash of 64 bits without a key is no proof.
  if (type.layout_hash == event.layout_hash && type.layout_text == event.layout_text) return number;
  return absl::FailedPreconditionError(
      "event " + type.name + " version " + std::to_string(type.version) +
      " has another layout than the log: log {" + type.layout_text + "}, program {" +
      std::string(event.layout_text) + "}; give the changed event a new version");
}

std::uint16_t TypeCatalog::FindCategory(std::string_view name) const noexcept {
  const auto found = std::find(categories_.begin(), categories_.end(), name);
  return found == categories_.end() ? std::uint16_t{0}
                                    : static_cast<std::uint16_t>(found - categories_.begin() + 1);
}

const TypeCatalog::Type* TypeCatalog::TypeOf(std::uint16_t number) const noexcept {
  return number == 0 || number > types_.size() ? nullptr : &types_[number - 1];
}

absl::Status TypeCatalog::Bind(std::span<StreamStore* const> stores, LogWriter& writer) {
  for (StreamStore* store : stores) {
    if (absl::Status bound = BindStore(*store, writer); !bound.ok()) {
      writer.AbandonCommit();
      return bound;
    }
  }
  if (writer.commit_records() != 0) {
    static_cast<void>(writer.EndCommit({.cause = CommitCause::kControl}));
  }
  return absl::OkStatus();
}

absl::Status TypeCatalog::BindStore(StreamStore& store, LogWriter& writer) {
  const std::string_view category = store.traits().category;
  store.category_number = FindCategory(category);
  if (store.category_number == 0 && categories_.size() == numbers_max_) {
    return NoNumberLeft(category, numbers_max_, "categories");
  }
  if (store.category_number == 0) store.category_number = AddCategory(category, writer);
  if (store.category_number == 0) return CommitFull(category, writer);
  store.type_numbers.clear();
  for (const EventTraits& event : store.traits().events) {
    absl::StatusOr<std::uint16_t> number = FindOrAdd(*event.descriptor, writer);
    if (!number.ok()) return number.status();
    store.type_numbers.push_back(*number);
  }
  store.timer_numbers.clear();
  for (const TimerTraits& timer : store.traits().timers) {
    absl::StatusOr<std::uint16_t> number = FindOrAdd(*timer.descriptor, writer);
    if (!number.ok()) return number.status();
    store.timer_numbers.push_back(*number);
  }
  // Nobody emits these: a log that does not know them never will.
  store.older_numbers.clear();
  for (const EventTraits& event : store.traits().older) {
    absl::StatusOr<std::uint16_t> number = Find(*event.descriptor);
    if (!number.ok()) return number.status();
    store.older_numbers.push_back(*number);
  }
  return absl::OkStatus();
}

std::uint16_t TypeCatalog::AddCategory(std::string_view name, LogWriter& writer) {
  const auto number = static_cast<std::uint16_t>(categories_.size() + 1);
  std::byte* room = Append(writer, RecordKind::kCategoryBound, number, name.size());
  if (room == nullptr) return 0;
  std::memcpy(room, name.data(), name.size());
  categories_.emplace_back(name);
  return number;
}

absl::StatusOr<std::uint16_t> TypeCatalog::FindOrAdd(const EventDescriptor& event,
                                                     LogWriter& writer) {
  absl::StatusOr<std::uint16_t> number = Find(event);
  if (!number.ok() || *number != 0) return number;
  if (types_.size() == numbers_max_) {
    return NoNumberLeft(event.name, numbers_max_, "types of events and timers");
  }
  number = AddType(event, writer);
  return *number != 0 ? number : CommitFull(event.name, writer);
}

std::uint16_t TypeCatalog::AddType(const EventDescriptor& event, LogWriter& writer) {
  const auto number = static_cast<std::uint16_t>(types_.size() + 1);
  const TypeBound bound{.layout_hash = event.layout_hash,
                        .event_bytes = event.bytes,
                        .type_version = event.version,
                        .name_bytes = static_cast<std::uint16_t>(event.name.size()),
                        .layout_bytes = static_cast<std::uint32_t>(event.layout_text.size()),
                        .reserved = 0};
  std::byte* room = Append(writer, RecordKind::kTypeBound, number,
                           sizeof bound + event.name.size() + event.layout_text.size());
  if (room == nullptr) return 0;
  std::memcpy(room, &bound, sizeof bound);
  std::memcpy(room + sizeof bound, event.name.data(), event.name.size());
  // An event without fields has no text, and memcpy takes no null.
  if (!event.layout_text.empty()) {
    std::memcpy(room + sizeof bound + event.name.size(), event.layout_text.data(),
                event.layout_text.size());
  }
  types_.push_back({.name = std::string(event.name),
                    .version = event.version,
                    .layout_hash = event.layout_hash,
                    .layout_text = std::string(event.layout_text),
                    .bytes = event.bytes});
  return number;
}

}  // namespace pawl::inline v0
