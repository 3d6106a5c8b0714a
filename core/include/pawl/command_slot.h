#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "pawl/key.h"
#include "pawl/position.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

// Bytes of a command that fit a slot of its lane's ring.
inline constexpr std::size_t kCommandBytesMax = 64;

// A command on its way to the loop, in the ring of its producer's lane.
struct CommandSlot {
  Key key;
  Sequence sequence;
  std::uint16_t aggregate = 0;  // index of the store
  std::uint16_t type = 0;       // index in the aggregate's Commands
  Ack ack = Ack::kDurable;
  std::array<std::uint8_t, 3> reserved{};
  alignas(8) std::array<std::byte, kCommandBytesMax> command;
};
static_assert(sizeof(CommandSlot) == 32 + kCommandBytesMax);

}  // namespace pawl::inline v0
