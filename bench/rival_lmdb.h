#pragma once

#include "bank_subject.h"

namespace pawl::inline v0::bench {

// LMDB as the log, at the best its interface offers: MDB_NOSYNC | MDB_WRITEMAP, integer keys,
// MDB_APPEND | MDB_RESERVE through a cursor, one transaction per batch (≤ 256 commands), its file
// in memory: on disk the kernel's write-back makes it slower and erratic.
extern const BankSubject kLmdb;

// The same with what its interface does not offer: the whole map faulted in by hand beforehand.
extern const BankSubject kLmdbWarm;

}  // namespace pawl::inline v0::bench
