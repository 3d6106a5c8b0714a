#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "pawl/format.h"
#include "pawl/log_reader.h"
#include "pawl/log_writer.h"
#include "pawl/position.h"

namespace pawl::inline v0::bench {

// A 64-byte event that says which one it is.
struct NumberedEvent {
  std::uint64_t number;
  std::array<std::uint64_t, 7> memo;

  static NumberedEvent At(std::uint64_t number) noexcept {
    NumberedEvent event{.number = number, .memo = {}};
    event.memo.fill(number * 31);
    return event;
  }
};
static_assert(sizeof(NumberedEvent) == 64);

// Stages event `number` of stream 1 as a commit of its own; false if it found no room.
inline bool StageCommit(LogWriter& writer, std::uint64_t number) noexcept {
  writer.BeginCommit();
  std::byte* const room = writer.AppendRecord({.type = 1, .stream = 1, .version = Version(number)},
                                              sizeof(NumberedEvent));
  if (room == nullptr) return false;
  const NumberedEvent event = NumberedEvent::At(number);
  std::memcpy(room, &event, sizeof event);
  writer.EndCommit({.session = 1, .sequence = Sequence(number)});
  return true;
}

// Sum of an event's words; what a reader that looks at every byte comes to.
inline std::uint64_t SumOf(const NumberedEvent& event) noexcept {
  std::uint64_t sum = event.number;
  for (const std::uint64_t word : event.memo) sum += word;
  return sum;
}

// Of the events 1…count.
constexpr std::uint64_t SumOfFirst(std::uint64_t count) noexcept {
  return count * (count + 1) / 2 * (1 + 7 * 31);
}

// What a walk through the log found.
struct EventTotals {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};

// Walks on to `limit`.
inline EventTotals TotalsUpTo(LogReader& reader, Address limit) noexcept {
  EventTotals totals;
  while (const FrameHeader* frame = reader.NextFrame(limit)) {
    ForEachRecord(*frame, [&totals](const RecordView& record) noexcept {
      if (record.header.kind != RecordKind::kEvent) return;
      ++totals.count;
      totals.sum += SumOf(*reinterpret_cast<const NumberedEvent*>(record.payload()));
    });
  }
  return totals;
}

}  // namespace pawl::inline v0::bench
