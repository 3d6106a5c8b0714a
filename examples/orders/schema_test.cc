// That the schema only grows, and what happens when it does: older messages are read by newer
// programs and newer ones by older programs. Without this test a changed orders.fbs would misread
// what is in logs: Codec::kSchema says nothing of what changes inside of it.

#include <array>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "grown_generated.h"
#include "order.h"
#include "schema_diff.h"

namespace orders {
namespace {

// Compiled by CMake from the files of the same names.
std::string Schema(const std::string& name) {
  return ReadFile(std::string(ORDERS_SCHEMAS) + "/" + name + ".bfbs");
}

TEST(SchemaTest, OrdersFbsReadsWhatLogsHold) {
  EXPECT_EQ(DiffSchemas(Schema("locked"), Schema("orders")), "");
}

TEST(SchemaTest, FieldsMayBeAddedAtTheEndAndDeprecated) {
  EXPECT_EQ(DiffSchemas(Schema("orders"), Schema("grown")), "");
  EXPECT_EQ(DiffSchemas(Schema("orders"), Schema("deprecated")), "");
}

TEST(SchemaTest, WhatMisreadsOlderMessagesIsNamed) {
  const auto fault_of = [](const char* name) {
    return DiffSchemas(Schema("orders"), Schema(name));
  };
  EXPECT_EQ(fault_of("added_in_the_middle"),
            "\n  Placed.note has another place\n  Placed.gift is new, but not at the end");
  EXPECT_EQ(fault_of("dropped"),
            "\n  Line.quantity is gone or renamed; make it (deprecated)\n  Line.unit_cents has "
            "another place");
  EXPECT_EQ(fault_of("dropped_last"), "\n  Placed.note is gone or renamed; make it (deprecated)");
  EXPECT_EQ(fault_of("renamed"),
            "\n  Placed.customer is gone or renamed; make it (deprecated)\n  Placed.buyer is new, "
            "but not at the end\n  Placed.buyer is new and required: no older message has it");
  EXPECT_EQ(fault_of("newly_required"), "\n  Placed.note is required now");
  EXPECT_EQ(fault_of("added_required"),
            "\n  Placed.country is new and required: no older message has it");
  EXPECT_EQ(fault_of("retyped"), "\n  Line.unit_cents has another type");
  EXPECT_EQ(fault_of("other_default"), "\n  Line.quantity has another default");
  EXPECT_EQ(DiffSchemas(Schema("orders"), "no schema"), "\n  one of them is no compiled schema");
}

// The program of the later release, and what it makes of an event.
using LaterCodec = FlatCodec<Placed, later::Placed>;

TEST(SchemaTest, ALaterReleaseReadsOlderEventsWithDefaults) {
  Place place{};
  place.customer = TextOf<32>("ada");
  place.items[0] = {TextOf<16>("tea"), 300, 2};
  place.item_count = 1;
  const PlacedMessage message(place);
  LaterCodec::View later;
  ASSERT_TRUE(LaterCodec::Decode(message.event().message, later));
  EXPECT_EQ(later->customer()->str(), "ada");
  EXPECT_EQ(later->lines()->Get(0)->unit_cents(), 300);
  EXPECT_EQ(later->lines()->Get(0)->discount_cents(), 0);
  EXPECT_FALSE(later->gift());
}

TEST(SchemaTest, AnOlderReleaseReadsWhatItKnowsOfLaterEvents) {
  flatbuffers::FlatBufferBuilder builder;
  const std::array lines{later::CreateLine(builder, builder.CreateString("tea"), 2, 300, 50)};
  const auto placed = later::CreatePlaced(builder, builder.CreateString("ada"),
                                          builder.CreateVector(lines.data(), lines.size()),
                                          builder.CreateString("soon"), true);
  later::FinishPlacedBuffer(builder, placed);
  PlacedView view;
  ASSERT_TRUE(pawl::Codec<Placed>::Decode(BytesOf(builder), view));
  EXPECT_EQ(pawl::Codec<Placed>::Text(view), "ada, 1 lines, 600 cents, \"soon\"");
}

}  // namespace
}  // namespace orders
