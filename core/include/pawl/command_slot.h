#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "pawl/aggregate.h"
#include "pawl/key.h"
#include "pawl/position.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

using DecideFunction = Verdict (*)(CommitBuilder& builder, const std::byte* command) noexcept;

// A command on its way to the loop: two cache lines, copied as a whole.
struct CommandSlot {
  Key key;
  Sequence sequence;
  DecideFunction decide = nullptr;
  std::uint16_t producer = 0;   // index of the lane
  std::uint16_t aggregate = 0;  // index of the store
  Ack ack = Ack::kDurable;
  std::array<std::uint8_t, 3> reserved{};
  alignas(8) std::array<std::byte, kCommandBytesMax> command;
};
static_assert(sizeof(CommandSlot) == 128);

}  // namespace pawl::inline v0
