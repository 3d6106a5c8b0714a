#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

// The bank scenario's work, the same for every subject: deterministic by seed, so that all must
// end with the same balances and the same events.
namespace pawl::inline v0::bench {

enum class BankKind : std::uint64_t { kDeposit = 0, kWithdraw = 1 };

// One request to one account.
struct BankCommand {
  std::uint64_t account;  // In [0, accounts).
  BankKind kind;
  std::int64_t cents;      // In [1, 100].
  std::uint64_t sequence;  // 1, 2, 3…
  std::array<std::uint64_t, 4> memo;
};

// One accepted command; what a subject appends to its log.
struct BankEvent {
  std::uint64_t account;
  std::int64_t delta_cents;  // Positive for a deposit.
  std::uint64_t sequence;    // Of the command.
  std::uint64_t kind;
  std::array<std::uint64_t, 4> memo;
};

static_assert(sizeof(BankCommand) == 64 && sizeof(BankEvent) == 64);
static_assert(std::is_trivially_copyable_v<BankCommand> && std::is_trivially_copyable_v<BankEvent>);

// The commands 1…n of a seed, one after another.
class BankCommands {
 public:
  BankCommands(std::uint64_t seed, std::uint64_t accounts) : state_(seed), accounts_(accounts) {}

  void Next(BankCommand& command) {
    const std::uint64_t random = Random();
    command.account = ((random & 0xffff'ffffU) * accounts_) >> 32U;
    command.kind = static_cast<BankKind>(random >> 63U);
    command.cents = static_cast<std::int64_t>(1 + ((((random >> 32U) & 0xffffU) * 100) >> 16U));
    command.sequence = ++sequence_;
    command.memo.fill(random ^ sequence_);
  }

 private:
  // splitmix64: one multiplication chain per command, so that generating is no bottleneck.
  std::uint64_t Random() {
    std::uint64_t x = state_ += 0x9e37'79b9'7f4a'7c15U;
    x = (x ^ (x >> 30U)) * 0xbf58'476d'1ce4'e5b9U;
    x = (x ^ (x >> 27U)) * 0x94d0'49bb'1331'11ebU;
    return x ^ (x >> 31U);
  }

  std::uint64_t state_;
  std::uint64_t accounts_;
  std::uint64_t sequence_ = 0;
};

// Decides `command` against the account's balance. Writes the event in any case, so that a caller
// with room for it needs no branch; the event counts only when the answer is true.
inline bool Decide(std::int64_t& balance, const BankCommand& command, BankEvent& event) {
  const std::int64_t delta = command.kind == BankKind::kWithdraw ? -command.cents : command.cents;
  const std::int64_t next = balance + delta;
  event.account = command.account;
  event.delta_cents = delta;
  event.sequence = command.sequence;
  event.kind = static_cast<std::uint64_t>(command.kind);
  event.memo = command.memo;
  const bool is_accepted = next >= 0;
  balance = is_accepted ? next : balance;
  return is_accepted;
}

// What a set of balances comes to. Equal for equal balances, in whatever order they were added.
struct BankTotals {
  std::int64_t cents = 0;
  std::uint64_t hash = 0;

  void Add(std::uint64_t account, std::int64_t balance);
  friend bool operator==(const BankTotals&, const BankTotals&) = default;
};

[[nodiscard]] BankTotals TotalsOf(const std::vector<std::int64_t>& balances);

// The independent oracle: replays the commands without queue, log or threads and compares.
class BankOracle {
 public:
  BankOracle(std::uint64_t seed, std::uint64_t accounts, std::uint64_t commands);

  // `event` is the next one of a subject's log. False from the first difference on.
  bool ExpectNext(const BankEvent& event);
  // Whether every event came and `projected` holds the balances that result.
  [[nodiscard]] bool Holds(const BankTotals& projected);

  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }

 private:
  bool NextExpected(BankEvent& event);

  BankCommands commands_;
  std::uint64_t commands_left_;
  std::vector<std::int64_t> balances_;
  std::uint64_t accepted_ = 0;
  bool is_equal_ = true;
};

}  // namespace pawl::inline v0::bench
