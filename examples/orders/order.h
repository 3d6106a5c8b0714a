#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "flatbuffer_codec.h"
#include "orders_generated.h"
#include <pawl/aggregate.h>
#include <pawl/engine.h>

// Orders of a shop, as an example of events that are no plain structs: an order has as many lines
// and as long a note as it has. Its event is a FlatBuffers message (orders.fbs).
namespace orders {

template <std::size_t kChars>
using Text = std::array<char, kChars>;
template <std::size_t kChars>
constexpr Text<kChars> TextOf(std::string_view text) noexcept {
  Text<kChars> chars{};
  std::copy_n(text.begin(), std::min(text.size(), kChars), chars.begin());
  return chars;
}
template <std::size_t kChars>
constexpr std::string_view ViewOf(const Text<kChars>& chars) noexcept {
  const std::string_view all(chars.data(), kChars);
  return all.substr(0, all.find('\0'));
}

// Commands are plain structs of a fixed size, whatever becomes of them.
struct Item {
  Text<16> sku;
  std::int64_t unit_cents;
  std::uint32_t quantity;
};
inline constexpr std::size_t kItemsMax = 16;
inline constexpr std::uint32_t kQuantityMax = 1'000'000;
inline constexpr std::int64_t kUnitCentsMax = 1'000'000'000;
struct Place {
  Text<32> customer;
  Text<200> note;
  std::array<Item, kItemsMax> items;
  std::uint32_t item_count;
};
struct Ship {
  std::uint32_t parcels;
};
struct Cancel {};

// What Decide emits: a finished message, which the codec copies into the log.
struct Placed {
  static constexpr pawl::EventType kType{"order.placed", 1};
  std::span<const std::byte> message;
};
using PlacedView = FlatView<fb::Placed>;  // what Evolve and On get, in the log

// Events that are plain structs stand beside it.
struct Shipped {
  static constexpr pawl::EventType kType{"order.shipped", 1};
  std::uint32_t parcels;
};
struct Cancelled {
  static constexpr pawl::EventType kType{"order.cancelled", 1};
};

inline std::int64_t TotalCents(const PlacedView& placed) noexcept {
  std::int64_t cents = 0;
  for (const fb::Line* line : *placed->lines()) cents += line->quantity() * line->unit_cents();
  return cents;
}

// The message of an order that is placed, and the memory that it is in.
class PlacedMessage {
 public:
  explicit PlacedMessage(const Place& place) noexcept : builder_(kBytes, &room_) {
    std::array<flatbuffers::Offset<fb::Line>, kItemsMax> lines;
    const std::size_t count = std::min<std::size_t>(place.item_count, kItemsMax);
    for (std::size_t i = 0; i < count; ++i) {
      const Item& item = place.items[i];
      lines[i] = fb::CreateLine(builder_, String(ViewOf(item.sku)), item.quantity, item.unit_cents);
    }
    const auto note = ViewOf(place.note).empty() ? 0 : String(ViewOf(place.note));
    const auto customer = String(ViewOf(place.customer));
    fb::FinishPlacedBuffer(
        builder_,
        fb::CreatePlaced(builder_, customer, builder_.CreateVector(lines.data(), count), note));
  }
  Placed event() const noexcept { return {BytesOf(builder_)}; }

 private:
  static constexpr std::size_t kBytes = 4096;  // the largest Place needs a third of it

  flatbuffers::Offset<flatbuffers::String> String(std::string_view text) noexcept {
    return builder_.CreateString(text.data(), text.size());
  }

  FlatRoom<kBytes> room_;
  flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace orders

// Its place is right behind the event, before anything asks for it.
template <>
struct pawl::Codec<orders::Placed> : orders::FlatCodec<orders::Placed, orders::fb::Placed> {
  static constexpr std::string_view kSchema = "orders.Placed";
  // For people who read a failed test.
  static std::string Text(const View& placed) {
    return placed->customer()->str() + ", " + std::to_string(placed->lines()->size()) + " lines, " +
           std::to_string(orders::TotalCents(placed)) + " cents" +
           (placed->note() == nullptr ? "" : ", \"" + placed->note()->str() + "\"");
  }
};

namespace orders {

struct Order {
  using Commands = pawl::Commands<Place, Ship, Cancel>;
  using Events = pawl::Events<Placed, Shipped, Cancelled>;
  static constexpr std::string_view kCategory = "order";
  enum Refusal : std::uint16_t { kIsPlaced = 1, kIsEmpty, kIsTooDear, kIsNotOpen };
  enum class Stage : std::uint32_t { kNone, kOpen, kShipped, kCancelled };
  struct State {
    Stage stage = Stage::kNone;
    std::uint32_t lines = 0;
    std::int64_t total_cents = 0;
  };

  static pawl::Verdict Decide(const State& s, const Place& c, pawl::Emit<Order>& emit) noexcept {
    if (s.stage != Stage::kNone) return pawl::Refuse(kIsPlaced);
    if (c.item_count == 0 || c.item_count > kItemsMax) return pawl::Refuse(kIsEmpty);
    for (const Item& item : std::span(c.items).first(c.item_count)) {
      if (item.quantity > kQuantityMax || item.unit_cents < 0 || item.unit_cents > kUnitCentsMax) {
        return pawl::Refuse(kIsTooDear);
      }
    }
    emit(PlacedMessage(c).event());
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State& s, const Ship& c, pawl::Emit<Order>& emit) noexcept {
    if (s.stage != Stage::kOpen) return pawl::Refuse(kIsNotOpen);
    emit(Shipped{c.parcels});
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State& s, const Cancel&, pawl::Emit<Order>& emit) noexcept {
    if (s.stage != Stage::kOpen) return pawl::Refuse(kIsNotOpen);
    emit(Cancelled{});
    return pawl::Accept();
  }

  static void Evolve(State& s, const PlacedView& placed) noexcept {
    s.stage = Stage::kOpen;
    s.lines = placed->lines()->size();
    s.total_cents = TotalCents(placed);
  }
  static void Evolve(State& s, const Shipped&) noexcept { s.stage = Stage::kShipped; }
  static void Evolve(State& s, const Cancelled&) noexcept { s.stage = Stage::kCancelled; }
};

using Aggregates = pawl::Aggregates<Order>;

}  // namespace orders
