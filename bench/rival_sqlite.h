#pragma once

#include "bank_subject.h"

namespace pawl::inline v0::bench {

// SQLite as the log, tuned in its favour: WAL, synchronous=OFF, prepared statements, one
// transaction per batch (≤ 256 commands), its files in memory, one connection per thread.
extern const BankSubject kSqlite;

}  // namespace pawl::inline v0::bench
