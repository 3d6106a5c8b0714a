// The function that decides a run of commands, called as the loop calls it.

#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "pawl/commit_builder.h"
#include "pawl/log.h"
#include "test_directory.h"

namespace pawl {
namespace {

class DecideRunTest : public ::testing::Test {
 protected:
  DecideRunTest() {
    absl::StatusOr<std::unique_ptr<Log>> log = Log::Open({.directory = directory_.log(),
                                                          .hot_directory = directory_.hot(),
                                                          .segment_bytes = std::uint64_t{1} << 20});
    PAWL_CHECK(log.ok());
    log_ = std::move(*log);
    store_.type_numbers = {1, 2};
    builder_ = std::make_unique<CommitBuilder>(log_->writer(), std::span(&each_store_, 1), 1);
    builder_->BeginRun(store_, 0);
  }

  template <class C>
  void Add(const Key& key, const C& command) {
    CommandSlot slot;
    slot.key = key;
    slot.type = Account::Commands::IndexOf<C>();
    std::memcpy(slot.command.data(), &command, sizeof command);
    run_.push_back(slot);
  }

  // Decides what was added, with these guesses of its streams.
  DecidedRun Decide(std::vector<StreamSlot*> streams) {
    PAWL_CHECK(streams.size() == run_.size());
    receipts_.assign(run_.size(), {});
    const DecideRunFunction decide = store_.traits().decides[run_.front().type];
    return decide(*builder_, run_, streams.data(), receipts_.data());
  }
  StreamSlot* Guess(const Key& key) { return store_.lookup().Guess(key); }
  std::int64_t Balance(const Key& key) {
    const StreamSlot* slot = store_.Find(key);
    return slot == nullptr ? -1 : static_cast<const AggregateSlot<Account>*>(slot)->state.cents;
  }
  // An account that exists.
  void Open(const Key& key, std::int64_t cents) {
    Add(key, Deposit{cents});
    ASSERT_EQ(Decide({nullptr}).accepted, 1U);
    run_.clear();
  }

