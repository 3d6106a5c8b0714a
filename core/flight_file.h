#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flight_layout.h"
#include "pawl/command_slot.h"
#include "pawl/position.h"
#include "pawl/storage.h"
#include "pawl/stream_store.h"

namespace pawl::inline v0 {

inline constexpr const char* kFlightName = "flight";

// What an engine was at when its process ended, as far as its flight file tells.
struct FlightNote {
  std::uint32_t epoch = 0;
  std::uint64_t survived = 0;  // bit n: entry n of the list that it had
  Position replaying;          // 0: it evolved no event of the log
  Position firing;             // of the record that set the timer that it fired; 0: none
  bool has_command = false;    // it decided this one:
  std::uint32_t session = 0;   // lower half of FlightSender()
  std::uint32_t generation = 0;
  CommandSlot slot{};
  std::vector<std::byte> body{};  // the command's bytes
};

// The command types of a program, by name and size, as one number: a slot means what it says to the
// program that wrote it.
std::uint64_t ProgramOf(std::span<const AggregateTraits* const> aggregates) noexcept;

// The file `flight` beside the hot images: what the loop is at, in memory that outlives the
// process. Commands stand in it from Submit on, so that noting one costs a store of its address.
// Where the file cannot be had, or is not wanted, the notes go nowhere and the lanes have memory of
// their own.
//   threads   the constructor, Remove(): one at a time; notes: the loop's
//   lifetime  outlives the loop and the lanes
class FlightFile {
 public:
  struct Setup {
    Storage* storage;
    std::string directory;  // of the hot images
    bool is_wanted;
    std::function<void(std::string_view)> on_notice;
    LogId log_id;
    std::uint32_t epoch;
    std::uint64_t program;
    FlightParts parts;
  };

  explicit FlightFile(const Setup& setup);
  FlightFile(const FlightFile&) = delete;
  FlightFile& operator=(const FlightFile&) = delete;
  ~FlightFile();  // Remove()

  // What the engine before left. It is a hint: whatever the file holds, this says what is likely or
  // nothing.
  static FlightNote Read(Storage& storage, const std::string& directory, const LogId& log_id,
                         std::span<const AggregateTraits* const> aggregates);

  FlightWord& deciding() noexcept { return header_->deciding; }
  FlightWord& replaying() noexcept { return header_->replaying; }
  FlightWord& firing() noexcept { return header_->firing; }
  // Entry `index` of the list was decided, and the process lives.
  void NoteSurvived(std::size_t index) noexcept {
    // Relaxed, both: one writer, guards nothing.
    header_->survived.store(
        header_->survived.load(std::memory_order_relaxed) | std::uint64_t{1} << index,
        std::memory_order_relaxed);
  }
  // The lane is used by that sender, as FlightSender().
  void SetSender(std::uint32_t lane, std::uint64_t sender) noexcept;
  // Room for a command of that sender that stands in no lane.
  CommandSlot& PlainOf(std::uint64_t sender) noexcept {
    // Relaxed: guards nothing.
    header_->plain_session.store(sender, std::memory_order_relaxed);
    return header_->plain;
  }

  // Memory of a lane's rings; nullptr: it has its own.
  CommandSlot* SlotsOf(std::uint32_t lane) const noexcept;
  std::byte* ParcelsOf(std::uint32_t lane) const noexcept;
  // The file's, if there is one: what is read from it is worth nothing once it is damaged.
  const Mapping* mapping() const noexcept { return mapping_.get(); }

  // Takes the file's name away: the engine stopped.
  void Remove();

 private:
  void Tell(const std::string& text) const {
    if (on_notice_) on_notice_(text);
  }

  Storage* const storage_;
  const std::string path_;
  const std::function<void(std::string_view)> on_notice_;
  const FlightParts parts_;
  std::shared_ptr<Mapping> mapping_;  // nullptr: there is no file
  std::unique_ptr<FlightHeader> own_;
  FlightHeader* header_ = nullptr;
  bool is_removed_ = false;
};

}  // namespace pawl::inline v0
