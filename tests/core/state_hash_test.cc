// P16: the hash of all aggregates is the same live, replayed and after a crash, and different when
// anything in it differs.

#include "pawl/state_hash.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <new>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "hashed_aggregates.h"
#include "test_seed.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

template <class T>
HashSum HashOf(const T& value) {
  StateHasher hasher;
  hasher.Add(value);
  return hasher.Finish();
}

TEST(StateHasherTest, IsXxh3OfTheFieldsBytes) {
  // The 128-bit XXH3 of no bytes, and of the byte 0x61, with seed 0: published test values.
  EXPECT_EQ(StateHasher().Finish().ToString(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(HashOf('a').ToString(), "a96faf705af16834e6c632b61e964e1f");
}

TEST(StateHasherTest, PaddingDoesNotCount) {
  HashSum sums[2];
  for (int i = 0; i < 2; ++i) {
    alignas(Padded::State) std::byte memory[sizeof(Padded::State)];
    std::memset(memory, i == 0 ? 0x00 : 0xAA, sizeof memory);
    // Field by field: a whole assignment may copy padding.
    auto* const state = reinterpret_cast<Padded::State*>(memory);
    state->puts = 1;
    state->newest.small = 2;
    state->newest.large = 3;
    state->items = {4, 5, 6};
    state->is_full = true;
    sums[i] = HashOf(*state);
  }
  EXPECT_EQ(sums[0], sums[1]);
}

TEST(StateHasherTest, EveryFieldCounts) {
  const Padded::State base{1, {2, 3}, {4, 5, 6}, false};
  std::vector<HashSum> sums{HashOf(base)};
  for (const auto change :
       {+[](Padded::State& s) { ++s.puts; }, +[](Padded::State& s) { ++s.newest.small; },
        +[](Padded::State& s) { ++s.newest.large; }, +[](Padded::State& s) { ++s.items[2]; },
        +[](Padded::State& s) { s.is_full = true; }}) {
    Padded::State changed = base;
    change(changed);
    sums.push_back(HashOf(changed));
  }
  std::sort(sums.begin(), sums.end());
  EXPECT_EQ(std::unique(sums.begin(), sums.end()), sums.end());
}

TEST(StateHasherTest, TextsAndRangesHaveTheirLengthIn) {
  const auto both = [](std::string_view a, std::string_view b) {
    StateHasher hasher;
    hasher.Add(a);
    hasher.Add(b);
    return hasher.Finish();
  };
  EXPECT_NE(both("ab", "c"), both("a", "bc"));
  const auto ranges = [](const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
    StateHasher hasher;
    hasher.AddRange(a);
    hasher.AddRange(b);
    return hasher.Finish();
  };
  EXPECT_NE(ranges({1, 2}, {3}), ranges({1}, {2, 3}));
  EXPECT_NE(ranges({1, 2}, {}), ranges({2, 1}, {}));
}

TEST(StateHasherTest, TheOrderOfAHashMapDoesNotCount) {
  std::unordered_map<std::int64_t, std::int64_t> few;
  std::unordered_map<std::int64_t, std::int64_t> many(1024);
  for (std::int64_t i = 0; i < 100; ++i) few[i] = i * i;
  for (std::int64_t i = 99; i >= 0; --i) many[i] = i * i;
  const auto hash = [](const auto& map) {
    StateHasher hasher;
    hasher.AddUnordered(map);
    return hasher.Finish();
  };
  EXPECT_EQ(hash(few), hash(many));
  many[7] = 50;
  std::swap(many[8], many[9]);
  EXPECT_NE(hash(few), hash(many));
}

TEST(HashSumTest, IsAddedModulo2To128InAnyOrder) {
  const HashSum one{UINT64_MAX, UINT64_MAX};
  const HashSum two{1, 3};
  HashSum there = one;
  there += two;
  EXPECT_EQ(there, (HashSum{1, 2}));
  HashSum back = two;
  back += one;
  EXPECT_EQ(back, there);
  there -= two;
  EXPECT_EQ(there, one);
}

static_assert(StateHashable<Account::State> && StateHashable<Padded::State>);
static_assert(StateHashable<Basket::State>, "by its HashState");
static_assert(!StateHashable<Sealed::State>);
static_assert(!StateHashable<long double> && !StateHashable<int*>);

class StateHashTest : public BankTest {
 protected:
  HashedState Hash() {
    const absl::StatusOr<HashedState> hashed = engine_->StateHash();
    EXPECT_TRUE(hashed.ok()) << hashed.status();
    return hashed.value_or(HashedState());
  }
};

template <class... As>
std::unique_ptr<Engine> OpenWith(const TestDirectory& directory, Threads threads = Threads::kHost) {
  auto opened = Engine::Open(directory.Options(threads), Aggregates<As...>{});
  EXPECT_TRUE(opened.ok()) << opened.status();
  return *std::move(opened);
}

template <class A>
void PutOnce(Engine& engine, std::uint64_t key, Put command) {
  auto producer = *engine.NewProducer();
  const auto put = producer.Execute<A>(Key(key), command, kQuick);
  ASSERT_TRUE(put.ok()) << put.status();
}

// Commands of every kind, decided or refused, on a few aggregates of three types.
void LiveAtRandom(Engine& engine, std::uint64_t seed) {
  auto producer = *engine.NewProducer();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 3'000; ++i) {
    const Key key(1 + random() % 50);
    const auto cents = static_cast<std::int64_t>(random() % 100);
    const Put put{static_cast<std::int64_t>(random() % 9), cents};
    switch (random() % 6) {
      case 0: (void)producer.Execute<Account>(key, Deposit{cents}, kQuick); break;
      case 1: (void)producer.Execute<Account>(key, Withdraw{cents}, kQuick); break;
      case 2:
        (void)producer.Execute<Account>(key, Transfer{Key(1 + random() % 50), cents}, kQuick);
        break;
      case 3: (void)producer.Execute<Padded>(key, put, kQuick); break;
      case 4: (void)producer.Execute<Basket>(key, put, kQuick); break;
      default: (void)producer.Execute<Account>(key, Look{}, kQuick); break;
    }
  }
}

TEST(StateHashReplayTest, IsTheSameLiveReplayedAndInAnotherOrderOfTypes) {
  const std::uint64_t seed = SeedOfTest();
  const TestDirectory directory;
  HashedState live;
  HashedState accounts;
  {
    auto engine = OpenWith<Account, Padded, Basket>(directory);
    LiveAtRandom(*engine, seed);
    live = *engine->StateHash();
    accounts = *engine->StateHash<Account>();
    EXPECT_GT(live.aggregates, 100U);
    EXPECT_GT(accounts.aggregates, 0U);
    EXPECT_LT(accounts.aggregates, live.aggregates);
    ASSERT_TRUE(engine->Stop().ok());
    EXPECT_EQ(*engine->StateHash(), live) << "a stopped engine still tells";
  }
  for (int life = 0; life < 2; ++life) {
    auto engine = OpenWith<Basket, Account, Padded>(directory, Threads::kOwn);
    const HashedState replayed = *engine->StateHash();
    EXPECT_EQ(replayed.sum, live.sum);
    EXPECT_EQ(replayed.aggregates, live.aggregates);
    EXPECT_GT(replayed.position, live.position) << "the record of the new epoch";
    EXPECT_EQ(engine->StateHash<Account>()->sum, accounts.sum);
  }
}

TEST(StateHashReplayTest, IsTheSameAfterTheDeathOfTheProcess) {
  const std::uint64_t seed = SeedOfTest();
  const TestDirectory directory;
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto engine = OpenWith<Account, Padded, Basket>(directory, Threads::kOwn);
    LiveAtRandom(*engine, seed);
    const HashedState live = *engine->StateHash();
    if (::write(told[1], &live, sizeof live) == sizeof live) ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  HashedState live;
  ASSERT_EQ(::read(told[0], &live, sizeof live), static_cast<ssize_t>(sizeof live));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ::close(told[0]);
  ::close(told[1]);
  auto engine = OpenWith<Account, Padded, Basket>(directory);
  EXPECT_EQ(engine->recovery().reason, EpochReason::kRecovered);
  EXPECT_EQ(engine->StateHash()->sum, live.sum);
  EXPECT_EQ(engine->StateHash()->aggregates, live.aggregates);
}

TEST(StateHashReplayTest, AnEvolveThatIsNoFunctionOfStateAndEventIsCaught) {
  const TestDirectory directory;
  HashSum live;
  {
    auto engine = OpenWith<Forgetful>(directory);
    PutOnce<Forgetful>(*engine, 1, {1, 1});
    PutOnce<Forgetful>(*engine, 2, {1, 1});
    live = engine->StateHash()->sum;
  }
  EXPECT_NE(OpenWith<Forgetful>(directory)->StateHash()->sum, live);
}

TEST_F(StateHashTest, AnEngineWithoutAggregatesHashesToZero) {
  Open();
  EXPECT_EQ(Hash().sum, HashSum());
  EXPECT_EQ(Hash().aggregates, 0U);
}

TEST_F(StateHashTest, TheOrderOfCommandsToDifferentAggregatesDoesNotCount) {
  HashSum sums[2];
  for (int order = 0; order < 2; ++order) {
    const TestDirectory directory;
    Open(directory.Options(Threads::kHostAll));
    {
      Producer producer = NewProducer();
      for (std::uint64_t i = 0; i < 20; ++i) {
        const std::uint64_t key = order == 0 ? 1 + i : 20 - i;
        const Deposit deposit{static_cast<std::int64_t>(key)};
        ASSERT_TRUE(producer.Execute<Account>(Key(key), deposit, kQuick).ok());
      }
    }
    sums[order] = Hash().sum;
    engine_.reset();
  }
  EXPECT_EQ(sums[0], sums[1]);
}

TEST_F(StateHashTest, KeyVersionAndCategoryCount) {
  std::vector<HashSum> sums;
  const auto hash_after = [&](auto&& act) {
    const TestDirectory directory;
    auto engine = OpenWith<Account, Padded, Basket>(directory);
    act(*engine);
    sums.push_back(engine->StateHash()->sum);
  };
  const auto deposit = [](Engine& engine, const Key& key, std::int64_t cents) {
    auto producer = *engine.NewProducer();
    ASSERT_TRUE(producer.Execute<Account>(key, Deposit{cents}, kQuick).ok());
  };
  hash_after([&](Engine& engine) { deposit(engine, Key(1), 7); });
  hash_after([&](Engine& engine) { deposit(engine, Key(2), 7); });
  hash_after([&](Engine& engine) { deposit(engine, Key(1, 1), 7); });
  hash_after([&](Engine& engine) { deposit(engine, Key(1), 8); });
  hash_after([&](Engine& engine) {  // the same state, another version
    deposit(engine, Key(1), 3);
    deposit(engine, Key(1), 4);
  });
  std::sort(sums.begin(), sums.end());
  EXPECT_EQ(std::unique(sums.begin(), sums.end()), sums.end());
}

// Two types with the same State: what tells their aggregates apart is the category.
TEST_F(StateHashTest, TheSameAggregateOfAnotherCategoryIsAnother) {
  const TestDirectory directory;
  auto engine = OpenWith<Account, Forgetful>(directory);
  Forgetful::calls = 0;
  PutOnce<Forgetful>(*engine, 1, {1, 6});  // count is 7
  auto producer = *engine->NewProducer();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{7}, kQuick).ok());
  EXPECT_NE(engine->StateHash<Account>()->sum, engine->StateHash<Forgetful>()->sum);
}