  TestDirectory directory_;
  std::unique_ptr<Log> log_;
  StreamStore store_{AggregateTraitsOf<Account>(), 16};
  StreamStore* each_store_ = &store_;
  std::unique_ptr<CommitBuilder> builder_;
  std::vector<CommandSlot> run_;
  std::vector<PackedReceipt> receipts_;
};

TEST_F(DecideRunTest, AGuessOfAnotherKeyTouchesNothingOfIt) {
  Open(Key(1), 100);
  Open(Key(2), 10);
  // The second of the run, and then the first, are guessed wrong.
  Add(Key(1), Deposit{1});
  Add(Key(2), Deposit{2});
  ASSERT_EQ(Decide({Guess(Key(1)), Guess(Key(1))}).accepted, 1U);
  run_.erase(run_.begin());
  ASSERT_EQ(Decide({Guess(Key(1))}).accepted, 1U);
  EXPECT_EQ(Balance(Key(1)), 101);
  EXPECT_EQ(Balance(Key(2)), 12);
  // A wrong guess of a key that is not there makes it.
  run_.clear();
  Add(Key(3), Deposit{3});
  ASSERT_EQ(Decide({Guess(Key(2))}).accepted, 1U);
  EXPECT_EQ(Balance(Key(2)), 12);
  EXPECT_EQ(Balance(Key(3)), 3);
}

TEST_F(DecideRunTest, AStreamThatTheRunMadeIsFoundAgain) {
  Add(Key(7), Deposit{1});
  Add(Key(7), Deposit{2});
  ASSERT_EQ(Decide({nullptr, nullptr}).accepted, 1U);
  run_.erase(run_.begin());
  ASSERT_EQ(Decide({nullptr}).accepted, 1U);
  EXPECT_EQ(receipts_[0].version(), Version(2));
  EXPECT_EQ(Balance(Key(7)), 3);
  EXPECT_EQ(store_.size(), 1U);
}

TEST_F(DecideRunTest, EndsBeforeACommandOfAnotherType) {
  Open(Key(1), 100);
  Add(Key(1), Deposit{1});
  Add(Key(1), Deposit{1});
  Add(Key(1), Withdraw{50});
  const DecidedRun done = Decide({Guess(Key(1)), Guess(Key(1)), Guess(Key(1))});
  EXPECT_EQ(done.accepted, 2U);
  EXPECT_TRUE(done.verdict.is_accepted());
  EXPECT_EQ(Balance(Key(1)), 102);
}

TEST_F(DecideRunTest, ARefusedCommandEndsItAndLeavesNoTrace) {
  Open(Key(1), 100);
  Open(Key(2), 0);
  const Position next = log_->writer().next_position();
  Add(Key(1), Withdraw{60});
  Add(Key(1), Withdraw{60});
  Add(Key(1), Withdraw{1});
  const DecidedRun done = Decide({Guess(Key(1)), Guess(Key(1)), Guess(Key(1))});
  EXPECT_EQ(done.accepted, 1U);
  EXPECT_EQ(done.verdict, Refuse(Account::kInsufficientFunds));
  EXPECT_EQ(Balance(Key(1)), 40);
  EXPECT_EQ(store_.Find(Key(1))->version, Version(2));
  EXPECT_EQ(log_->writer().next_position(), next.Next());
}

// The room that the loop made sure of is that of one frame and a commit.
TEST_F(DecideRunTest, EndsWhenAFrameWasPublished) {
  Open(Key(1), 0);
  log_->writer().Publish();
  const Address before = log_->published();
  for (std::uint32_t i = 0; i < 2 * kFrameCommitsMax; ++i) Add(Key(1), Deposit{1});
  const std::vector<StreamSlot*> guesses(run_.size(), Guess(Key(1)));
  const DecidedRun done = Decide(guesses);
  EXPECT_EQ(done.accepted, kFrameCommitsMax);
  EXPECT_GT(log_->published(), before);
  EXPECT_FALSE(log_->writer().has_staged());
}

TEST_F(DecideRunTest, ReceiptsSayWhereEachCommandIs) {
  Open(Key(1), 0);
  Open(Key(2), 0);
  const Position next = log_->writer().next_position();
  for (const std::uint64_t key : {1U, 2U, 1U, 1U}) Add(Key(key), Deposit{1});
  std::vector<StreamSlot*> guesses;
  for (const CommandSlot& slot : run_) guesses.push_back(Guess(slot.key));
  ASSERT_EQ(Decide(guesses).accepted, 4U);
  const std::array<std::uint64_t, 4> versions{2, 2, 3, 4};
  for (std::size_t i = 0; i < versions.size(); ++i) {
    EXPECT_EQ(receipts_[i].position, next.Plus(i).value());
    EXPECT_EQ(receipts_[i].version(), Version(versions[i]));
  }
}

// Numbers of streams are never given again: behind the last one no aggregate can be made, and those
// that are there go on.
TEST_F(DecideRunTest, TheLastStreamNumberIsALimit) {
  builder_ =
      std::make_unique<CommitBuilder>(log_->writer(), std::span(&each_store_, 1), UINT32_MAX - 1);
  builder_->BeginRun(store_, 0);
  Open(Key(1), 100);
  EXPECT_EQ(store_.Find(Key(1))->number, UINT32_MAX - 1);
  Add(Key(2), Deposit{1});
  const DecidedRun refused = Decide({nullptr});
  EXPECT_EQ(refused.accepted, 0U);
  EXPECT_EQ(refused.verdict.kind(), VerdictKind::kLimitExceeded);
  EXPECT_EQ(store_.size(), 1U);
  run_.clear();
  Add(Key(1), Deposit{1});
  EXPECT_EQ(Decide({Guess(Key(1))}).accepted, 1U);
}

}  // namespace
}  // namespace pawl
