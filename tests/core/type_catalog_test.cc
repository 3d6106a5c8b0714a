#include "type_catalog.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "pawl/log.h"

namespace pawl {
namespace {

using ::testing::HasSubstr;

class TypeCatalogTest : public ::testing::Test {
 protected:
  // Gives the catalog a record of that kind and number, at position 7.
  absl::Status Read(RecordKind kind, std::uint16_t number, std::string_view payload) {
    const std::size_t padded = (payload.size() + 7) / 8 * 8;
    std::vector<std::uint64_t> memory(sizeof(RecordHeader) / 8 + padded / 8);
    const RecordHeader header{.units = static_cast<std::uint16_t>(memory.size()),
                              .kind = kind,
                              .flags = static_cast<std::uint8_t>(padded - payload.size()),
                              .stream = 0,
                              .version_low = 0,
                              .version_high = 0,
                              .type = number,
                              .back_link = 0};
    std::memcpy(memory.data(), &header, sizeof header);
    std::memcpy(memory.data() + sizeof header / 8, payload.data(), payload.size());
    const FrameHeader frame{};
    const CommitHeader commit{};
    return catalog_.Read({.frame = frame,
                          .commit = commit,
                          .header = *reinterpret_cast<const RecordHeader*>(memory.data()),
                          .position = Position(7)});
  }

  struct Bound {
    std::uint16_t number = 1;
    std::string name = std::string(DescriptorOf<Deposited>().name);
    std::uint16_t version = 1;
    std::uint64_t hash = DescriptorOf<Deposited>().layout_hash;
    std::string text = std::string(DescriptorOf<Deposited>().layout_text);
    std::uint32_t extra_bytes = 0;  // that the texts claim to have
  };
  static std::string Payload(const Bound& type) {
    const TypeBound bound{
        .layout_hash = type.hash,
        .event_bytes = 8,
        .type_version = type.version,
        .name_bytes = static_cast<std::uint16_t>(type.name.size()),
        .layout_bytes = static_cast<std::uint32_t>(type.text.size()) + type.extra_bytes,
        .reserved = 0};
    return std::string(reinterpret_cast<const char*>(&bound), sizeof bound) + type.name + type.text;
  }
  absl::Status Bind(const Bound& type) {
    return Read(RecordKind::kTypeBound, type.number, Payload(type));
  }
  static void ExpectDamage(const absl::Status& status, const char* words) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("position 7"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }

  TypeCatalog catalog_;
};

TEST_F(TypeCatalogTest, FindsWhatTheLogBound) {
  EXPECT_EQ(*catalog_.Find(DescriptorOf<Deposited>()), 0U) << "not bound yet";
  ASSERT_TRUE(Bind({.name = "somebody.else", .version = 3}).ok());
  ASSERT_TRUE(Bind({.number = 2}).ok());
  ASSERT_TRUE(Read(RecordKind::kCategoryBound, 1, "account").ok());
  EXPECT_EQ(*catalog_.Find(DescriptorOf<Deposited>()), 2U);
  EXPECT_EQ(catalog_.FindCategory("account"), 1U);
  EXPECT_EQ(catalog_.FindCategory("accounts"), 0U);
  ASSERT_NE(catalog_.TypeOf(1), nullptr);
  EXPECT_EQ(catalog_.TypeOf(1)->name, "somebody.else");
  EXPECT_EQ(catalog_.TypeOf(1)->version, 3U);
  EXPECT_EQ(catalog_.TypeOf(1)->layout_text, "cents:i64@0") << "also of unknown types";
  EXPECT_EQ(catalog_.TypeOf(0), nullptr);
  EXPECT_EQ(catalog_.TypeOf(3), nullptr);
}

TEST_F(TypeCatalogTest, AnotherVersionIsAnotherType) {
  ASSERT_TRUE(Bind({.version = 2, .hash = 1, .text = "euros:f64@0"}).ok());
  EXPECT_EQ(*catalog_.Find(DescriptorOf<Deposited>()), 0U);
}

TEST_F(TypeCatalogTest, AnotherHashOrTextIsRefusedNamingBoth) {
  for (const Bound& other :
       {Bound{.hash = 1}, Bound{.text = "euros:i64@0"}, Bound{.hash = 1, .text = "euros:i64@0"}}) {
    catalog_ = {};
    ASSERT_TRUE(Bind(other).ok());
    const absl::Status status = catalog_.Find(DescriptorOf<Deposited>()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr("event bank.deposited version 1"));
    EXPECT_THAT(message, HasSubstr("log {" + other.text + "}"));
    EXPECT_THAT(message, HasSubstr("program {cents:i64@0}"));
    EXPECT_THAT(message, HasSubstr("new version")) << "what to do";
  }
}

TEST_F(TypeCatalogTest, RecordsThatContradictThemselvesOrOthersAreDamage) {
  ExpectDamage(Bind({.number = 2}), "type number out of order");
  ExpectDamage(Bind({.extra_bytes = 64}), "shorter than its texts");
  ExpectDamage(Bind({.extra_bytes = UINT32_MAX - 20}), "shorter than its texts");
  ExpectDamage(Read(RecordKind::kTypeBound, 1, "short"), "too short");
  ExpectDamage(Read(RecordKind::kCategoryBound, 2, "account"), "category number out of order");
  ASSERT_TRUE(Bind({}).ok());
  ASSERT_TRUE(Read(RecordKind::kCategoryBound, 1, "account").ok());
  ExpectDamage(Bind({.number = 2}), "type bound twice");
  ExpectDamage(Bind({.number = 2, .hash = 1, .text = "euros:i64@0"}), "type bound twice");
  ExpectDamage(Read(RecordKind::kCategoryBound, 2, "account"), "category bound twice");
}

// A record has 16 bits for it, of which 0 is none.
TEST_F(TypeCatalogTest, MoreTypesOrCategoriesThanNumbersAreRefusedByName) {
  const TestDirectory directory;
  const EngineOptions options = directory.Options();
  auto log = Log::Open({.directory = options.directory,
                        .hot_directory = options.hot_directory,
                        .segment_bytes = options.segment_bytes});
  ASSERT_TRUE(log.ok()) << log.status();
  LogWriter& writer = (*log)->writer();
  StreamStore store(AggregateTraitsOf<Account>(), 1);  // one category, two types
  StreamStore* const stores[]{&store};
  const std::pair<std::size_t, const char*> too_few[]{{0, "0 categories"},
                                                      {1, "1 types of events"}};
  for (const auto& [numbers_max, words] : too_few) {
    catalog_ = TypeCatalog(numbers_max);
    const absl::Status refused = catalog_.Bind(stores, writer);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(words));
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr(numbers_max == 0 ? "account" : "bank.withdrawn"));
    EXPECT_EQ(writer.commit_records(), 0U) << "half of it is left";
  }
  catalog_ = TypeCatalog(2);
  const absl::Status bound = catalog_.Bind(stores, writer);
  EXPECT_TRUE(bound.ok()) << bound;
  EXPECT_EQ(store.type_numbers, (std::vector<std::uint16_t>{1, 2}));
  EXPECT_EQ(TypeCatalog::kNumbersMax, std::size_t{UINT16_MAX});
}

}  // namespace
}  // namespace pawl
