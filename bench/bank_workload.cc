#include "bank_workload.h"

#include <cstring>

namespace pawl::inline v0::bench {

void BankTotals::Add(std::uint64_t account, std::int64_t balance) {
  if (balance == 0) return;  // An account never touched and an empty one are the same.
  cents += balance;
  std::uint64_t x = (account + 1) * 0x9e37'79b9'7f4a'7c15U ^ static_cast<std::uint64_t>(balance);
  x = (x ^ (x >> 32U)) * 0xd6e8'feb8'6659'fd93U;
  x = (x ^ (x >> 32U)) * 0xd6e8'feb8'6659'fd93U;
  hash += x ^ (x >> 32U);
}

BankTotals TotalsOf(const std::vector<std::int64_t>& balances) {
  BankTotals totals;
  for (std::size_t account = 0; account < balances.size(); ++account) {
    totals.Add(account, balances[account]);
  }
  return totals;
}

BankOracle::BankOracle(std::uint64_t seed, std::uint64_t accounts, std::uint64_t commands)
    : commands_(seed, accounts), commands_left_(commands), balances_(accounts) {}

bool BankOracle::ExpectNext(const BankEvent& event) {
  BankEvent expected;
  is_equal_ =
      is_equal_ && NextExpected(expected) && std::memcmp(&expected, &event, sizeof event) == 0;
  return is_equal_;
}

bool BankOracle::Holds(const BankTotals& projected) {
  BankEvent unseen;
  is_equal_ = is_equal_ && !NextExpected(unseen);
  return is_equal_ && TotalsOf(balances_) == projected;
}

bool BankOracle::NextExpected(BankEvent& event) {
  while (commands_left_ > 0) {
    --commands_left_;
    BankCommand command;
    commands_.Next(command);
    if (Decide(balances_[command.account], command, event)) {
      ++accepted_;
      return true;
    }
  }
  return false;
}

}  // namespace pawl::inline v0::bench
