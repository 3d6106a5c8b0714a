#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/event.h"
#include "pawl/log_reader.h"
#include "pawl/log_writer.h"
#include "pawl/stream_store.h"

namespace pawl::inline v0 {

// The numbers by which a log names event types and categories, as its own records bind them.
//   threads   one at a time
class TypeCatalog {
 public:
  struct Type {
    std::string name;
    std::uint16_t version = 0;
    std::uint64_t layout_hash = 0;
    std::string layout_text;
    std::uint32_t bytes = 0;
  };

  // Numbers that a record has room for: of types, all versions and timers counted, and of
  // categories.
  static constexpr std::size_t kNumbersMax = 65'535;

  //   numbers_max   of each, at most kNumbersMax
  explicit TypeCatalog(std::size_t numbers_max) : numbers_max_(numbers_max) {}
  TypeCatalog() : TypeCatalog(kNumbersMax) {}

  // Takes a kTypeBound or kCategoryBound record in. Other kinds are ignored.
  //   errors    DATA_LOSS a record that is too short or out of order, or binds what is bound
  absl::Status Read(const RecordView& record);

  // Number of a type; 0: not bound. Refuses a type that is bound with another layout.
  //   errors    FAILED_PRECONDITION names both layouts
  absl::StatusOr<std::uint16_t> Find(const EventDescriptor& event) const;
  std::uint16_t FindCategory(std::string_view name) const noexcept;
  bool HasCategory(std::uint16_t number) const noexcept {
    return number >= 1 && number <= categories_.size();
  }
  const Type* TypeOf(std::uint16_t number) const noexcept;

  // Gives every type of an event or timer and every category of `stores` its number, appending
  // records to `writer` for the new ones as one commit, and stores the numbers there. Older
  // versions have a number only if the log knows them. Publishes nothing.
  //   errors    as Find(); INVALID_ARGUMENT a commit has no room for what is new;
  //             FAILED_PRECONDITION there is no number left for it
  absl::Status Bind(std::span<StreamStore* const> stores, LogWriter& writer);

 private:
  absl::Status BindStore(StreamStore& store, LogWriter& writer);
  absl::StatusOr<std::uint16_t> FindOrAdd(const EventDescriptor& event, LogWriter& writer);
  std::uint16_t NumberOf(std::string_view name, std::uint16_t version) const noexcept;
  // Both: 0: the commit is full.
  std::uint16_t AddType(const EventDescriptor& event, LogWriter& writer);
  std::uint16_t AddCategory(std::string_view name, LogWriter& writer);

  std::size_t numbers_max_;
  std::vector<Type> types_;              // by number − 1
  std::vector<std::string> categories_;  // by number − 1
};

}  // namespace pawl::inline v0
