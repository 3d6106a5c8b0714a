#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "pawl/condition.h"
#include "pawl/key.h"
#include "pawl/position.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

// Bytes of a command that fit a slot of its lane's ring. A larger one is a parcel: it stands in the
// producer's parcel ring, and the slot says where.
inline constexpr std::size_t kSlotCommandBytes = 64;

// In place of a store's index: the engine was opened without the aggregate.
inline constexpr std::uint16_t kNoStore = 0xFFFF;

// A command on its way to the loop, in the ring of its producer's lane.
struct CommandSlot {
  // Of `type`: the command is a ConditionsParcel, however small it is.
  static constexpr std::uint32_t kHasConditions = std::uint32_t{1} << 31;

  Key key;
  Sequence sequence;
  Condition condition;          // on the addressed stream
  std::uint32_t type = 0;       // index in the aggregate's Commands; kHasConditions
  std::uint16_t aggregate = 0;  // index of the store
  Ack ack = Ack::kDurable;
  std::uint8_t reserved = 0;
  alignas(8) std::array<std::byte, kSlotCommandBytes> command;  // or a parcel's address

  // In the aggregate's Commands.
  std::uint16_t command_index() const noexcept {
    return static_cast<std::uint16_t>(type & ~kHasConditions);
  }
  bool has_conditions() const noexcept { return (type & kHasConditions) != 0; }
  void SetParcel(const std::byte* parcel) noexcept {
    std::memcpy(command.data(), &parcel, sizeof parcel);
  }
  const std::byte* parcel() const noexcept {
    const std::byte* parcel;
    std::memcpy(&parcel, command.data(), sizeof parcel);
    return parcel;
  }
};
static_assert(sizeof(CommandSlot) == 40 + kSlotCommandBytes);

template <class C>
inline constexpr bool kFitsSlot = sizeof(C) <= kSlotCommandBytes;

// The command in a slot without conditions on other streams.
template <class C>
const C& CommandIn(const CommandSlot& slot) noexcept {
  const std::byte* at = slot.command.data();
  if constexpr (!kFitsSlot<C>) at = slot.parcel();
  return *reinterpret_cast<const C*>(at);
}

// What a command with conditions on other streams or an idempotency key is sent as: this, the
// conditions, the command.
struct ConditionsParcel {
  struct OnStream {
    Key key;
    Condition condition;
    std::uint64_t aggregate;  // index of the store
  };

  Key idempotency_key;      // 0: none
  std::uint64_t body_hash;  // with a key: of what the command is
  std::uint32_t conditions;
  std::uint32_t command_bytes;

  static constexpr std::size_t Bytes(std::size_t conditions, std::size_t command_bytes) noexcept {
    return sizeof(ConditionsParcel) + conditions * sizeof(OnStream) + command_bytes;
  }
  std::span<const OnStream> on_streams() const noexcept {
    return {reinterpret_cast<const OnStream*>(this + 1), conditions};
  }
  // Of a slot that has_conditions().
  static const ConditionsParcel& In(const CommandSlot& slot) noexcept {
    return *reinterpret_cast<const ConditionsParcel*>(slot.parcel());
  }
  const std::byte* command() const noexcept {
    return reinterpret_cast<const std::byte*>(on_streams().data() + conditions);
  }
};
static_assert(sizeof(ConditionsParcel) == 32 && sizeof(ConditionsParcel::OnStream) == 32);

// The slot of the command in a conditions parcel, as if it had been sent without them.
inline CommandSlot WithoutConditions(const CommandSlot& slot) noexcept {
  const ConditionsParcel& parcel = ConditionsParcel::In(slot);
  CommandSlot plain = slot;
  plain.type &= ~CommandSlot::kHasConditions;
  if (parcel.command_bytes > kSlotCommandBytes) {
    plain.SetParcel(parcel.command());
  } else {
    std::memcpy(plain.command.data(), parcel.command(), parcel.command_bytes);
  }
  return plain;
}

}  // namespace pawl::inline v0