TEST_F(StateHashTest, OfAllIsTheSumOfEach) {
  const TestDirectory directory;
  auto engine = OpenWith<Account, Padded>(directory);
  LiveAtRandom(*engine, 5);
  HashSum sum = engine->StateHash<Account>()->sum;
  sum += engine->StateHash<Padded>()->sum;
  EXPECT_EQ(engine->StateHash()->sum, sum);
}

TEST_F(StateHashTest, ThePositionIsThatOfTheNewestRecord) {
  Open();
  Producer producer = NewProducer();
  for (int i = 0; i < 5; ++i) {
    const auto receipt = producer.Execute<Account>(Key(1), Deposit{1}, kQuick);
    ASSERT_TRUE(receipt.ok());
    EXPECT_EQ(Hash().position, receipt->position);
  }
}

TEST_F(StateHashTest, ARefusedCommandChangesNothing) {
  Open();
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  const HashedState before = Hash();
  EXPECT_FALSE(producer.Execute<Account>(Key(1), Withdraw{2}, kQuick).ok());
  EXPECT_FALSE(producer.Execute<Account>(Key(9), Withdraw{2}, kQuick).ok());
  EXPECT_EQ(Hash(), before);
}

TEST_F(StateHashTest, AStateThatCannotBeHashedIsNamedAndOthersAreHashed) {
  const TestDirectory directory;
  auto engine = OpenWith<Account, Sealed>(directory);
  const absl::Status refused = engine->StateHash().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(refused.message()).find("sealed"), std::string::npos) << refused;
  EXPECT_TRUE(engine->StateHash<Account>().ok());
  EXPECT_EQ(engine->StateHash<Padded>().status().code(), absl::StatusCode::kInvalidArgument);
}

// The loop's own thread hashes while producers are busy: every answer is of a whole state.
TEST_F(StateHashTest, IsThatOfAWholeStateWhileCommandsComeIn) {
  Open();
  std::atomic<bool> is_over{false};
  std::thread sender([this, &is_over] {
    auto producer = *engine_->NewProducer();
    // Relaxed: nothing is read behind it.
    for (std::uint64_t i = 0; !is_over.load(std::memory_order_relaxed); ++i) {
      (void)producer.Execute<Account>(Key(1 + i % 10), Deposit{1}, kQuick);
    }
  });
  HashedState last = Hash();
  for (int i = 0; i < 200; ++i) {
    const HashedState now = Hash();
    EXPECT_GE(now.position, last.position);
    if (now.position == last.position) {
      EXPECT_EQ(now, last);
    } else {
      EXPECT_NE(now.sum, last.sum);
    }
    last = now;
  }
  is_over.store(true, std::memory_order_relaxed);
  sender.join();
}

}  // namespace
}  // namespace pawl
