// The orders' cases. What is given and expected is built like what Decide emits: a message.

#include "order.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <pawl/testing.h>

namespace orders {
namespace {

using pawl::testing::Given;

Place OrderOf(std::string_view customer, std::uint32_t items, std::string_view note = "") {
  Place place{};
  place.customer = TextOf<32>(customer);
  place.note = TextOf<200>(note);
  for (std::uint32_t i = 0; i < items && i < kItemsMax; ++i) {
    place.items[i] = {TextOf<16>("sku-" + std::to_string(i)), 100 * (i + 1), i + 1};
  }
  place.item_count = items;
  return place;
}

TEST(OrderTest, IsPlacedWithAsManyLinesAsItHas) {
  for (const std::uint32_t items : {1U, 2U, 16U}) {
    const Place place = OrderOf("ada", items, "by the back door");
    const PlacedMessage expected(place);
    Given<Order>().When(place).Then(expected.event()).ThenState([&](const Order::State& s) {
      EXPECT_EQ(s.lines, items);
    });
  }
}

TEST(OrderTest, ItsTotalIsThatOfItsLines) {
  const PlacedMessage placed(OrderOf("ada", 3));
  Given<Order>(placed.event()).ThenState([](const Order::State& s) {
    EXPECT_EQ(s.total_cents, 100 + 2 * 200 + 3 * 300);
  });
}

TEST(OrderTest, IsPlacedOnceAndNotEmpty) {
  const PlacedMessage placed(OrderOf("ada", 1));
  Given<Order>(placed.event()).When(OrderOf("eve", 1)).ThenRefused(Order::kIsPlaced);
  Given<Order>().When(OrderOf("ada", 0)).ThenRefused(Order::kIsEmpty);
  Given<Order>().When(OrderOf("ada", 17)).ThenRefused(Order::kIsEmpty);
  Place dear = OrderOf("ada", 1);
  dear.items[0].unit_cents = kUnitCentsMax + 1;
  Given<Order>().When(dear).ThenRefused(Order::kIsTooDear);
}

TEST(OrderTest, IsShippedOrCancelledOnce) {
  const PlacedMessage placed(OrderOf("ada", 1));
  Given<Order>(placed.event())
      .When(Ship{2})
      .Then(Shipped{2})
      .When(Cancel{})
      .ThenRefused(Order::kIsNotOpen);
  Given<Order>(placed.event(), Cancelled{}).When(Ship{1}).ThenRefused(Order::kIsNotOpen);
}

// Bytes that are no message never become one: every cut, and a flip of every bit, is refused or
// read within its bounds, which a sanitizer watches.
TEST(OrderTest, HostileBytesAreNoMessage) {
  const PlacedMessage placed(OrderOf("ada", 3, "soon"));
  const std::span<const std::byte> whole = placed.event().message;
  PlacedView all;
  ASSERT_TRUE(pawl::Codec<Placed>::Decode(whole, all));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<long>(size));
    PlacedView view;
    if (!pawl::Codec<Placed>::Decode(cut, view)) continue;
    EXPECT_GT(size + 8, whole.size()) << "only padding may be missing";
    EXPECT_EQ(pawl::Codec<Placed>::Text(view), pawl::Codec<Placed>::Text(all));
  }
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::vector<std::byte> flipped(whole.begin(), whole.end());
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    PlacedView view;
    if (!pawl::Codec<Placed>::Decode(flipped, view)) {
      ++refused;
      continue;
    }
    std::size_t read = view->customer()->size() + (view->note() == nullptr ? 0 : 1);
    for (const fb::Line* line : *view->lines()) read += line->sku()->size();
    EXPECT_LE(read, whole.size() * 3) << "bit " << bit;  // lines may share what they point to
  }
  EXPECT_GT(refused, whole.size());
}

TEST(LayoutsTest, AreThoseThatLogsHold) {
  pawl::testing::ExpectLayouts<Aggregates>(ORDERS_LAYOUTS);
}

}  // namespace
}  // namespace orders
